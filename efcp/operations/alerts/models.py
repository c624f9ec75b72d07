"""Alert rules, the outages that each rule follows, and the notices that it sends."""

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


class Condition(models.TextChoices):
    """What a rule may count as down: a state of a destination, or a set or proxy as a whole."""

    PROBING = "probing", "Destination probing: its probes fail"
    INACTIVE = "inactive", "Destination inactive"
    ABSENT = "absent", "Destination gone from a proxy's memory"
    SET = "set", "Set with too few active destinations"
    PROXY = "proxy", "Proxy does not answer"


class NotificationRule(models.Model):
    """Whom to notify of what is down, and after how many seconds.

    An empty `setids` means all sets, no `proxies` all proxies. `states` are the conditions that count as
    down; a set needs `min_active` active destinations. Outages that began before `since` are ignored.
    """

    name = models.CharField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    setids = models.JSONField(default=list)
    proxies = models.ManyToManyField(Proxy, blank=True, related_name="+")
    states = models.JSONField(default=list)
    min_active = models.PositiveIntegerField(default=1)
    after_s = models.PositiveIntegerField(default=60)
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
    def url(self) -> str:
        """The webhook's whole address; raises UnreadablePasswordError under another secret key."""
        return decrypt(bytes(self.url_encrypted), WEBHOOK_ADDRESS)

    @url.setter
    def url(self, url: str) -> None:
        parts = urlsplit(url)
        self.masked_url = f"{parts.scheme}://{parts.netloc}/…" if parts.netloc else ""
        self.url_encrypted = encrypt(url, WEBHOOK_ADDRESS)


class NoticeState(models.TextChoices):
    """The state of a notice."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    GIVEN_UP = "given up", "Failed"
    UNKNOWN = "unknown", "Unknown (not sent again)"


class Notice(models.Model):
    """One message of a rule, of one or more outages. `key` names it, also when it is repeated."""

    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="notices")
    key = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=4)
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
    """A destination, set or proxy that is down in the eyes of a rule, from `began_at` until it is up again.

    `state` is the condition: for a set and a proxy there is no URI, for a proxy no set either (NO_SET).
    `notified_at` is set in the transaction that creates the notice: no outage is notified twice. One that
    began before the rule `is_old`, and is ignored. One that is on purpose has the reason in `silence`, and
    waits; after that the rule's seconds count from `counts_from` on.
    """

    NO_SET = -1

    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="outages")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="+")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    uri = models.CharField(max_length=255)
    uri_key = models.CharField(max_length=255)
    state = models.CharField(max_length=8)
    began_at = models.DateTimeField()
    counts_from = models.DateTimeField()
    silence = models.CharField(max_length=255, blank=True, default="")
    is_old = models.BooleanField(default=False)
    notified_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_outage"
        constraints = (
            models.UniqueConstraint(
                fields=["rule", "proxy", "partition", "setid", "uri_key"], name="efcp_outage_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.uri} on {self.proxy_id} since {self.began_at}"

    @property
    def state_words(self) -> str:
        """The state for people."""
        return {"set": "too few active", "proxy": "no answer", "absent": "gone from memory"}.get(
            self.state, self.state
        )
