"""Storing what proxies hold in memory: by the watcher, and by the panel after it changed something there.

Both may store at once. The proxy's row is locked for the time of one store, and the answer to the later
request wins, whichever comes first: an older answer is dropped.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction
from django.utils import timezone

from efcp.proxies import reporting
from efcp.proxies.changes import Interval, happened
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import (
    HistoryGap,
    KnownDestination,
    KnownSet,
    Proxy,
    ProxyContact,
    ProxyLoad,
    TryOutcome,
)
from efcp.proxies.probing import forget_probes, note_probes
from efcp.proxies.reporting import Taken
from efcp.proxies.snapshot import Snapshot
from efcp.proxies.storing import MemoryRows

FIRST_HITS_PACE = timedelta(seconds=30)
"""How often the first hits of otherwise unchanged destinations are stored: they change with every call."""

CONTINUOUS_FOR = timedelta(seconds=10)
"""Beside three of the proxy's intervals, how far apart two lists may be for a change to be dated exactly."""


SAME_START = timedelta(seconds=5)
"""How far apart two readings of one start may lie: both are computed from an uptime in whole seconds."""

_LOST = "The proxy restarted, or reported more than it keeps."
_UNSEEN = "Nobody looked, and the proxy has no reports of that time."


class Outcome(Enum):
    """What became of a list that was to be stored."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    """An answer to a later request is stored already."""
    PROXY_CHANGED = "proxy changed"
    """The proxy was deleted, or has another address or partition than the one that was asked."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing a list did: its outcome, and how many destinations changed their state."""

    outcome: Outcome
    state_changes: int = 0


@retried_on_lock
def store_snapshot(proxy: Proxy, snapshot: Snapshot) -> Stored:
    """Store what `proxy` held and reported.

    `proxy` is the row as it was when the request was sent. Destinations are only written where the list
    differs from the stored one; the contact always is. One transaction, repeated when another process holds
    the lock.
    """
    with transaction.atomic():
        contact = _lock_contact(proxy)
        if contact is None:
            return Stored(Outcome.PROXY_CHANGED)
        if _is_outdated(contact, snapshot.asked_at):
            return Stored(Outcome.OUTDATED)
        stored = _store_memory(contact, snapshot)
        _store_good_contact(contact, snapshot)
    return stored


@retried_on_lock
def store_failure(
    proxy: Proxy, problem: str, asked_at: datetime, outcome: TryOutcome = TryOutcome.UNUSABLE
) -> Outcome:
    """Store that a request sent at `asked_at` got no usable answer; what is known of the memory stays."""
    with transaction.atomic():
        contact = _lock_contact(proxy)
        if contact is None:
            return Outcome.PROXY_CHANGED
        if _is_outdated(contact, asked_at):
            return Outcome.OUTDATED
        contact.tried_at = asked_at
        contact.failing_since = contact.failing_since or asked_at
        contact.outcome = outcome
        contact.error = problem[:255]
        contact.save(update_fields=["tried_at", "failing_since", "outcome", "error"])
    return Outcome.STORED


class Met(Enum):
    """Whom an answer is of, by when it says that it started."""

    SAME = "same"
    RESTARTED = "restarted"
    STRANGER = "stranger"
    """A proxy that started before the one that is known: two of them answer at one address."""


@retried_on_lock
def store_identity(proxy: Proxy, version: str | None, up_since: datetime, up_since_text: str) -> Met:
    """Store `proxy`'s version, where it was asked for, and when it started; tell whom the answer is of.

    `up_since_text` is the proxy's own text, in its own zone and to the second: it changes with a restart
    and only then, while the moment computed from its uptime may be a second off. No restart leads to an
    earlier start; where that is told twice together, another proxy has taken the address over for good.
    """
    with transaction.atomic():
        contact = _lock_contact(proxy)
        if contact is None:
            return Met.SAME
        met = _meet(contact, up_since, up_since_text)
        contact.stranger_start = up_since_text if met is Met.STRANGER else ""
        if met is Met.STRANGER:
            contact.mixed_at = timezone.now()
        else:
            contact.version = contact.version if version is None else version
        if met is Met.RESTARTED or (met is Met.SAME and not contact.up_since_text):
            contact.up_since_text = up_since_text
            contact.up_since = up_since
        if met is Met.RESTARTED:
            contact.switches_mark = reporting.RESTARTED
        contact.save(
            update_fields=[
                "version",
                "up_since",
                "up_since_text",
                "stranger_start",
                "mixed_at",
                "switches_mark",
            ]
        )
    return met


def _meet(contact: ProxyContact, up_since: datetime, up_since_text: str) -> Met:
    if contact.up_since_text in {"", up_since_text}:
        return Met.SAME
    is_earlier = contact.up_since is not None and up_since < contact.up_since - SAME_START
    return Met.STRANGER if is_earlier and contact.stranger_start != up_since_text else Met.RESTARTED


@retried_on_lock
def date_from_start(proxy: Proxy, snapshot: Snapshot) -> None:
    """Have no state of `proxy` last since before its start; `snapshot` is the first list after it.

    Where the proxy reports that a flag changed since then, the state dates from that.
    """
    with transaction.atomic():
        contact = _lock_contact(proxy)
        if contact is None or contact.up_since is None:
            return
        mine = KnownDestination.objects.filter(proxy_id=contact.proxy_id)
        mine.filter(since__lt=contact.up_since).update(since=contact.up_since, since_is_exact=True)
        for setid, key, at in reporting.last_switches(snapshot.reports):
            began = min(snapshot.asked_at, at)
            mine.filter(setid=setid, uri_key=key, occurrence=0, since__lt=began).update(since=began)
        forget_probes(contact)
        note_probes(contact, snapshot.reports, reloaded=True)
        contact.save(update_fields=["probes_seen_at", "probes_read_at", "probes_all", "modes_digest"])


@retried_on_lock
def store_pace(proxy: Proxy, interval_s: float, plain_until: datetime | None) -> None:
    """Store how often the watcher asks `proxy`, and until when it asks it without `full`."""
    ProxyContact.objects.filter(proxy_id=proxy.pk).update(interval_s=interval_s, plain_until=plain_until)


@retried_on_lock
def store_events(proxy: Proxy, problem: str) -> None:
    """Store why `proxy` sends no events, empty where it does."""
    ProxyContact.objects.filter(proxy_id=proxy.pk).update(events_problem=problem[:255])


def forget(proxy: Proxy) -> None:
    """Delete what is known of `proxy`'s memory and contact, since it now names another proxy or partition.

    Call it inside the transaction of that change; the history stays.
    """
    KnownDestination.objects.filter(proxy=proxy).delete()
    KnownSet.objects.filter(proxy=proxy).delete()
    ProxyLoad.objects.filter(proxy=proxy).delete()
    ProxyContact.objects.filter(proxy=proxy).delete()


def _lock_contact(proxy: Proxy) -> ProxyContact | None:
    """Lock the proxy's row and return its contact; None where it is not the proxy that was asked any more."""
    same_proxy = Proxy.objects.filter(pk=proxy.pk, mi_url=proxy.mi_url, partition=proxy.partition)
    if not same_proxy.select_for_update().values_list("pk").first():
        return None
    contact, _created = ProxyContact.objects.get_or_create(proxy_id=proxy.pk)
    return contact


def _is_outdated(contact: ProxyContact, asked_at: datetime) -> bool:
    """Whether a later answer is stored; one of the future is from before the clock was set back."""
    return contact.asked_at is not None and asked_at < contact.asked_at <= timezone.now()


def _store_memory(contact: ProxyContact, snapshot: Snapshot) -> Stored:
    """Write what differs from the stored list, and what was reported since it."""
    rows = MemoryRows(contact.proxy_id, snapshot.memory)
    taken = reporting.take(contact, snapshot.reports)
    stored = _store_rows(contact, snapshot, rows, taken)
    note_probes(contact, snapshot.reports, reloaded=taken.told.reloaded)
    return stored


def _store_rows(contact: ProxyContact, snapshot: Snapshot, rows: MemoryRows, taken: Taken) -> Stored:
    if contact.asked_at is None:
        return _store_first(contact, rows, snapshot.asked_at)
    interval = Interval(contact.asked_at, snapshot.asked_at, _is_continuous(contact, snapshot.asked_at))
    if taken.lost or not (interval.exact or taken.reaches):
        _record_gap(contact, taken, interval, snapshot.memory.partition)
    if snapshot.digest == contact.sets_digest and not (taken.told.new or taken.told.late):
        _store_first_hits(contact, rows, snapshot.asked_at)
        return Stored(Outcome.UNCHANGED)
    found = rows.difference()
    what = happened(found, snapshot.memory, taken.told, interval)
    rows.replace(found, what.since())
    if found.appeared:
        contact.modes_digest = ""
    rows.store_sets(snapshot.asked_at)
    rows.record(what.changes)
    reporting.keep_late(contact, what.late)
    contact.hits_stored_at = snapshot.asked_at
    return Stored(Outcome.STORED, len(what.changes))


def _store_first(contact: ProxyContact, rows: MemoryRows, asked_at: datetime) -> Stored:
    """A proxy's first list is no change: nobody knows what was before."""
    found = rows.difference()
    rows.replace(found, {held.identity: (asked_at, False) for held in found.appeared})
    rows.store_sets(asked_at)
    contact.hits_stored_at = asked_at
    return Stored(Outcome.STORED)


def _store_first_hits(contact: ProxyContact, rows: MemoryRows, asked_at: datetime) -> None:
    if contact.hits_stored_at is None or asked_at - contact.hits_stored_at >= FIRST_HITS_PACE:
        rows.store_first_hits()
        contact.hits_stored_at = asked_at


def _record_gap(contact: ProxyContact, taken: Taken, interval: Interval, partition: str) -> None:
    HistoryGap.objects.create(
        proxy_id=contact.proxy_id,
        partition=partition,
        begin=interval.begin or interval.end,
        end=interval.end,
        why=_LOST if taken.lost else _UNSEEN,
    )


def _store_good_contact(contact: ProxyContact, snapshot: Snapshot) -> None:
    contact.tried_at = snapshot.asked_at
    contact.asked_at = snapshot.asked_at
    contact.known_since = contact.known_since or snapshot.asked_at
    contact.seen_at = snapshot.asked_at + timedelta(seconds=snapshot.round_trip_s)
    contact.failing_since = None
    contact.outcome = TryOutcome.ANSWERED
    contact.error = ""
    contact.round_trip_ms = snapshot.round_trip_s * 1000
    contact.sets_digest = snapshot.digest
    contact.destination_count = len(snapshot.memory.destinations)
    contact.with_details = snapshot.memory.with_details
    contact.save()


def _is_continuous(contact: ProxyContact, asked_at: datetime) -> bool:
    if contact.asked_at is None:
        return False
    return asked_at - contact.asked_at <= CONTINUOUS_FOR + 3 * timedelta(seconds=contact.interval_s)
