"""Columns of OpenSIPS's table `dispatcher` (version 9), and the panel's own names for sets."""

from django.db import models


class InitialState(models.IntegerChoices):
    """The column `state`: what a proxy starts with for a destination that it does not hold yet."""

    ACTIVE = 0, "Active"
    INACTIVE = 1, "Inactive"
    PROBING = 2, "Probing"


class ProbeMode(models.IntegerChoices):
    """The column `probe_mode`."""

    WHEN_PROBING = 0, "Only while probing"
    ALWAYS = 1, "Always"


class Destination(models.Model):
    """One row. The table is OpenSIPS's, so it is unmanaged and never saved by the ORM (see services.py)."""

    id = models.AutoField(primary_key=True)
    setid = models.IntegerField(default=0)
    destination = models.CharField(max_length=192, default="")
    socket = models.CharField(max_length=128, null=True)
    state = models.IntegerField(choices=InitialState.choices, default=InitialState.ACTIVE)
    probe_mode = models.PositiveIntegerField(choices=ProbeMode.choices, default=ProbeMode.WHEN_PROBING)
    weight = models.CharField(max_length=64, default="1")
    priority = models.IntegerField(default=0)
    attrs = models.CharField(max_length=128, null=True)
    description = models.CharField(max_length=64, null=True)

    class Meta:
        managed = False
        db_table = "dispatcher"

    def __str__(self) -> str:
        return f"{self.destination} in set {self.setid}"


class DestinationSet(models.Model):
    """The name that an administrator gave to a set."""

    setid = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=64)

    class Meta:
        db_table = "efcp_destination_set"

    def __str__(self) -> str:
        return f"{self.setid} · {self.name}"


class NameOutcome(models.TextChoices):
    """The outcome of the last look-up of a name that got an answer."""

    FOUND = "found", "Resolves"
    NO_SUCH_NAME = "none", "Does not resolve"
    NO_ANSWER = "silent", "No DNS answer"


class NameLookup(models.Model):
    """What this machine's resolver says of the name in a destination, as the leading watcher looks it up.

    `uri_key` is the destination in ASCII lower case. `addresses` are at most 32, in order; `address_count`
    counts all of them. They stay as they were while the resolver gives no answer. `former_addresses` are
    those before `moved_at`, None where they never changed since the name was first looked up.
    """

    uri_key = models.CharField(max_length=255, unique=True)
    host = models.CharField(max_length=255)
    outcome = models.CharField(max_length=6, choices=NameOutcome.choices)
    outcome_since = models.DateTimeField()
    addresses = models.JSONField(default=list)
    address_count = models.PositiveIntegerField(default=0)
    former_addresses = models.JSONField(default=list)
    moved_at = models.DateTimeField(null=True)
    looked_up_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        db_table = "efcp_name_lookup"
        indexes = (models.Index(fields=["outcome"], name="efcp_name_outcome"),)

    def __str__(self) -> str:
        return f"{self.host}: {self.outcome}"
