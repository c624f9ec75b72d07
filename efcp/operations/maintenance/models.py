"""Planned maintenance, and how far it is on each proxy."""

from datetime import datetime

from django.db import models

from efcp.operations.states.models import StateRun
from efcp.proxies.models import Proxy


class Maintenance(models.Model):
    """A destination that is out of service from `begins_at` to `ends_at`, on some proxies.

    `allow_empty_set`: it was confirmed, twice, that its set may be left without an active destination.
    `destination_id` is the row's id when it was planned; the row may be gone since. `changed_at` is when
    anything of it changed last.
    """

    destination_id = models.IntegerField()
    setid = models.IntegerField()
    uri = models.CharField(max_length=192)
    reason = models.CharField(max_length=255)
    actor = models.CharField(max_length=64)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    allow_empty_set = models.BooleanField(default=False)
    changed_at = models.DateTimeField(auto_now=True)

    GUARDED = ("setid", "uri", "begins_at", "ends_at")

    class Meta:
        db_table = "efcp_maintenance"
        ordering = ("-begins_at", "-id")
        indexes = (
            models.Index(fields=["setid"], name="efcp_maintenance_set"),
            models.Index(fields=["changed_at"], name="efcp_maintenance_changed"),
        )

    def __str__(self) -> str:
        return f"{self.uri} in set {self.setid} until {self.ends_at}"


class Phase(models.TextChoices):
    """How far a maintenance is on one proxy."""

    PLANNED = "planned", "Planned"
    OUT = "out", "Out of service"
    BACK = "back", "Active again"
    LEFT = "left", "Unchanged"
    NOT_TAKEN = "not taken", "Not started"


class MaintenanceOnProxy(models.Model):
    """A maintenance on one proxy.

    `claimed_until` is set before anything is sent: until then no other watcher does the same.
    `state_before` is what it was when it was taken out; `out_run` set it inactive.
    """

    maintenance = models.ForeignKey(Maintenance, on_delete=models.CASCADE, related_name="on_proxies")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="+")
    step = models.CharField(max_length=10, choices=Phase.choices, default=Phase.PLANNED)
    state_before = models.CharField(max_length=8, blank=True)
    out_run = models.ForeignKey(StateRun, on_delete=models.SET_NULL, null=True, related_name="+")
    out_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    message = models.CharField(max_length=255, blank=True)

    class Meta:
        db_table = "efcp_maintenance_on_proxy"
        ordering = ("proxy__name",)
        constraints = (
            models.UniqueConstraint(fields=["maintenance", "proxy"], name="efcp_maintenance_once"),
        )
        indexes = (models.Index(fields=["step"], name="efcp_maintenance_step"),)

    def __str__(self) -> str:
        return f"{self.maintenance_id} on {self.proxy_id}: {self.step}"

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have been put back by now."""
        return self.step == Phase.OUT and now > self.maintenance.ends_at
