"""One destination that a reload would change, short lists of them, and who wrote their rows last."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from dispatcher.drift import ColumnDifference
from efcp.audit.models import AuditRecord
from efcp.sip.uri import uri_key

SHOWN_AT_MOST = 100
LATEST_RECORDS = 2000
"""Among how many audit records the one that took a destination out of the table is looked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """One destination that differs; `row_id` is None where only the memory holds it, `by` is who wrote it.

    `why` has a reason that columns and a missing row don't show; `takes_calls` is whether it is active now.
    """

    row_id: int | None
    setid: int
    uri: str
    differences: tuple[ColumnDifference, ...] = ()
    by: str = ""
    why: str = ""
    takes_calls: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of one kind: how many there are, and the first SHOWN_AT_MOST of them."""

    count: int = 0
    shown: tuple[Change, ...] = ()

    @classmethod
    def of(cls, changes: Sequence[Change]) -> "Changes":
        """All of `changes` counted, the first of them shown."""
        return cls(len(changes), tuple(changes[:SHOWN_AT_MOST]))

    @property
    def unshown(self) -> int:
        """How many are only counted."""
        return self.count - len(self.shown)


@dataclass(frozen=True, slots=True)
class IgnoredSocket:
    """A socket of `rows` rows that a proxy does not use, and would not after a reload: no difference.

    It is `loaded` where the proxy is known to have loaded it like that; else it was only never observed to
    listen on it.
    """

    socket: str
    rows: int
    loaded: bool


def writers(row_ids: set[int]) -> dict[int, str]:
    """Who wrote each of these rows last, as far as the panel knows."""
    if not row_ids:
        return {}
    latest = (
        AuditRecord.objects.filter(
            subject_kind="dispatcher",
            subject_id__in=[str(row_id) for row_id in row_ids],
            action__in=("add", "edit"),
        )
        .values("subject_id")
        .annotate(latest=Max("id"))
        .values("latest")
    )
    records = AuditRecord.objects.filter(pk__in=latest).values_list("subject_id", "actor")
    return {int(subject_id): actor for subject_id, actor in records}


def removers(removed: set[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Who deleted these destinations, or gave their rows another set or URI, among the latest records."""
    if not removed:
        return {}
    records = (
        AuditRecord.objects.filter(subject_kind="dispatcher", action__in=("delete", "edit"))
        .order_by("-id")
        .values_list("actor", "before", "after")[:LATEST_RECORDS]
    )
    found: dict[tuple[int, str], str] = {}
    for actor, before, after in records:
        former = _set_and_key_of(before)
        if former in removed and former != _set_and_key_of(after):
            found.setdefault(former, actor)
    return found


def _set_and_key_of(columns: dict[str, Any] | None) -> tuple[int, str] | None:
    if not columns or not {"setid", "destination"} <= columns.keys():
        return None
    return columns["setid"], uri_key(columns["destination"].rstrip(" "))
