"""Jobs: what was requested, progress and result."""

from datetime import datetime, timedelta

from django.db import models

SILENT_FOR = timedelta(seconds=60)
"""How long nothing is heard of a running job until it counts as abandoned."""


class JobOutcome(models.TextChoices):
    """What is known of a job."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


UNDER_WAY = (JobOutcome.WAITING, JobOutcome.RUNNING)


class JobRun(models.Model):
    """One job.

    `arguments` and `result` are plain JSON values, whose meaning is that of the kind. `progress` of `total`
    counts `unit`; a total of 0 is not known. `beat_at` is when its worker was last heard of.
    """

    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=255)
    actor = models.CharField(max_length=64)
    arguments = models.JSONField(default=dict)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    progress = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    unit = models.CharField(max_length=20, default="", blank=True)
    note = models.CharField(max_length=255, default="", blank=True)
    cancel_requested = models.BooleanField(default=False)
    outcome = models.CharField(max_length=10, choices=JobOutcome.choices, default=JobOutcome.WAITING)
    message = models.CharField(max_length=500, default="", blank=True)
    result = models.JSONField(null=True)

    class Meta:
        db_table = "efcp_job_run"
        ordering = ("-id",)
        indexes = (models.Index(fields=["kind", "-id"], name="efcp_job_run_kind"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}: {self.outcome}"

    @property
    def is_under_way(self) -> bool:
        """Whether it has no end yet."""
        return self.outcome in UNDER_WAY

    @property
    def percent(self) -> float | None:
        """How far it is; None where the whole is not known."""
        return min(100.0, 100 * self.progress / self.total) if self.total else None

    def is_abandoned(self, now: datetime) -> bool:
        """Whether its worker is gone, so that no end will come."""
        heard = self.beat_at or self.started_at
        return self.outcome == JobOutcome.RUNNING and heard is not None and now - heard > SILENT_FOR
