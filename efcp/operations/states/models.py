"""Requests for live states, and their outcome for each destination on each proxy."""

from datetime import datetime

from django.db import models

from efcp.proxies.models import KnownState, Proxy


class StateRun(models.Model):
    """One setting of live states, for one or more destinations on one or more proxies.

    `sent_key` is the digest of the form that was sent, and unique: a form sent twice is one run.
    `undoes` is the run whose former states this one puts back, and unique: a run is undone once. `state` is
    empty there, since each destination has a former state of its own. `process` carries it out.
    """

    started_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=KnownState.choices, blank=True)
    reason = models.CharField(max_length=255, blank=True)
    sent_key = models.CharField(max_length=64, null=True, unique=True)
    undoes = models.OneToOneField("self", on_delete=models.SET_NULL, null=True, related_name="undone_by")
    process = models.CharField(max_length=128, blank=True, default="")

    class Meta:
        db_table = "efcp_state_run"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.state or 'undo'} by {self.actor}"


class StateOutcome(models.TextChoices):
    """What is known of ds_set_state for one destination on one proxy."""

    WAITING = "waiting", "Waiting"
    DONE = "done", "Accepted"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Unreachable"
    UNKNOWN = "unknown", "Unknown"
    NOT_IN_MEMORY = "not held", "Not in memory"
    NOT_ATTEMPTED = "not tried", "Not sent"
    THROUGH = "through", "Via another member"
    LEFT = "left", "Unchanged"
    NO_EFFECT = "no effect", "No effect"


class StateResult(models.Model):
    """A run on one destination of one proxy: its state before, and after, by the read-back.

    `through` is the member of the proxy's cluster that got the call instead of this one.
    `partition` is empty in rows of older versions. `ended_at` is when the answer came or was given up.
    Without an answer the result is settled later (efcp.operations.reconciliation): `answered_at` is when the
    first list after that was requested, `reconciled_at` when it was decided. `column_before` is the table's
    `state` at the start.
    """

    run = models.ForeignKey(StateRun, on_delete=models.CASCADE, related_name="results")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE)
    setid = models.IntegerField()
    uri = models.CharField(max_length=192)
    outcome = models.CharField(max_length=16, choices=StateOutcome.choices, default=StateOutcome.WAITING)
    message = models.CharField(max_length=255, blank=True)
    through = models.ForeignKey(Proxy, on_delete=models.SET_NULL, null=True, related_name="+")
    state_requested = models.CharField(max_length=8, choices=KnownState.choices, blank=True)
    state_before = models.CharField(max_length=8, blank=True)
    state_after = models.CharField(max_length=8, blank=True)
    deadline = models.DateTimeField()
    partition = models.CharField(max_length=64, blank=True, default="")
    ended_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    reconciled_at = models.DateTimeField(null=True)
    column_before = models.IntegerField(null=True)

    class Meta:
        db_table = "efcp_state_result"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.uri} on {self.proxy_id}: {self.outcome}"

    def known_outcome(self, now: datetime) -> StateOutcome:
        """The outcome; unknown where the process that waited for it is gone."""
        if self.outcome == StateOutcome.WAITING and now > self.deadline:
            return StateOutcome.UNKNOWN
        return StateOutcome(self.outcome)
