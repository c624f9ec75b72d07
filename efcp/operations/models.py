"""Reloads, settings of states and planned maintenance, as they were asked for, and what came of them."""

from datetime import datetime
from urllib.parse import urlsplit

from django.db import models
from django.urls import reverse
from django.utils import timezone

from efcp.operations.probes.models import ProbeRun as ProbeRun
from efcp.proxies.mi_password import decrypt, encrypt
from efcp.proxies.models import Proxy, State

WEBHOOK_ADDRESS = b"efcp: addresses of webhooks"
"""The purpose under which they are encrypted."""


class Module(models.TextChoices):
    """OpenSIPS's module whose table is loaded anew."""

    DISPATCHER = "dispatcher", "Dispatcher"
    DIALPLAN = "dialplan", "Dialplan"


class ReloadRun(models.Model):
    """One reload of one module on one or more proxies, asked for by one person.

    With `first`, that proxy is reloaded alone, and the others only if it comes back clean. `inherit_state`
    is dispatcher's. `process` carries it out (efcp.operations.processes).
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
    (efcp.operations.settling): `answered_at` is when they were first asked for after it was given up,
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


class StateRun(models.Model):
    """One setting of live states, for one or more destinations on one or more proxies.

    `sent_key` is the digest of the form that was sent, and unique: a form sent twice is one run.
    `undoes` is the run whose former states this one puts back, and unique: a run is undone once. `state` is
    empty there, since each destination has a former state of its own. `process` carries it out.
    """

    started_at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State.choices, blank=True)
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
    DONE = "done", "Set"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Not reached"
    UNKNOWN = "unknown", "Unknown"
    NOT_HELD = "not held", "Not in memory"
    NOT_TRIED = "not tried", "Not tried"
    THROUGH = "through", "Through another member"
    LEFT = "left", "Left as it is"
    NO_EFFECT = "no effect", "No effect"


class StateResult(models.Model):
    """A run on one destination of one proxy: its state before, and what the read-back told after.

    `through` is the member of the proxy's cluster that was told the state in the place of this one.
    `partition` is empty in rows of older versions. `ended_at` is when the answer came or was given up.
    Without an answer the result is settled later (efcp.operations.settling): `answered_at` is when the
    first list after that was asked for, `settled_at` when it was decided. `column_before` is the table's
    `state` at the start.
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
    partition = models.CharField(max_length=64, blank=True, default="")
    ended_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    column_before = models.IntegerField(null=True)

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


class Maintenance(models.Model):
    """A destination that is out of service from `begins_at` to `ends_at`, on some proxies.

    `despite_empty`: it was confirmed, twice, that its set may be left without an active destination.
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
    despite_empty = models.BooleanField(default=False)
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


class Step(models.TextChoices):
    """How far a maintenance is on one proxy."""

    PLANNED = "planned", "Planned"
    OUT = "out", "Out of service"
    BACK = "back", "Put back"
    LEFT = "left", "Left as it is"
    NOT_TAKEN = "not taken", "Not taken out"


class MaintenanceOnProxy(models.Model):
    """A maintenance on one proxy.

    `claimed_until` is set before a proxy is asked for anything: until then no other watcher does the same.
    `state_before` is what it was when it was taken out; `out_run` set it inactive.
    """

    maintenance = models.ForeignKey(Maintenance, on_delete=models.CASCADE, related_name="on_proxies")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="+")
    step = models.CharField(max_length=10, choices=Step.choices, default=Step.PLANNED)
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
        return self.step == Step.OUT and now > self.maintenance.ends_at


class Channel(models.TextChoices):
    """How people are told."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class NotificationRule(models.Model):
    """Whom to tell of which destinations that are down, and after how many seconds.

    An empty `setids` means all sets, no `proxies` all proxies; `states` are those that count as down
    ("absent" is gone from a proxy's memory). Outages that began before `since` are not told of.
    """

    name = models.CharField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    setids = models.JSONField(default=list)
    proxies = models.ManyToManyField(Proxy, blank=True, related_name="+")
    states = models.JSONField(default=list)
    after_s = models.PositiveIntegerField(default=60)
    tells_back = models.BooleanField(default=True)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    recipients = models.CharField(max_length=1000, blank=True)
    masked_url = models.CharField(max_length=255, blank=True)
    """Where the webhook is, without the path: with many receivers that is a secret itself."""
    url_encrypted = models.BinaryField(default=b"", blank=True)
    secret_encrypted = models.BinaryField(default=b"", blank=True)
    since = models.DateTimeField()

    class Meta:
        db_table = "efcp_notification_rule"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """The webhook's whole address; raises UnreadablePasswordError under another secret key."""
        return decrypt(bytes(self.url_encrypted), WEBHOOK_ADDRESS)

    @url.setter
    def url(self, url: str) -> None:
        parts = urlsplit(url)
        self.masked_url = f"{parts.scheme}://{parts.netloc}/…" if parts.netloc else ""
        self.url_encrypted = encrypt(url, WEBHOOK_ADDRESS)


class NoticeState(models.TextChoices):
    """What became of a notice."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    GIVEN_UP = "given up", "Given up"
    UNKNOWN = "unknown", "Unknown: not sent again"


class Notice(models.Model):
    """One message of a rule, of one or more destinations. `key` names it, also when it is repeated."""

    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="notices")
    key = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=4)
    content = models.JSONField()
    made_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=NoticeState.choices, default=NoticeState.WAITING)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=255, blank=True)

    class Meta:
        db_table = "efcp_notice"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["state", "next_try_at"], name="efcp_notice_due"),
            models.Index(fields=["made_at"], name="efcp_notice_made"),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.rule_id}: {self.state}"


class Outage(models.Model):
    """A destination that is down in the eyes of a rule, from `began_at` until it is up again.

    `told_at` is set in the transaction that makes the notice: no outage is told of twice. One that began
    before the rule `is_old`, and is not told of.
    """

    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="outages")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="+")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    uri = models.CharField(max_length=255)
    uri_key = models.CharField(max_length=255)
    state = models.CharField(max_length=8)
    began_at = models.DateTimeField()
    is_old = models.BooleanField(default=False)
    told_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_outage"
        constraints = (
            models.UniqueConstraint(
                fields=["rule", "proxy", "partition", "setid", "uri_key"], name="efcp_outage_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.uri} on {self.proxy_id} since {self.began_at}"
