"""Applying the plan of a visit: the stored rows of one proxy, read for a reading and written by a plan.

Everything here runs in one transaction that holds the proxy's lock. Plain SQL by executemany, since a proxy
may hold 50,000 destinations: storing them through model instances takes four times as long, and the write
lock is held that long.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from efcp.proxies.call_counts import store_counters
from efcp.proxies.flag_reports import FlagReport
from efcp.proxies.memory import Identity, MemoryDestination, MemoryList, Probes, StoredDestination
from efcp.proxies.models import HistoryGap, KnownDestination, KnownSet, Proxy, ProxyContact, StateChange
from efcp.proxies.reconcile import (
    ContactState,
    HistoryEntry,
    Key,
    Plan,
    Reading,
    RowChanges,
    StoredRows,
    StoreOutcome,
)

ROWS_AT_ONCE = 500

T = TypeVar("T")

_CONTACT_COLUMNS = tuple(each.name for each in fields(ContactState))
_KNOWN_COLUMNS = (
    "proxy_id",
    "partition",
    *MemoryDestination._fields,
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


def lock_proxy(proxy: Proxy) -> bool:
    """Lock the row until the transaction ends; False where it no longer is the proxy that was asked."""
    same_proxy = Proxy.objects.filter(pk=proxy.pk, mi_url=proxy.mi_url, partition=proxy.partition)
    return same_proxy.select_for_update().values_list("pk").first() is not None


def contact_state(contact: ProxyContact) -> ContactState:
    """The contact's columns as a value."""
    columns = {name: getattr(contact, name) for name in _CONTACT_COLUMNS}
    late = (FlagReport._make((*each[:-1], datetime.fromisoformat(each[-1]))) for each in contact.late_reports)
    return ContactState(**columns | {"late_reports": tuple(late)})


def stored_rows(contact: ProxyContact, reading: Reading, partition: str) -> StoredRows:
    """The rows that `reading` needs: all destinations and sets where the list has to be compared."""
    destinations: Mapping[Identity, StoredDestination] = {}
    sets: Mapping[int, str] = {}
    if reading.outcome is StoreOutcome.STORED:
        destinations = _destinations(contact.proxy_id, partition)
        of_proxy = KnownSet.objects.filter(proxy_id=contact.proxy_id, partition=partition)
        sets = dict(of_proxy.values_list("setid", "content"))
    return StoredRows(destinations, sets, _unmarked(contact.proxy_id, reading.failed_probes))


def apply(contact: ProxyContact, plan: Plan, memory: MemoryList) -> None:
    """Write all that `plan` says of the contact's proxy, whose list is `memory`."""
    if plan.gap is not None:
        HistoryGap.objects.create(
            proxy_id=contact.proxy_id,
            partition=memory.partition,
            begin=plan.gap.begin,
            end=plan.gap.end,
            why=plan.gap.why,
        )
    if plan.rows is not None:
        _write_destinations(contact.proxy_id, plan.rows, memory)
        _write_sets(contact.proxy_id, plan.rows, memory.partition, plan.contact.requested_at)
    if plan.first_hits:
        store_counters(contact.proxy_id, memory, plan.contact.hits_stored_at or timezone.now())
    _write_history(contact.proxy_id, memory.partition, plan.history)
    _write_start(contact.proxy_id, plan)
    _write_probes(contact.proxy_id, plan)
    _write_contact(contact, plan.contact)


def _destinations(proxy_id: int, partition: str) -> dict[Identity, StoredDestination]:
    known = KnownDestination.objects.filter(proxy_id=proxy_id, partition=partition)
    stored = {}
    for row_id, since, exact, hits, mode, always, answered_at, *values, addresses in known.values_list(
        "pk", "since", "since_is_exact", "first_hits", *Probes._fields, *MemoryDestination._fields
    ).iterator():
        destination = MemoryDestination._make((*values, tuple(addresses)))
        probes = Probes(mode, always, answered_at)
        stored[destination.identity] = StoredDestination(row_id, since, exact, destination, probes, hits)
    return stored


def _unmarked(proxy_id: int, keys: frozenset[Key]) -> frozenset[Key]:
    """Which of `keys` were loaded with probe mode 0."""
    if not keys:
        return frozenset()
    rows = KnownDestination.objects.filter(
        proxy_id=proxy_id,
        occurrence=0,
        probe_mode=0,
        setid__in={setid for setid, _ in keys},
        uri_key__in={key for _, key in keys},
    )
    return keys & frozenset(rows.values_list("setid", "uri_key"))


def _write_destinations(proxy_id: int, rows: RowChanges, memory: MemoryList) -> None:
    of_proxy = KnownDestination.objects.filter(proxy_id=proxy_id)
    of_proxy.exclude(partition=memory.partition).delete()
    for chunk in _chunks(rows.delete):
        KnownDestination.objects.filter(pk__in=chunk).delete()
    new = (
        (
            proxy_id,
            memory.partition,
            *row.destination[:-1],
            json.dumps(row.destination.addresses),
            _moment(row.since),
            row.since_is_exact,
            row.first_hits,
            row.probes.probe_mode,
            row.probes.always_probed,
            _moment(row.probes.probe_answered_at),
        )
        for row in rows.insert
    )
    _insert_rows(KnownDestination._meta.db_table, _KNOWN_COLUMNS, new)
    for (setid, uri_key, occurrence), (began, exact) in rows.since.items():
        of_proxy.filter(
            partition=memory.partition, setid=setid, uri_key=uri_key, occurrence=occurrence
        ).update(since=began, since_is_exact=exact)


def _write_sets(proxy_id: int, rows: RowChanges, partition: str, requested_at: datetime | None) -> None:
    of_proxy = KnownSet.objects.filter(proxy_id=proxy_id)
    of_proxy.exclude(partition=partition).delete()
    for chunk in _chunks(rows.sets_gone):
        of_proxy.filter(setid__in=chunk).delete()
    new = (
        (proxy_id, partition, setid, content, _moment(requested_at))
        for setid, content in rows.sets_new.items()
    )
    _insert_rows(KnownSet._meta.db_table, _SET_COLUMNS, new)


def _write_history(proxy_id: int, partition: str, history: Iterable[HistoryEntry]) -> None:
    rows = (
        (
            proxy_id,
            partition,
            each.destination.setid,
            each.destination.uri,
            each.destination.uri_key,
            each.destination.occurrence,
            _moment(each.at),
            each.at_is_exact,
            each.before,
            each.after,
            each.cause.value,
        )
        for each in history
    )
    _insert_rows(StateChange._meta.db_table, _CHANGE_COLUMNS, rows)


def _write_start(proxy_id: int, plan: Plan) -> None:
    """Have no state be older than the proxy's start, and forget what was known of probes before it."""
    if plan.started_at is None:
        return
    of_proxy = KnownDestination.objects.filter(proxy_id=proxy_id)
    of_proxy.filter(since__lt=plan.started_at).update(since=plan.started_at, since_is_exact=True)
    for (setid, uri_key), at in plan.flagged_since.items():
        of_proxy.filter(setid=setid, uri_key=uri_key, occurrence=0, since__lt=at).update(since=at)
    of_proxy.update(probe_mode=None, always_probed=False, probe_answered_at=None)


def _write_probes(proxy_id: int, plan: Plan) -> None:
    of_proxy = KnownDestination.objects.filter(proxy_id=proxy_id)
    if plan.reloaded:
        of_proxy.filter(always_probed=True).update(always_probed=False)
    for (setid, uri_key), at in plan.answered_probes.items():
        of_proxy.filter(setid=setid, uri_key=uri_key, occurrence=0).update(probe_answered_at=at)
    for setid, uri_key in plan.failed_probes:
        of_proxy.filter(setid=setid, uri_key=uri_key, occurrence=0).update(always_probed=True)


def _write_contact(contact: ProxyContact, state: ContactState) -> None:
    """Write the columns that differ."""
    before = contact_state(contact)
    changed = [name for name in _CONTACT_COLUMNS if getattr(before, name) != getattr(state, name)]
    for name in changed:
        setattr(contact, name, getattr(state, name))
    contact.late_reports = [[*each[:-1], each.at.isoformat()] for each in state.late_reports]
    if changed:
        contact.save(update_fields=changed)


def _moment(at: datetime | None) -> Any:
    """`at` as the database's driver takes it."""
    return at and connection.ops.adapt_datetimefield_value(at)


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
