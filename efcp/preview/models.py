"""Uploaded call logs, and the targets of dialplans on the route map."""

from pathlib import Path

from django.db import models

from efcp.jobs.uploads import upload_path
from efcp.preview.distribution.log_formats import Format


class CallLog(models.Model):
    """An uploaded log of calls.

    `name` is what the uploader's file was called, for people only: on disk it is `token`. `columns` and
    `first_rows` are texts as they were found at the upload.
    """

    name = models.CharField(max_length=255)
    token = models.CharField(max_length=32, unique=True)
    size = models.PositiveBigIntegerField()
    format = models.CharField(max_length=8, choices=[(each.value, each.name) for each in Format])
    delimiter = models.CharField(max_length=1, blank=True)
    has_header = models.BooleanField(default=False)
    columns = models.JSONField()
    first_rows = models.JSONField()
    uploaded_at = models.DateTimeField()
    uploaded_by = models.CharField(max_length=64)

    class Meta:
        db_table = "efcp_call_log"
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        """Where the file is."""
        return upload_path(self.token)


class TargetKind(models.TextChoices):
    """What a dialplan's translations lead to."""

    SET = "set", "This set"
    DIALPLAN = "dialplan", "Another dialplan (with the translated number)"
    OUTPUT = "output", "The set given by the output"


class DialplanTarget(models.Model):
    """Where an administrator says that a dialplan's translations lead, and by which route of the script.

    `attributes` are those of the rule used; empty: of any rule without a target of its own. `setid` is for
    TargetKind.SET, `next_dpid` for TargetKind.DIALPLAN.
    """

    dpid = models.IntegerField()
    attributes = models.CharField(max_length=255, blank=True)
    target = models.CharField(max_length=8, choices=TargetKind.choices, default=TargetKind.SET)
    setid = models.IntegerField(default=0)
    next_dpid = models.IntegerField(null=True)
    algorithm = models.IntegerField(default=0)
    flags = models.CharField(max_length=8, blank=True)
    route = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "efcp_dialplan_lead"
        ordering = ("dpid", "attributes")
        constraints = (
            models.UniqueConstraint(fields=["dpid", "attributes"], name="efcp_dialplan_lead_once"),
        )

    def __str__(self) -> str:
        return f"dialplan {self.dpid} to {self.where}"

    @property
    def where(self) -> str:
        """What it leads to, for people."""
        match self.target:
            case TargetKind.DIALPLAN:
                return f"dialplan {self.next_dpid}"
            case TargetKind.OUTPUT:
                return "the set given by the output"
        return f"set {self.setid}"
