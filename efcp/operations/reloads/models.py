"""Reloads of OpenSIPS modules, as they were requested, and their outcome on each proxy."""

from django.db import models
from django.urls import reverse
from django.utils import timezone

from efcp.proxies.models import Proxy


class Module(models.TextChoices):
    """OpenSIPS's module whose table is loaded anew."""

    DISPATCHER = "dispatcher", "Dispatcher"
    DIALPLAN = "dialplan", "Dialplan"


class ReloadRun(models.Model):
    """One reload of one module on one or more proxies, asked for by one person.

    With `first`, that proxy is reloaded alone, and the others only if it comes back clean. `inherit_state`
    is dispatcher's. `process` carries it out (efcp.operations.runs).
    """

    module = models.CharField(max_length=16, choices=Module.choices, default=Module.DISPATCHER)
    started_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    reason = models.CharField(max_length=255, blank=True)
    inherit_state = models.BooleanField(default=True)
    first = models.ForeignKey(Proxy, on_delete=models.SET_NULL, null=True, related_name="+")
    process = models.CharField(max_length=128, blank=True, default="")

    class Meta:
        db_table = "efcp_reload_run"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"reload {self.pk} by {self.actor}"

    def get_absolute_url(self) -> str:
        """The page that tells what came of it."""
        app = "operations_dialplan" if self.module == Module.DIALPLAN else "operations"
        return reverse(f"{app}:run", args=[self.pk])


class ReloadOutcome(models.TextChoices):
    """What is known of a reload on one proxy."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Reloaded"
    REFUSED = "refused", "Refused"
    NOT_REACHED = "not reached", "Not reached"
    NOT_SENT = "not sent", "Not sent"
    UNKNOWN = "unknown", "Unknown, still running"
    NO_EFFECT = "no effect", "Not reloaded"


class ReloadResult(models.Model):
    """A run on one proxy: what it answered, and what was read back after that.

    `running_key` names module and proxy until the result has its end, and is unique: so two people who
    reload a proxy at once find themselves in one run. `took_ms` is the time of the reload alone. `loaded` and
    `discarded` are what the proxy reports of this load, `report` is its newest report where it tells of
    none. `differs` counts what is not as the table after the read-back, None where there was none; `notes`
    say it in words where another page does not. The process that waited for a result without an end past
    `deadline` is gone. Without an answer the result is settled by the proxy's reports of loading
    (efcp.operations.reconciliation): `answered_at` is when they were first asked for after it was given up,
    `settled_at` when it was decided.
    """

    run = models.ForeignKey(ReloadRun, on_delete=models.CASCADE, related_name="results")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE)
    running_key = models.CharField(max_length=32, null=True, unique=True)
    outcome = models.CharField(max_length=16, choices=ReloadOutcome.choices, default=ReloadOutcome.WAITING)
    message = models.CharField(max_length=255, blank=True)
    deadline = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    took_ms = models.FloatField(null=True)
    loaded = models.PositiveBigIntegerField(null=True)
    discarded = models.PositiveBigIntegerField(null=True)
    report = models.CharField(max_length=255, blank=True)
    differs = models.PositiveIntegerField(null=True)
    read_back_problem = models.CharField(max_length=255, blank=True)
    notes = models.JSONField(default=list)
    answered_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_reload_result"
        ordering = ("proxy__name",)
        constraints = (models.UniqueConstraint(fields=["run", "proxy"], name="efcp_reload_once"),)

    def __str__(self) -> str:
        return f"{self.proxy_id}: {self.outcome}"

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody is left who could still tell its end."""
        return self.ended_at is None and timezone.now() > self.deadline

    def known_outcome(self) -> ReloadOutcome:
        """The outcome; of an abandoned result it is unknown, but for one whose turn never came."""
        outcome = ReloadOutcome(self.outcome)
        if not self.is_abandoned:
            return outcome
        return ReloadOutcome.NOT_SENT if outcome is ReloadOutcome.WAITING else ReloadOutcome.UNKNOWN
