"""Reloads of OpenSIPS modules, as they were requested, and their outcome on each proxy."""

from django.db import models
from django.urls import reverse
from django.utils import timezone

from efcp.modules.registry import PanelModule, ReloadOutcome, module_named
from efcp.proxies.models import Proxy


class ReloadRun(models.Model):
    """One reload of one module on one or more proxies, requested by one person.

    With `first`, that proxy is reloaded alone, and the others only if it comes back clean. `inherit_state`
    is dispatcher's. `process` carries it out (efcp.operations.runs).
    """

    module = models.CharField(max_length=16)
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
        """The page with its results."""
        return reverse(self.declaration.reload_run_url, args=[self.pk])

    @property
    def declaration(self) -> PanelModule:
        """The module as it is registered."""
        return module_named(self.module)


class ReloadResult(models.Model):
    """A run on one proxy: what it answered, and what was read back after that.

    `running_key` names module and proxy until the result has its end, and is unique: so two people who
    reload a proxy at once find themselves in one run. `took_ms` is the time of the reload alone. `loaded` and
    `discarded` are what the proxy reports of this load, `report` is its newest report where there is
    none. `differs` counts what is not as the table after the read-back, None where there was none; `notes`
    say it in words where another page does not. The process that waited for a result without an end past
    `deadline` is gone. Without an answer the result is reconciled with the proxy's reports of loading
    (efcp.operations.reconciliation): `answered_at` is when they were first read after it was given up,
    `reconciled_at` when it was decided.
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
    reconciled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_reload_result"
        ordering = ("proxy__name",)
        constraints = (models.UniqueConstraint(fields=["run", "proxy"], name="efcp_reload_once"),)

    def __str__(self) -> str:
        return f"{self.proxy_id}: {self.outcome}"

    @property
    def is_abandoned(self) -> bool:
        """Whether the process that waited for its end is gone."""
        return self.ended_at is None and timezone.now() > self.deadline

    def known_outcome(self) -> ReloadOutcome:
        """The outcome; of an abandoned result it is unknown, but for one whose turn never came."""
        outcome = ReloadOutcome(self.outcome)
        if not self.is_abandoned:
            return outcome
        return ReloadOutcome.NOT_SENT if outcome is ReloadOutcome.WAITING else ReloadOutcome.UNKNOWN
