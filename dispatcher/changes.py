"""What a reload would change: the whole table against what is known of each proxy's memory.

A reload of 50,000 destinations has to be compared too, so rows are read as plain tuples, and only those that
are not obviously the same go through the loader and the column by column comparison.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import Max

from dispatcher.drift import ColumnDifference, differing_columns
from dispatcher.environment import not_looked_up
from dispatcher.models import Destination
from dispatcher.routing.findings import Effect, Finding
from dispatcher.routing.loading import Environment, LoadBrokenError, load_row
from dispatcher.routing.rows import Row
from dispatcher.services import Values
from efcp.audit.models import AuditRecord
from efcp.proxies.models import KnownDestination
from efcp.proxies.selectors import WatchedProxy
from efcp.sip.uri import uri_key

SHOWN_AT_MOST = 100
_UNKNOWN_RELEASE = "4.0"
_RELEASE = re.compile(r"\d+\.\d+")
_COLUMNS = (
    "id",
    "setid",
    "destination",
    "socket",
    "state",
    "weight",
    "attrs",
    "probe_mode",
    "description",
    "priority",
)

Identity = tuple[int, str, int]
"""Set, URI key, which occurrence."""


class TableRow(NamedTuple):
    """One row of the table. A tuple, since there may be 50,000."""

    id: int
    setid: int
    destination: str
    socket: str | None
    state: int
    weight: str
    attrs: str | None
    probe_mode: int
    description: str | None
    priority: int

    def values(self) -> Values:
        """The row as its columns."""
        return Values(**{name: value for name, value in self._asdict().items() if name != "id"})


class Held(NamedTuple):
    """One destination in a proxy's memory, with what ds_list told of it."""

    setid: int
    uri_key: str
    occurrence: int
    uri: str
    socket: str
    attrs: str
    weight: int | None
    priority: int | None
    description: str | None
    state: str


@dataclass(frozen=True, slots=True)
class Change:
    """One destination that differs; `row_id` is None where only the memory holds it, `by` is who wrote it."""

    row_id: int | None
    setid: int
    uri: str
    differences: tuple[ColumnDifference, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class ProxyChanges:
    """What a reload would do to one proxy; the lists hold at most SHOWN_AT_MOST, the counts all.

    `dropped` are rows that the proxy would leave out or load otherwise than written; `breaking` is the
    finding over which its whole reload would fail.
    """

    watched: WatchedProxy
    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    changed: tuple[Change, ...]
    added_count: int
    removed_count: int
    changed_count: int
    dropped: tuple[Finding, ...]
    breaking: Finding | None

    @property
    def count(self) -> int:
        """How many destinations differ."""
        return self.added_count + self.removed_count + self.changed_count


@dataclass(frozen=True, slots=True)
class Pending:
    """How many destinations a reload would change on some answering proxy."""

    count: int


def pending_changes(watched: Sequence[WatchedProxy]) -> Pending:
    """Count what a reload would change; a destination that differs on several proxies counts once."""
    rows = _table()
    identities: set[Identity] = set()
    for each in watched:
        if each.fresh:
            identities.update(identity for identity, _row, _held in _differing(rows, _memory(each)))
    return Pending(len(identities))


def compare(watched: Sequence[WatchedProxy]) -> tuple[ProxyChanges, ...]:
    """What a reload would do to each of these proxies, by what is known of its memory."""
    rows = _table()
    found = [_changes_of(each, list(_differing(rows, _memory(each)))) for each in watched]
    authors = _authors(
        each.row_id for changes in found for each in (*changes.added, *changes.changed) if each.row_id
    )
    return tuple(_with_authors(changes, authors) for changes in found)


def _table() -> dict[Identity, TableRow]:
    """All rows by identity, in the proxy's order of occurrences."""
    rows: dict[Identity, TableRow] = {}
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for values in Destination.objects.order_by("-priority", "id").values_list(*_COLUMNS):
        row = TableRow(*values)
        key = (row.setid, uri_key(row.destination).rstrip(" "))
        rows[(*key, counts[key])] = row
        counts[key] += 1
    return rows


def _memory(each: WatchedProxy) -> dict[Identity, Held]:
    known = KnownDestination.objects.filter(proxy=each.proxy, partition=each.proxy.partition)
    held = (Held(*values) for values in known.values_list(*Held._fields))
    return {(one.setid, one.uri_key, one.occurrence): one for one in held}


def _differing(
    rows: dict[Identity, TableRow], memory: dict[Identity, Held]
) -> Iterator[tuple[Identity, TableRow | None, Held | None]]:
    for identity, row in rows.items():
        held = memory.get(identity)
        if held is None or (not _same(row, held) and differing_columns(row.values(), held)):
            yield identity, row, held
    for identity, held in memory.items():
        if identity not in rows:
            yield identity, None, held


def _same(row: TableRow, held: Held) -> bool:
    """Whether row and memory are the same at a glance; where not, they may still mean the same."""
    return (
        row.destination == held.uri
        and (row.socket or "") == held.socket
        and (row.attrs or "") == held.attrs
        and (held.weight is None or row.weight == str(held.weight))
        and (held.priority is None or row.priority == held.priority)
        and (held.description is None or (row.description or "") == held.description)
    )


def _changes_of(
    each: WatchedProxy,
    differing: list[tuple[Identity, TableRow | None, Held | None]],
) -> ProxyChanges:
    added = [row for _identity, row, held in differing if row is not None and held is None]
    changed = [(row, held) for _identity, row, held in differing if row is not None and held is not None]
    removed = [held for _identity, row, held in differing if row is None and held is not None]
    dropped, breaking = _findings(each, [*added, *(row for row, _held in changed)])
    return ProxyChanges(
        watched=each,
        added=tuple(Change(row.id, row.setid, row.destination) for row in added[:SHOWN_AT_MOST]),
        removed=tuple(Change(None, held.setid, held.uri) for held in removed[:SHOWN_AT_MOST]),
        changed=tuple(
            Change(row.id, row.setid, row.destination, differing_columns(row.values(), held))
            for row, held in changed[:SHOWN_AT_MOST]
        ),
        added_count=len(added),
        removed_count=len(removed),
        changed_count=len(changed),
        dropped=dropped,
        breaking=breaking,
    )


def _findings(each: WatchedProxy, rows: Iterable[TableRow]) -> tuple[tuple[Finding, ...], Finding | None]:
    """What the proxy's loader would say of these rows; names are taken as known."""
    release = _RELEASE.match(each.contact.version)
    environment = Environment(resolve=not_looked_up, version=release[0] if release else _UNKNOWN_RELEASE)
    found: list[Finding] = []
    for row in rows:
        loaded = Row(
            row.setid,
            row.destination,
            None,
            row.state,
            row.probe_mode,
            row.weight,
            row.priority,
            row.attrs,
            row.description,
            row.id,
        )
        try:
            load_row(loaded, environment, found)
        except LoadBrokenError as error:
            return _worst(found), error.finding
    return _worst(found), None


def _worst(found: Iterable[Finding]) -> tuple[Finding, ...]:
    told = [finding for finding in found if finding.effect is not Effect.SURPRISE]
    return tuple(told[:SHOWN_AT_MOST])


def _authors(row_ids: Iterable[int]) -> dict[int, str]:
    """Who wrote each row last, as far as the panel knows."""
    wanted = [str(row_id) for row_id in set(row_ids)]
    latest = (
        AuditRecord.objects.filter(
            subject_kind="dispatcher", subject_id__in=wanted, action__in=("add", "edit")
        )
        .values("subject_id")
        .annotate(latest=Max("id"))
        .values("latest")
    )
    records = AuditRecord.objects.filter(pk__in=latest).values_list("subject_id", "actor")
    return {int(subject_id): actor for subject_id, actor in records}


def _with_authors(changes: ProxyChanges, authors: dict[int, str]) -> ProxyChanges:
    def authored(some: tuple[Change, ...]) -> tuple[Change, ...]:
        return tuple(replace(each, by=authors.get(each.row_id or 0, "")) for each in some)

    return replace(changes, added=authored(changes.added), changed=authored(changes.changed))
