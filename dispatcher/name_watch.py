"""The leading watcher's look-ups: each name of the table at its TTL, but at most once a minute.

Stored answers are those of this machine's resolver; a proxy may use another.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from dispatcher.models import Destination, NameLookup, NameOutcome
from dispatcher.names import Lookup, Outcome, look_up_all
from dispatcher.routing.addresses import Name, name_of, plain_name
from efcp.sip.uri import UriError, parse, uri_key

EVERY_S = 5.0
TURN_LIMIT_S = 4.0
MOST_AT_A_TURN = 2_000
"""Names looked up in one turn: 10,000 names take five turns, each within TURN_LIMIT_S."""

SHORTEST_TTL_S = 60.0
LONGEST_TTL_S = 3600.0
MOST_NAMES = 20_000
"""Different destinations that are looked up at all."""

KEPT_ADDRESSES = 32
"""A proxy keeps no more of one name either (resolve.c)."""

AT_ONCE = 500
NUMERIC_HOST = r"^sips?:([^@]*@)?[0-9.]+(:[0-9]*)?([;?].*)?$"
"""Destinations that certainly hold no name, as a database query."""

_OUTCOMES = {
    Outcome.FOUND: NameOutcome.FOUND,
    Outcome.NO_SUCH_NAME: NameOutcome.NO_SUCH_NAME,
    Outcome.NO_ANSWER: NameOutcome.NO_ANSWER,
}


def carry_out(now: datetime) -> None:
    """Look up the names that are due at `now`, and store the results."""
    by_key = dict(_named_destinations())
    stored = {each.uri_key: each for each in NameLookup.objects.all()[: 2 * MOST_NAMES]}
    _forget(stored.keys() - by_key.keys())
    due = sorted(
        (key for key in by_key if key not in stored or stored[key].due_at <= now),
        key=lambda key: stored[key].due_at if key in stored else now - timedelta(days=1),
    )[:MOST_AT_A_TURN]
    if not due:
        return
    found = look_up_all((by_key[key] for key in due), TURN_LIMIT_S, with_ttl=True)
    _store({key: (by_key[key], found[by_key[key]]) for key in due}, stored, now)


def named(destinations: Iterable[str]) -> Iterator[tuple[str, Name]]:
    """By URI key the name that a load would look up, of those destinations that have one."""
    for destination in destinations:
        text = destination.rstrip(" ")
        name = plain_name(text)
        try:
            name = name or name_of(parse(text))
        except UriError:
            continue
        if name is not None:
            host, port, transport = name
            yield uri_key(text), (host.lower(), port, transport)


def _named_destinations() -> Iterator[tuple[str, Name]]:
    texts = Destination.objects.exclude(destination__regex=NUMERIC_HOST)
    return named(texts.values_list("destination", flat=True).distinct().order_by("destination")[:MOST_NAMES])


def _forget(keys: Iterable[str]) -> None:
    gone = sorted(keys)
    for start in range(0, len(gone), AT_ONCE):
        NameLookup.objects.filter(uri_key__in=gone[start : start + AT_ONCE]).delete()


@dataclass(frozen=True, slots=True)
class _Written:
    """Look-ups to insert, to write whole, and those that came to the same, by when they are due again."""

    new: list[NameLookup]
    changed: list[NameLookup]
    same: dict[datetime, list[str]]


def _store(found: Mapping[str, tuple[Name, Lookup]], stored: Mapping[str, NameLookup], now: datetime) -> None:
    """Write what changed, and when each was looked up. A name that was not asked stays due."""
    written = _Written([], [], {})
    for key, (name, lookup) in found.items():
        if lookup.outcome is not Outcome.NOT_LOOKED_UP:
            _sort_in(written, stored.get(key), _taken(key, name, lookup, now))
    with transaction.atomic():
        NameLookup.objects.bulk_create(written.new, batch_size=AT_ONCE, ignore_conflicts=True)
        NameLookup.objects.bulk_update(written.changed, _CHANGING, batch_size=100)
        for due_at, keys in written.same.items():
            for start in range(0, len(keys), AT_ONCE):
                same = NameLookup.objects.filter(uri_key__in=keys[start : start + AT_ONCE])
                same.update(looked_up_at=now, due_at=due_at)


_CHANGING = (
    "outcome",
    "outcome_since",
    "addresses",
    "address_count",
    "former_addresses",
    "moved_at",
    "looked_up_at",
    "due_at",
)


def _taken(key: str, name: Name, lookup: Lookup, now: datetime) -> NameLookup:
    ttl_s = SHORTEST_TTL_S if lookup.ttl_s is None else lookup.ttl_s
    due_in_s = min(max(ttl_s, SHORTEST_TTL_S), LONGEST_TTL_S)
    return NameLookup(
        uri_key=key,
        host=name[0],
        outcome=_OUTCOMES[lookup.outcome],
        outcome_since=now,
        addresses=sorted(lookup.addresses)[:KEPT_ADDRESSES],
        address_count=len(lookup.addresses),
        looked_up_at=now,
        due_at=now + timedelta(seconds=round(due_in_s)),
    )


def _sort_in(written: _Written, before: NameLookup | None, taken: NameLookup) -> None:
    if before is None:
        written.new.append(taken)
        return
    moved = taken.outcome == NameOutcome.FOUND and (
        (taken.addresses, taken.address_count) != (before.addresses, before.address_count)
    )
    if taken.outcome == before.outcome and not moved:
        written.same.setdefault(taken.due_at, []).append(before.uri_key)
        return
    if taken.outcome != before.outcome:
        before.outcome, before.outcome_since = taken.outcome, taken.outcome_since
    if moved:
        if before.addresses:
            before.former_addresses, before.moved_at = before.addresses, taken.looked_up_at
        before.addresses, before.address_count = taken.addresses, taken.address_count
    before.looked_up_at, before.due_at = taken.looked_up_at, taken.due_at
    written.changed.append(before)
