"""Proxies, and what the watcher last read from the memory of each."""

from django.db import models


class Proxy(models.Model):
    """One OpenSIPS proxy that the panel asks over MI."""

    name = models.CharField(max_length=64, unique=True)
    mi_url = models.CharField(max_length=255)
    mi_username = models.CharField(max_length=64, blank=True)
    mi_password_encrypted = models.BinaryField(default=b"", blank=True)
    partition = models.CharField(max_length=64, default="default")
    enabled = models.BooleanField(default=True)
    is_sandbox = models.BooleanField(default=False)

    class Meta:
        db_table = "efcp_proxy"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ProxyContact(models.Model):
    """The last exchange of the watcher with one proxy, and the last good one.

    `sets_digest` is the digest of the last ds_list reply, so that an unchanged reply writes no destinations.
    """

    proxy = models.OneToOneField(Proxy, on_delete=models.CASCADE, primary_key=True, related_name="contact")
    tried_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=255, blank=True)
    version = models.CharField(max_length=64, blank=True)
    up_since = models.DateTimeField(null=True)
    round_trip_ms = models.FloatField(null=True)
    sets_digest = models.CharField(max_length=64, blank=True)
    with_details = models.BooleanField(default=True)

    class Meta:
        db_table = "efcp_proxy_contact"

    def __str__(self) -> str:
        return f"{self.proxy_id} seen {self.seen_at}"


class State(models.TextChoices):
    """A destination's state in a proxy's memory, by the proxy's own words."""

    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Inactive"
    PROBING = "probing", "Probing"


class KnownDestination(models.Model):
    """A destination in a proxy's memory, as last read by the watcher.

    Identity is (proxy, partition, set, URI compared ASCII-case-insensitively, occurrence). `uri_key` is the
    URI in ASCII lower case; `occurrence` counts from 0 the rows of one set and URI in ds_list's order.
    weight, priority and description are null where the proxy was asked without `full`.
    """

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="destinations")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    uri = models.CharField(max_length=192)
    uri_key = models.CharField(max_length=192)
    occurrence = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State.choices)
    since = models.DateTimeField()
    since_is_exact = models.BooleanField(default=True)
    socket = models.CharField(max_length=128, blank=True)
    attrs = models.CharField(max_length=128, blank=True)
    weight = models.PositiveIntegerField(null=True)
    priority = models.PositiveIntegerField(null=True)
    description = models.CharField(max_length=64, null=True)
    addresses = models.JSONField(default=list)
    first_hits = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "efcp_known_destination"
        constraints = (
            models.UniqueConstraint(
                fields=["proxy", "partition", "setid", "uri_key", "occurrence"], name="efcp_known_identity"
            ),
        )
        indexes = (models.Index(fields=["setid", "uri_key"], name="efcp_known_set_uri"),)

    def __str__(self) -> str:
        return f"{self.setid} {self.uri}"


class StateChange(models.Model):
    """One change of state that the watcher saw; `state_before` is empty at a destination's first sight."""

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="changes")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    uri = models.CharField(max_length=192)
    uri_key = models.CharField(max_length=192)
    occurrence = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()
    state_before = models.CharField(max_length=8, blank=True)
    state_after = models.CharField(max_length=8, blank=True)

    class Meta:
        db_table = "efcp_state_change"
        indexes = (
            models.Index(fields=["proxy", "setid", "uri_key", "at"], name="efcp_change_destination"),
            models.Index(fields=["at"], name="efcp_change_at"),
        )

    def __str__(self) -> str:
        return f"{self.uri} {self.state_before} -> {self.state_after}"
