"""Probes that people sent from the panel, and what came back."""

from django.db import models

from efcp.operations.probes.sending import TRANSPORTS


class ProbeRun(models.Model):
    """One probe of a destination, sent from this machine to an address that a proxy or the resolver gave.

    `proxy` is the name of the proxy whose address and From were taken, empty for this machine's own look-up.
    A probe without `ended_at` past its `deadline` was lost with its process.
    """

    setid = models.IntegerField()
    uri = models.CharField(max_length=255)
    uri_key = models.CharField(max_length=255)
    proxy = models.CharField(max_length=64, blank=True)
    method = models.CharField(max_length=16)
    from_uri = models.CharField(max_length=255)
    transport = models.CharField(max_length=4, choices=[(each, each) for each in TRANSPORTS])
    address = models.CharField(max_length=64)
    port = models.PositiveIntegerField()
    actor = models.CharField(max_length=150)
    started_at = models.DateTimeField()
    deadline = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    code = models.PositiveIntegerField(null=True)
    reason = models.CharField(max_length=80, blank=True)
    took_ms = models.FloatField(null=True)
    source = models.CharField(max_length=64, blank=True)
    problem = models.CharField(max_length=255, blank=True)

    class Meta:
        db_table = "efcp_probe"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["uri_key", "setid"], name="efcp_probe_destination"),
            models.Index(fields=["started_at"], name="efcp_probe_started"),
        )

    def __str__(self) -> str:
        return f"{self.method} to {self.uri}"
