"""Columns of OpenSIPS's table `dialplan` (version 5)."""

from hashlib import sha256
from typing import Any

from django.db import models


class MatchOperator(models.IntegerChoices):
    """The column `match_op`."""

    EQUAL = 0, "Equal string"
    REGEX = 1, "Regular expression"


class Rule(models.Model):
    """One row. The table is OpenSIPS's, so it is unmanaged and never saved by the ORM."""

    id = models.AutoField(primary_key=True)
    dpid = models.IntegerField()
    pr = models.IntegerField(default=0)
    match_op = models.IntegerField(choices=MatchOperator.choices)
    match_exp = models.CharField(max_length=64)
    match_flags = models.IntegerField(default=0)
    subst_exp = models.CharField(max_length=64, null=True)
    repl_exp = models.CharField(max_length=32, null=True)
    timerec = models.CharField(max_length=255, null=True)
    disabled = models.IntegerField(default=0)
    attrs = models.CharField(max_length=255, null=True)

    class Meta:
        managed = False
        db_table = "dialplan"

    def __str__(self) -> str:
        return f"{self.match_exp} in dialplan {self.dpid}"


class DialplanName(models.Model):
    """The name that an administrator gave to a dialplan."""

    dpid = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=64)

    class Meta:
        db_table = "efcp_dialplan"

    def __str__(self) -> str:
        return self.name


class SavedCase(models.Model):
    """An input of a dialplan and what must come out of it: `expected`, None where nothing may come out.

    `input_key` is the digest of `input`: MariaDB takes texts that differ by spaces at their end for one.
    """

    dpid = models.IntegerField()
    input = models.CharField(max_length=500)
    input_key = models.CharField(max_length=64, editable=False)
    expected = models.CharField(max_length=255, null=True)

    class Meta:
        db_table = "efcp_dialplan_case"
        ordering = ("dpid", "id")
        constraints = (models.UniqueConstraint(fields=["dpid", "input_key"], name="efcp_dialplan_case_key"),)

    def __str__(self) -> str:
        return f"{self.input} in dialplan {self.dpid}"

    def save(self, **options: Any) -> None:
        """Store the case with the key of its input."""
        self.input_key = key_of(self.input)
        super().save(**options)


def key_of(text: str) -> str:
    """The digest by which an input is found again, byte for byte."""
    return sha256(text.encode()).hexdigest()
