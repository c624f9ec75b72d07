"""Reloads as they were asked for and what came of them on each proxy."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from efcp.proxies.models import Proxy, State


class ReloadRun(models.Model):
    """One reload of one or more proxies, asked for by one person.

    With `first`, that proxy is reloaded alone, and the others only if it comes back clean.
    """

    started_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    reason = models.CharField(max_length=255, blank=True)
    inherit_state = models.BooleanField(default=True)
    first = models.ForeignKey(Proxy, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "efcp_reload_run"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"reload {self.pk} by {self.actor}"


class ReloadOutcome(models.TextChoices):
    """What is known of a reload on one proxy."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Reloaded"
    REFUSED = "refused", "Refused"
    NOT_REACHED = "not reached", "Not reached"
    NOT_SENT = "not sent", "Not sent"
    UNKNOWN = "unknown", "Unknown, still running"


class ReloadResult(models.Model):
    """A run on one proxy: what it answered, and what was read back after that.

    `running_key` names the proxy until the result has its end, and is unique: so two people who reload a
    proxy at once find themselves in one run. `took_ms` is the time of ds_reload alone. `loaded` and
    `discarded` are what the proxy reports of this load, `report` is its newest report where it tells of
    none. `differs` counts what a further reload would change after the read-back, None where there was
    none. The process that waited for a result without an end past `deadline` is gone.
    """

    run = models.ForeignKey(ReloadRun, on_delete=models.CASCADE, related_name="results")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE)
    running_key = models.CharField(max_length=20, null=True, unique=True)
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


class StateRun(models.Model):
    """One setting of live states, for one or more destinations on one or more proxies.

    `sent_key` is the digest of the form that was sent, and unique: a form sent twice is one run.
    `undoes` is the run whose former states this one puts back, and unique: a run is undone once. `state` is
    empty there, since each destination has a former state of its own.
    """

    started_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State.choices, blank=True)
    reason = models.CharField(max_length=255, blank=True)
    sent_key = models.CharField(max_length=64, null=True, unique=True)
    undoes = models.OneToOneField("self", on_delete=models.SET_NULL, null=True, related_name="undone_by")

    class Meta:
        db_table = "efcp_state_run"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.state or 'undo'} by {self.actor}"


class StateOutcome(models.TextChoices):
    """What is known of ds_set_state for one destination on one proxy."""

    WAITING = "waiting", "Waiting"
    DONE = "done", "Set"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Not reached"
    UNKNOWN = "unknown", "Unknown"
    NOT_HELD = "not held", "Not in memory"
    NOT_TRIED = "not tried", "Not tried"
    THROUGH = "through", "Through another member"
    LEFT = "left", "Left as it is"


class StateResult(models.Model):
    """A run on one destination of one proxy: its state before, and what the read-back told after.

    `through` is the member of the proxy's cluster that was told the state in the place of this one.
    """

    run = models.ForeignKey(StateRun, on_delete=models.CASCADE, related_name="results")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE)
    setid = models.IntegerField()
    uri = models.CharField(max_length=192)
    outcome = models.CharField(max_length=16, choices=StateOutcome.choices, default=StateOutcome.WAITING)
    message = models.CharField(max_length=255, blank=True)
    through = models.ForeignKey(Proxy, on_delete=models.SET_NULL, null=True, related_name="+")
    state_wanted = models.CharField(max_length=8, choices=State.choices, blank=True)
    state_before = models.CharField(max_length=8, blank=True)
    state_after = models.CharField(max_length=8, blank=True)
    deadline = models.DateTimeField()

    class Meta:
        db_table = "efcp_state_result"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.uri} on {self.proxy_id}: {self.outcome}"

    def known_outcome(self, now: datetime) -> StateOutcome:
        """The outcome, unknown where nobody is left who could still tell."""
        if self.outcome == StateOutcome.WAITING and now > self.deadline:
            return StateOutcome.UNKNOWN
        return StateOutcome(self.outcome)
