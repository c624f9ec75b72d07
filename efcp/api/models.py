"""Answers to writes that came with an Idempotency-Key, and webhooks of events with their log."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import models

from efcp.accounts.models import ApiToken
from efcp.proxies.mi_password import decrypt, encrypt

ANSWERS_KEPT_FOR = timedelta(days=3)
DELIVERIES_KEPT_FOR = timedelta(days=7)
EVENT_ADDRESS = b"efcp: addresses of event webhooks"


class StoredAnswer(models.Model):
    """The answer to a POST, stored in the transaction of its write: a repeated one gets the same.

    `key` is a digest of the client's key, `request` one of method, address and body.
    """

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "efcp_api_answer"
        constraints = (models.UniqueConstraint(fields=["token", "key"], name="efcp_api_answer_once"),)

    def __str__(self) -> str:
        return f"{self.status} at {self.at}"


def prune_answers(now: datetime) -> int:
    """Delete answers older than ANSWERS_KEPT_FOR; return how many."""
    deleted, _by_model = StoredAnswer.objects.filter(at__lt=now - ANSWERS_KEPT_FOR).delete()
    return deleted


class EventWebhook(models.Model):
    """A webhook that gets the events of some kinds: the same that `GET /events` gives.

    `cursor` is how far its deliveries reach; it moves in the transaction that stores the next one.
    """

    name = models.CharField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    kinds = models.JSONField(default=list)
    masked_url = models.CharField(max_length=255, blank=True)
    url_encrypted = models.BinaryField(default=b"")
    secret_encrypted = models.BinaryField(default=b"")
    cursor = models.CharField(max_length=64)

    GUARDED = ("name", "enabled", "kinds", "url_encrypted", "secret_encrypted")

    class Meta:
        db_table = "efcp_event_webhook"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """The whole address; raises UnreadablePasswordError under another secret key."""
        return decrypt(bytes(self.url_encrypted), EVENT_ADDRESS)

    @url.setter
    def url(self, url: str) -> None:
        parts = urlsplit(url)
        self.masked_url = f"{parts.scheme}://{parts.netloc}/…"
        self.url_encrypted = encrypt(url, EVENT_ADDRESS)


class DeliveryState(models.TextChoices):
    """The state of a delivery."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    GIVEN_UP = "given up", "Failed"


class EventDelivery(models.Model):
    """One message with events to one receiver. `key` names it, also when it is sent again."""

    receiver = models.ForeignKey(EventWebhook, on_delete=models.CASCADE, related_name="deliveries")
    key = models.CharField(max_length=32, unique=True)
    content = models.JSONField()
    event_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_index=True)
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=255, blank=True)

    class Meta:
        db_table = "efcp_event_delivery"
        ordering = ("-id",)
        indexes = (models.Index(fields=["state", "receiver"], name="efcp_event_delivery_due"),)

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"


def prune_deliveries(now: datetime) -> int:
    """Delete deliveries older than DELIVERIES_KEPT_FOR; return how many."""
    old = EventDelivery.objects.filter(created_at__lt=now - DELIVERIES_KEPT_FOR)
    deleted, _by_model = old.exclude(state__in=[DeliveryState.WAITING, DeliveryState.SENDING]).delete()
    return deleted
