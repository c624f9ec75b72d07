"""The rows of one proxy's memory: read, replaced where they differ, and their changes recorded.

Plain SQL by executemany, since a proxy may hold 50,000 destinations: storing them through model instances
takes four times as long, and the write lock is held that long. A changed row is deleted and inserted anew,
so that one INSERT serves both databases; nothing refers to the rows' ids.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import connection

from efcp.proxies.changes import Change
from efcp.proxies.memory import (
    Difference,
    HeldDestination,
    Identity,
    Memory,
    Probes,
    StoredDestination,
    difference,
)
from efcp.proxies.models import KnownDestination, KnownSet, StateChange

ROWS_AT_ONCE = 500

_HELD_COLUMNS = HeldDestination._fields

T = TypeVar("T")

Since = Mapping[Identity, tuple[datetime, bool]]
"""When a destination's state began, and whether that is exact."""


class MemoryRows:
    """The stored destinations of `memory`'s partition on one proxy, to be brought to `memory`.

    All methods are to be called in one transaction that holds the proxy's lock.
    """

    def __init__(self, proxy_id: int, memory: Memory) -> None:
        self.proxy_id = proxy_id
        self.memory = memory

    def difference(self) -> Difference:
        """What differs between the stored destinations and the memory."""
        return difference(self._stored(), self.memory.destinations)

    def replace(self, found: Difference, since: Since) -> None:
        """Write what differs; `since` has the destinations whose state began anew."""
        KnownDestination.objects.filter(proxy_id=self.proxy_id).exclude(
            partition=self.memory.partition
        ).delete()
        self._delete(found)
        self._insert(found, since)
        written = {held.identity for held in found.appeared} | {held.identity for _, held in found.changed}
        self.date_anew({identity: began for identity, began in since.items() if identity not in written})

    def date_anew(self, since: Since) -> None:
        """Write since when destinations are in a state that they left for a while."""
        mine = KnownDestination.objects.filter(proxy_id=self.proxy_id, partition=self.memory.partition)
        for (setid, uri_key, occurrence), (began, exact) in since.items():
            mine.filter(setid=setid, uri_key=uri_key, occurrence=occurrence).update(
                since=began, since_is_exact=exact
            )

    def record(self, changes: Iterable[Change]) -> None:
        """Write the history's rows."""
        rows = [
            (
                self.proxy_id,
                self.memory.partition,
                each.held.setid,
                each.held.uri,
                each.held.uri_key,
                each.held.occurrence,
                self._moment(each.at),
                each.at_is_exact,
                each.before,
                each.after,
                each.cause,
            )
            for each in changes
        ]
        _insert_rows(StateChange._meta.db_table, _CHANGE_COLUMNS, rows)

    def store_sets(self, asked_at: datetime) -> None:
        """Write which sets there are, and which of them have another content than before."""
        contents = self.memory.contents()
        mine = KnownSet.objects.filter(proxy_id=self.proxy_id)
        former = dict(mine.filter(partition=self.memory.partition).values_list("setid", "content"))
        changed = [setid for setid, content in contents.items() if former.get(setid) != content]
        gone = [*changed, *(former.keys() - contents.keys())]
        mine.exclude(partition=self.memory.partition).delete()
        for chunk in _chunks(gone):
            mine.filter(setid__in=chunk).delete()
        rows = [
            (self.proxy_id, self.memory.partition, setid, contents[setid], self._moment(asked_at))
            for setid in changed
        ]
        _insert_rows(KnownSet._meta.db_table, _SET_COLUMNS, rows)

    def store_first_hits(self) -> None:
        """Write the first hits that differ; the rows must be those of the memory otherwise."""
        known = KnownDestination.objects.filter(proxy_id=self.proxy_id, partition=self.memory.partition)
        hits = self._hits()
        stored = known.values_list("pk", "setid", "uri_key", "occurrence", "first_hits").iterator()
        changed = [
            (now, row_id)
            for row_id, setid, uri_key, occurrence, before in stored
            if (now := hits.get((setid, uri_key, occurrence), before)) != before
        ]
        if not changed:
            return
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {KnownDestination._meta.db_table} SET first_hits = %s WHERE id = %s",  # noqa: S608
                changed,
            )

    def _hits(self) -> dict[Identity, int]:
        """How often each destination was a first choice, as the proxy tells it now."""
        return dict(zip((d.identity for d in self.memory.destinations), self.memory.first_hits, strict=True))

    def _stored(self) -> dict[Identity, StoredDestination]:
        known = KnownDestination.objects.filter(proxy_id=self.proxy_id, partition=self.memory.partition)
        stored = {}
        for row_id, since, exact, mode, always, answered_at, *values, addresses in known.values_list(
            "pk", "since", "since_is_exact", *Probes._fields, *_HELD_COLUMNS
        ).iterator():
            held = HeldDestination._make((*values, tuple(addresses)))
            probes = Probes(mode, always, answered_at)
            stored[held.identity] = StoredDestination(row_id, since, exact, held, probes)
        return stored

    def _delete(self, found: Difference) -> None:
        ids = [before.row_id for before in found.vanished]
        ids += [before.row_id for before, _now in found.changed]
        for chunk in _chunks(ids):
            KnownDestination.objects.filter(pk__in=chunk).delete()

    def _insert(self, found: Difference, since: Since) -> None:
        hits = self._hits()

        def row(held: HeldDestination, began: datetime, exact: bool, probes: Probes) -> tuple[Any, ...]:
            answered_at = probes.probe_answered_at
            return (
                self.proxy_id,
                self.memory.partition,
                *held[:-1],
                json.dumps(held.addresses),
                self._moment(began),
                exact,
                hits[held.identity],
                probes.probe_mode,
                probes.always_probed,
                answered_at and self._moment(answered_at),
            )

        def rows() -> Iterator[tuple[Any, ...]]:
            for held in found.appeared:
                yield row(held, *since[held.identity], Probes())
            for before, held in found.changed:
                began, exact = since.get(held.identity, (before.since, before.since_is_exact))
                yield row(held, began, exact, before.probes)

        _insert_rows(KnownDestination._meta.db_table, _KNOWN_COLUMNS, rows())

    @staticmethod
    def _moment(at: datetime) -> Any:
        """`at` as the database's driver takes it."""
        return connection.ops.adapt_datetimefield_value(at)


_KNOWN_COLUMNS = (
    "proxy_id",
    "partition",
    *_HELD_COLUMNS,
    "since",
    "since_is_exact",
    "first_hits",
    *Probes._fields,
)
_SET_COLUMNS = ("proxy_id", "partition", "setid", "content", "since")
_CHANGE_COLUMNS = (
    "proxy_id",
    "partition",
    "setid",
    "uri",
    "uri_key",
    "occurrence",
    "at",
    "at_is_exact",
    "state_before",
    "state_after",
    "cause",
)


def _insert_rows(table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(quote(column) for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        for some in _chunks(rows):
            cursor.executemany(f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})", some)  # noqa: S608


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, ROWS_AT_ONCE)):
        yield chunk
