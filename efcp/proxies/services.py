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
from efcp.proxies.models import HistoryGap, KnownDestination, KnownSet, Proxy, ProxyContact, TryOutcome
from efcp.proxies.reporting import Taken
from efcp.proxies.snapshot import Snapshot
from efcp.proxies.storing import MemoryRows

FIRST_HITS_PACE = timedelta(seconds=30)
"""How often the first hits of otherwise unchanged destinations are stored: they change with every call."""

CONTINUOUS_FOR = timedelta(seconds=10)
"""Beside three of the proxy's intervals, how far apart two lists may be for a change to be dated exactly."""


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


@retried_on_lock
def store_identity(proxy: Proxy, version: str, up_since: datetime, up_since_text: str) -> bool:
    """Store `proxy`'s version and when it started; tell whether it restarted since they were stored last.

    `up_since_text` is the proxy's own text, in its own zone and to the second: it changes with a restart
    and only then, while the moment computed from its uptime may be a second off.
    """
    with transaction.atomic():
        contact = _lock_contact(proxy)
        if contact is None or (contact.version, contact.up_since_text) == (version, up_since_text):
            return False
        restarted = bool(contact.up_since_text) and contact.up_since_text != up_since_text
        contact.version = version
        contact.up_since_text = up_since_text
        contact.up_since = up_since
        contact.save(update_fields=["version", "up_since", "up_since_text"])
    return restarted


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
