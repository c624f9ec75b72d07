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
