"""The columns of destinations as each proxy loaded them, where ds_list lacks them.

ds_list has neither `probe_mode` nor the text of an `fs://` weight, and without `full` no weight, priority
or description. They are known of a reload by this panel, until the proxy loads again without it; and of rows
that were edited in this panel after the proxy's last load.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection
from django.db.models.functions import Lower

from dispatcher.models import Destination
from dispatcher.routing.rows import COLUMNS
from dispatcher.secrets import is_masked
from efcp.audit.models import AuditRecord
from efcp.database.compiled import ModelColumns, moment_parameter
from efcp.proxies.load_reports import LastLoad
from efcp.proxies.loads import loaded_rows, why_unknown
from efcp.proxies.models import KnownDestination, Proxy
from efcp.proxies.selectors import WatchedProxy

Texts = tuple[Any, ...]
"""A row as it was read, with DestinationRow's columns: objects for 50,000 take longer than comparing."""

ROW_ID = COLUMNS.index("id")

Identity = tuple[int, str, int]
"""Set, URI key, which occurrence."""

MAX_EDITS = 2000
"""Audit records since a load that are looked through for what it loaded."""

CLOCK_TOLERANCE = timedelta(seconds=1)
"""A proxy dates a load by whole seconds: of an edit within one of them it is not known which came first."""

SAMPLE = 100
"""Destinations by which it is judged whether a partition loads this table."""


_RECORD = ModelColumns(AuditRecord, "a", only=("subject_id", "at", "before"))
_EDITS = (
    f"SELECT {_RECORD.sql} FROM efcp_audit a"  # noqa: S608 - our own column names
    " WHERE a.subject_kind = 'dispatcher' AND a.action = 'edit' AND a.at >= %s"
    f" ORDER BY a.id DESC LIMIT {MAX_EDITS}"
)


class LoadedColumns(NamedTuple):
    """The columns of one row as a proxy loaded it, NULL read as empty; None where that is not known.

    An `fs://` weight is a digest of its text, which holds a password.
    """

    socket: str | None = None
    weight: str | None = None
    priority: int | None = None
    description: str | None = None
    probe_mode: int | None = None


NOT_KNOWN = LoadedColumns()

_loaded_columns_of = itemgetter(*(COLUMNS.index(name) for name in LoadedColumns._fields))


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """What is known of the rows that one proxy loaded.

    `rows` is None where the rows of its last load are unknown; `why` is the reason.
    `edited` are then, by row id, the columns as they were before the first edit after that load.
    """

    rows: Mapping[Identity, LoadedColumns] | None
    why: str = ""
    edited: Mapping[int, LoadedColumns] = field(default_factory=dict)

    def columns_of(self, identity: Identity, row_id: int) -> LoadedColumns:
        """The columns of a row of the table as the proxy loaded them."""
        if self.rows is not None:
            return self.rows.get(identity, NOT_KNOWN)
        return self.edited.get(row_id, NOT_KNOWN)


def loaded_tables(watched: Sequence[WatchedProxy]) -> dict[int, LoadedTable]:
    """What is known of the rows that these proxies loaded, by proxy id.

    One query where that is not known of some, and one for each table that this process has not read yet.
    """
    tables = {each.proxy.pk: _table(each.load, each.now) for each in watched}
    started_at = {
        each.proxy.pk: each.load.started_at
        for each in watched
        if tables[each.proxy.pk].rows is None and each.load is not None and each.load.started_at is not None
    }
    edits = _edits_since(started_at.values())
    for pk, moment in started_at.items():
        tables[pk] = LoadedTable(None, tables[pk].why, _before(edits, moment))
    return tables


@dataclass(frozen=True, slots=True)
class LoadedByProxy:
    """What a proxy loaded, and the rows of the table that were written since, as far as is known."""

    table: LoadedTable
    stale: frozenset[Identity]


def loaded_by_proxy(
    watched: Sequence[WatchedProxy], rows: Mapping[Identity, Texts]
) -> dict[int, LoadedByProxy]:
    """What each proxy loaded, by proxy id; proxies that loaded the same are compared with the table once."""
    stale: dict[int, frozenset[Identity]] = {}
    found = {}
    for pk, table in loaded_tables(watched).items():
        if table.rows is None:
            ids = table.edited.keys()
            edited = (
                frozenset(key for key, texts in rows.items() if texts[ROW_ID] in ids) if ids else frozenset()
            )
            found[pk] = LoadedByProxy(table, frozenset(edited))
            continue
        if id(table.rows) not in stale:
            stale[id(table.rows)] = frozenset(_stale(rows, table.rows))
        found[pk] = LoadedByProxy(table, stale[id(table.rows)])
    return found


def _stale(rows: Mapping[Identity, Texts], loaded: Mapping[Identity, LoadedColumns]) -> Iterator[Identity]:
    for identity, texts in rows.items():
        former = loaded.get(identity)
        # At a glance first: nearly all rows are as they were loaded.
        if former != _loaded_columns_of(texts) and former != columns_to_keep(texts):
            yield identity


def columns_to_keep(texts: Sequence[Any]) -> LoadedColumns:
    """The columns of a row of the table, as they are kept of a load."""
    columns = LoadedColumns._make(_loaded_columns_of(texts))
    return columns._replace(weight=weight_to_keep(columns.weight or ""))


def weight_to_keep(weight: str) -> str:
    """The weight, or a digest of it where it may hold a password."""
    if not weight.lower().startswith("fs://"):
        return weight
    return f"fs://{hashlib.sha256(weight.encode()).hexdigest()}"


def rows_to_keep(rows: Mapping[Identity, Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows of the table as they are kept of a load, in the table's order."""
    return [(*identity, *columns_to_keep(texts)) for identity, texts in rows.items()]


def separate_tables(watched: Iterable[WatchedProxy]) -> dict[int, str]:
    """By proxy id why its partition is not compared: it loads a table of its own, as far as can be judged.

    Only a partition other than the default one is judged: by a reload of this panel, if the last load was
    one, else by whether the table has most of what the proxy holds. Two queries for each such proxy.
    """
    others = [each for each in watched if each.proxy.partition != "default" and each.contact.requested_at]
    found = {}
    for each in others:
        load = each.load
        if load is not None and load.digest is not None:
            continue
        if load is not None and load.other_table:
            found[each.proxy.pk] = (
                f"Not compared: at its last reload, partition {each.proxy.partition} read rows outside the"
                " dispatcher table, so it loads another table."
            )
            continue
        count, shared = _shared_with_table(each.proxy)
        if not count and load is not None and load.loaded == load.discarded == 0:
            found[each.proxy.pk] = (
                f"Not compared: partition {each.proxy.partition} loaded no rows. Reload it here to find out"
                " whether it uses the dispatcher table."
            )
        if count and 2 * shared < count:
            found[each.proxy.pk] = _why_separate(each.proxy, count, shared)
    return found


def listeners_of(proxies: Collection[Proxy]) -> dict[int, frozenset[str]]:
    """The sockets that each proxy's list shows, by proxy id: it listens on these, and maybe on others."""
    shown = KnownDestination.objects.filter(proxy__in=proxies).exclude(socket="").order_by()
    found: dict[int, set[str]] = {proxy.pk: set() for proxy in proxies}
    for proxy_id, socket in shown.values_list("proxy_id", "socket").distinct():
        found[proxy_id].add(socket)
    return {pk: frozenset(sockets) for pk, sockets in found.items()}


def _table(load: LastLoad | None, now: datetime) -> LoadedTable:
    if load is None:
        return LoadedTable(None, "When it last loaded the table is unknown.")
    if load.digest is not None:
        try:
            return LoadedTable(columns_by_identity(load.digest))
        except LookupError:
            return LoadedTable(None, "What it loaded is no longer stored.")
    return LoadedTable(None, why_unknown(load, now))


@lru_cache(maxsize=4)
def columns_by_identity(digest: str) -> dict[Identity, LoadedColumns]:
    """Decoded once: what a digest stands for never changes. Raises LookupError."""
    rows = loaded_rows(digest)
    if rows is None:
        raise LookupError(digest)
    return {(setid, key, occurrence): LoadedColumns(*columns) for setid, key, occurrence, *columns in rows}


@dataclass(frozen=True, slots=True)
class _Edit:
    row_id: int
    at: datetime
    before: Mapping[str, Any]


def _edits_since(started_at: Collection[datetime]) -> list[_Edit]:
    """The edits after the earliest of these moments, the oldest first, at most the last MAX_EDITS."""
    if not started_at:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_EDITS, [moment_parameter(min(started_at) + CLOCK_TOLERANCE)])
        records = [_RECORD.instance(values) for values in cursor.fetchall()]
    return [_Edit(int(each.subject_id), each.at, each.before or {}) for each in reversed(records)]


def _before(edits: Iterable[_Edit], started_at: datetime) -> dict[int, LoadedColumns]:
    """By row id the columns before the first edit after a load."""
    found: dict[int, LoadedColumns] = {}
    for edit in edits:
        if edit.at >= started_at + CLOCK_TOLERANCE and edit.row_id not in found:
            found[edit.row_id] = _columns_before(edit.before)
    return found


def _columns_before(before: Mapping[str, Any]) -> LoadedColumns:
    weight = before.get("weight")
    return LoadedColumns(
        socket=before.get("socket") or "",
        weight=None if weight is None or is_masked(weight) else weight_to_keep(weight),
        priority=before.get("priority"),
        description=before.get("description") or "",
        probe_mode=before.get("probe_mode"),
    )


def _shared_with_table(proxy: Proxy) -> tuple[int, int]:
    """The size of a sample of the destinations in a proxy's memory, and how many of them are in the table."""
    sample = list(
        KnownDestination.objects.filter(proxy=proxy, partition=proxy.partition)
        .order_by("setid", "uri_key")
        .values_list("setid", "uri_key")[:SAMPLE]
    )
    if not sample:
        return 0, 0
    rows = Destination.objects.annotate(key=Lower("destination")).filter(
        setid__in={setid for setid, _key in sample}, key__in={key for _setid, key in sample}
    )
    listed = {(setid, key.rstrip(" ")) for setid, key in rows.values_list("setid", "key").distinct()}
    return len(sample), len(listed.intersection(sample))


def _why_separate(proxy: Proxy, count: int, shared: int) -> str:
    of_it = "None" if not shared else f"Only {shared}"
    return (
        f"Not compared: {of_it} of the {count} destinations of partition {proxy.partition} is in the"
        " dispatcher table, so it seems to load another one."
    )
