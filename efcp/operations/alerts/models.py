"""Alert rules, the outages (alerts) that each rule follows, silences, and the notices (messages).

One alert is one cause and one scope in the eyes of a rule: open, acknowledged or closed. Messages are an
outbox per receiver. Both are written in one transaction, by the plan of efcp/operations/alerts/reconcile.py.
"""

from urllib.parse import urlsplit

from django.db import models

from efcp.proxies.mi_password import decrypt, encrypt
from efcp.proxies.models import Proxy

WEBHOOK_ADDRESS = b"efcp: addresses of webhooks"
"""The purpose under which they are encrypted."""


class Channel(models.TextChoices):
    """How people are notified."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"
    APPRISE = "apprise", "Chat, pager or SMS (Apprise)"


class Condition(models.TextChoices):
    """What a rule may count as down: a state of a destination, or a set or proxy as a whole."""

    PROBING = "probing", "Destination probing: its probes fail"
    INACTIVE = "inactive", "Destination inactive"
    ABSENT = "absent", "Destination gone from a proxy's memory"
    SET = "set", "Set with too few active destinations"
    EMPTY = "empty", "Set gone from a proxy's memory"
    PROXY = "proxy", "Proxy does not answer"
    RESTART = "restart", "Proxy restarted"
    RELOAD = "reload", "Reload failed, or rows discarded by it"
    DRIFT = "drift", "Table differs from a proxy's memory"
    PANEL = "panel", "Watcher or worker stopped"


class AlertSeverity(models.TextChoices):
    """How urgent an alert is, see SEVERITIES in reconcile.py."""

    INFO = "info", "Information only"
    WARNING = "warning", "Information and warnings"
    CRITICAL = "critical", "Everything"


class NotificationRule(models.Model):
    """Whom to notify of what is down, and after how many seconds.

    An empty `setids` means all sets, no `proxies` all proxies. `states` are the conditions that count as
    down; a set needs `min_active` active destinations and `min_share` percent of them. Outages that began
    before `since` are ignored. What becomes due within `group_s` seconds is one message; it is repeated every
    `repeat_min` minutes (0: never), and goes to the receiver of `escalate_to` after `escalate_min` minutes,
    until somebody acknowledges it. With `flap_changes` changes (0: never) in `flap_s` seconds it flaps. In
    the quiet hours, `quiet_from` to `quiet_to` of `quiet_zone` beginning on `quiet_days` (0 is Monday, none:
    every day), alerts up to `quiet_severity` wait.
    """

    name = models.CharField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    setids = models.JSONField(default=list)
    proxies = models.ManyToManyField(Proxy, blank=True, related_name="+")
    states = models.JSONField(default=list)
    min_active = models.PositiveIntegerField(default=1)
    after_s = models.PositiveIntegerField(default=60)
    min_share = models.PositiveSmallIntegerField(default=0)
    group_s = models.PositiveIntegerField(default=10)
    repeat_min = models.PositiveIntegerField(default=0)
    escalate_to = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    escalate_min = models.PositiveIntegerField(default=15)
    flap_changes = models.PositiveIntegerField(default=6)
    flap_s = models.PositiveIntegerField(default=300)
    quiet_days = models.JSONField(default=list)
    quiet_from = models.TimeField(null=True)
    quiet_to = models.TimeField(null=True)
    quiet_zone = models.CharField(max_length=64, blank=True, default="UTC")
    quiet_severity = models.CharField(
        max_length=8, choices=AlertSeverity.choices, default=AlertSeverity.WARNING
    )
    notify_recovery = models.BooleanField(default=True)
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
    def conditions(self) -> tuple[str, ...]:
        """What counts as down, for people."""
        return tuple(each.label for each in Condition if each in self.states)

    @property
    def quiet_hours(self) -> str:
        """From when to when, and in which zone."""
        if not self.quiet_from or not self.quiet_to:
            return ""
        return f"{self.quiet_from:%H:%M} to {self.quiet_to:%H:%M} ({self.quiet_zone})"

    @property
    def url(self) -> str:
        """The webhook's whole address; raises UnreadablePasswordError under another secret key."""
        return decrypt(bytes(self.url_encrypted), WEBHOOK_ADDRESS)

    @url.setter
    def url(self, url: str) -> None:
        parts = urlsplit(url)
        # The host of an Apprise address may be a token.
        shown = parts.netloc + "/" if parts.scheme in {"http", "https"} else ""
        self.masked_url = f"{parts.scheme}://{shown}…" if url else ""
        self.url_encrypted = encrypt(url, WEBHOOK_ADDRESS)


class NoticeState(models.TextChoices):
    """The state of a notice."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    GIVEN_UP = "given up", "Failed"
    UNKNOWN = "unknown", "Unknown (not sent again)"
    MERGED = "merged", "Part of a summary"


class Notice(models.Model):
    """One message of a rule, of one or more outages. `key` names it, also when it is repeated.

    It goes to the channel of `receiver`: the rule itself, or the one that it escalates to.
    """

    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="notices")
    receiver = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, null=True, related_name="+")
    key = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=12)
    content = models.JSONField()
    created_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=NoticeState.choices, default=NoticeState.WAITING)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=255, blank=True)

    class Meta:
        db_table = "efcp_notice"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["state", "next_try_at"], name="efcp_notice_due"),
            models.Index(fields=["created_at"], name="efcp_notice_created"),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.rule_id}: {self.state}"


class Outage(models.Model):
    """An alert: something is down in the eyes of a rule, from `began_at` until `ended_at`.

    `state` is the condition: for a set there is no URI, for a proxy no set either (NO_SET), for the panel no
    proxy. `notified_at` is set in the transaction that creates the notice: no outage is notified twice;
    `sent_at` is the last message of it. One that began before the rule `is_old`, and is ignored. One that is
    on purpose, or the child of another, has the reason in `silence`, and waits; after that the rule's seconds
    count from `counts_from` on. `changes` are the moments (Unix seconds) at which it lately began or ended;
    one that is `flapping_since` stays open while it is up (`up_since`) for a short time. `closed_as` is 0
    while it is open, and its own number afterwards. `owes_back`: it is over, and this is still to be sent.
    """

    NO_SET = -1

    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="outages")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, null=True, related_name="+")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    uri = models.CharField(max_length=255)
    uri_key = models.CharField(max_length=255)
    state = models.CharField(max_length=8)
    detail = models.CharField(max_length=255, blank=True, default="")
    began_at = models.DateTimeField()
    counts_from = models.DateTimeField()
    silence = models.CharField(max_length=255, blank=True, default="")
    is_old = models.BooleanField(default=False)
    notified_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    notice = models.ForeignKey(Notice, on_delete=models.SET_NULL, null=True, related_name="outages")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")
    escalated_at = models.DateTimeField(null=True)
    changes = models.JSONField(default=list)
    flapping_since = models.DateTimeField(null=True)
    up_since = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    owes_back = models.BooleanField(default=False)
    closed_as = models.BigIntegerField(default=0)

    class Meta:
        db_table = "efcp_outage"
        constraints = (
            models.UniqueConstraint(
                fields=["rule", "proxy", "partition", "setid", "uri_key", "closed_as"],
                name="efcp_outage_open_once",
            ),
        )
        indexes = (
            models.Index(fields=["rule", "closed_as", "ended_at"], name="efcp_outage_closed"),
            models.Index(fields=["rule", "owes_back"], name="efcp_outage_owing"),
            models.Index(fields=["ended_at"], name="efcp_outage_ended"),
        )

    def __str__(self) -> str:
        return f"{self.uri} on {self.proxy_id} since {self.began_at}"

    @property
    def state_words(self) -> str:
        """The state for people."""
        return STATE_WORDS.get(self.state, self.state)


STATE_WORDS = {
    "set": "too few active",
    "empty": "gone from memory",
    "proxy": "no answer",
    "absent": "gone from memory",
    "host": "all destinations down",
    "restart": "restarted",
    "reload": "reload failed",
    "drift": "table differs",
    "panel": "stopped",
}
"""What a condition is called where its destination's state has no word of its own."""


class Silence(models.Model):
    """Alerts of a scope that send nothing until `ends_at`, for a `reason`.

    Without `proxy`, `setid` or `uri_key` it covers all of them.
    """

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, null=True, related_name="+")
    setid = models.IntegerField(null=True)
    uri_key = models.CharField(max_length=255, blank=True, default="")
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=150)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        db_table = "efcp_silence"
        ordering = ("-ends_at",)
        indexes = (models.Index(fields=["ends_at"], name="efcp_silence_ends"),)

    def __str__(self) -> str:
        return f"{self.scope} until {self.ends_at}"

    @property
    def scope(self) -> str:
        """What it covers, for people."""
        parts = [
            self.uri_key,
            "" if self.setid is None else f"set {self.setid}",
            f"proxy {self.proxy.name}" if self.proxy else "",
        ]
        return ", ".join(filter(None, parts)) or "everything"


class ProcessBeat(models.Model):
    """How often a process of the panel has beaten: see efcp/operations/alerts/process_beats.py."""

    name = models.CharField(max_length=32, unique=True)
    beats = models.PositiveBigIntegerField(default=0)
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "efcp_process_beat"

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at}"
