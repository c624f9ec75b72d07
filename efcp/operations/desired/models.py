"""Plans that were carried out, and the outcome of the reloads after them."""

from django.db import models
from django.utils import timezone


class ApplyState(models.TextChoices):
    """How far it is with a plan that was carried out."""

    WRITTEN = "written", "Written"
    RELOADING = "reloading", "Reloading"
    DONE = "done", "Written and reloaded"
    NOT_CLEAN = "not clean", "Reloaded, but not clean on every proxy"
    ROLLED_BACK = "rolled back", "Rolled back"
    NOT_ROLLED_BACK = "not rolled back", "Not clean, and not rolled back"
    UNKNOWN = "unknown", "Unknown"


class AppliedPlan(models.Model):
    """One plan that was written, with its changes for people, and its reloads by module and run.

    `process` carries out the reloads (efcp.operations.runs); past `deadline` it is gone.
    """

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField()
    actor = models.CharField(max_length=64)
    token = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=255, blank=True)
    plan_id = models.CharField(max_length=16)
    change_count = models.PositiveIntegerField()
    changes = models.JSONField(default=list)
    reloads = models.JSONField(default=list)
    state = models.CharField(max_length=16, choices=ApplyState.choices, default=ApplyState.WRITTEN)
    message = models.CharField(max_length=255, blank=True)
    process = models.CharField(max_length=128, blank=True)

    class Meta:
        db_table = "efcp_applied_plan"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"plan {self.plan_id} by {self.actor}"

    def known_state(self) -> ApplyState:
        """The state; unknown where the process that reloads is gone."""
        is_lost = self.state == ApplyState.RELOADING and timezone.now() > self.deadline
        return ApplyState.UNKNOWN if is_lost else ApplyState(self.state)
