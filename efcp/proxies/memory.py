"""What a proxy holds in memory, as plain values: identified, digested, compared. Pure: no Django, no I/O.

A destination's identity in one partition of one proxy is (set, URI compared ASCII-case-insensitively,
which occurrence): a table may hold the same set and URI twice, and the proxy then holds both.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from efcp.mi import DsList, IdentifierReports, ListedDestination, MiError, ReportList
from efcp.sip.uri import uri_key

MAX_TEXT = 255
"""Characters that any text of a list may have (the dispatcher table's own limit is 192)."""

_DIGESTED_AT_ONCE = 1000

Identity = tuple[int, str, int]
"""Set, URI key, occurrence."""


class UnusableListError(MiError):
    """A destination list that can't be stored; the message is one line for people."""


class MemoryDestination(NamedTuple):
    """One destination in a proxy's memory. A tuple, since a proxy may hold 50,000 and each poll compares all.

    `position` counts from 0 within the set, in the proxy's order of preference; weight, priority and
    description are None where the proxy was asked without `full`. `state` is the proxy's word in lower case.
    """

    setid: int
    uri_key: str
    occurrence: int
    uri: str
    position: int
    state: str
    socket: str
    attrs: str
    weight: int | None
    priority: int | None
    description: str | None
    addresses: tuple[str, ...]

    @property
    def identity(self) -> Identity:
        """Which destination of its partition this is."""
        return self.setid, self.uri_key, self.occurrence


class Probes(NamedTuple):
    """What is known of a destination's probes: columns of KnownDestination."""

    probe_mode: int | None = None
    always_probed: bool = False
    probe_answered_at: datetime | None = None


class StoredDestination(NamedTuple):
    """A destination as stored before: its row's id, since when it is in its state, and the values then.

    `probes` is what is known of its probes, which no list has.
    """

    row_id: int
    since: datetime
    since_is_exact: bool
    destination: MemoryDestination
    probes: Probes
    first_hits: int | None = 0


@dataclass(frozen=True, slots=True)
class MemoryList:
    """All destinations of one partition of one proxy at one moment, in the proxy's order.

    `first_hits` is, in the same order, how often each was a first choice since the last reload, None where
    the proxy lists no counter.
    """

    partition: str
    destinations: tuple[MemoryDestination, ...]
    first_hits: tuple[int | None, ...]
    with_details: bool

    def digest(self) -> str:
        """The same text for the same destinations and states; first hits do not count."""
        digest = hashlib.sha256(json.dumps((self.partition, self.with_details)).encode())
        for begin in range(0, len(self.destinations), _DIGESTED_AT_ONCE):
            some = self.destinations[begin : begin + _DIGESTED_AT_ONCE]
            digest.update(json.dumps(some, separators=(",", ":")).encode())
        return digest.hexdigest()

    def contents(self) -> dict[int, str]:
        """By set, the same text for the same destinations in the same order, whatever their states.

        The text is empty where the proxy was asked without `full`. Addresses do not count: two proxies may
        look a name up differently.
        """
        by_set: dict[int, list[object]] = defaultdict(list)
        for each in self.destinations:
            by_set[each.setid].append((each.uri, each.socket, each.attrs, each.weight, each.priority))
        if not self.with_details:
            return dict.fromkeys(by_set, "")
        return {
            setid: hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()
            for setid, rows in by_set.items()
        }


@dataclass(frozen=True, slots=True)
class MemoryDiff:
    """What has to be written so that the stored destinations become those of the proxy."""

    appeared: tuple[MemoryDestination, ...]
    changed: tuple[tuple[StoredDestination, MemoryDestination], ...]
    vanished: tuple[StoredDestination, ...]


def difference(stored: Mapping[Identity, StoredDestination], now: Iterable[MemoryDestination]) -> MemoryDiff:
    """Compare what is stored with what the proxy holds now."""
    left = dict(stored)
    appeared = []
    changed = []
    for destination in now:
        before = left.pop(destination.identity, None)
        if before is None:
            appeared.append(destination)
        elif before.destination != destination:
            changed.append((before, destination))
    return MemoryDiff(tuple(appeared), tuple(changed), tuple(left.values()))


def memory_of(listing: DsList, partition: str) -> MemoryList:
    """The destinations of `partition` in a ds_list answer.

    Raises UnusableListError where the proxy does not have the partition, or for a text that the database
    can't hold (OpenSIPS's own table can't hold it either).
    """
    found = listing.partition(partition)
    if found is None:
        raise UnusableListError(f"The proxy has no dispatcher partition “{partition}”.")
    destinations: list[MemoryDestination] = []
    first_hits: list[int | None] = []
    occurrences: Counter[tuple[int, str]] = Counter()
    positions: Counter[int] = Counter()
    for group in found.sets:
        for each in group.destinations:
            _require_storable(each)
            key = uri_key(each.uri)
            # Mostly they are equal, and a proxy may hold 50,000: one text is enough.
            key = each.uri if key == each.uri else key
            destinations.append(
                MemoryDestination(
                    setid=group.id,
                    uri_key=key,
                    occurrence=occurrences[group.id, key],
                    uri=each.uri,
                    position=positions[group.id],
                    state=each.state.value.lower(),
                    socket=each.socket,
                    attrs=each.attrs,
                    weight=each.weight,
                    priority=each.priority,
                    description=each.description,
                    addresses=each.resolved_addresses,
                )
            )
            first_hits.append(each.first_hit_counter)
            occurrences[group.id, key] += 1
            positions[group.id] += 1
    with_details = all(destination.weight is not None for destination in destinations)
    return MemoryList(partition, tuple(destinations), tuple(first_hits), with_details)


def _require_storable(destination: ListedDestination) -> None:
    for text in (destination.uri, destination.socket, destination.attrs, destination.description or ""):
        if len(text) > MAX_TEXT:
            raise UnusableListError(
                f"The proxy's list contains a text of {len(text):,} characters (limit {MAX_TEXT:,})."
            )
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise UnusableListError("The proxy's list contains invalid Unicode.")


@dataclass(frozen=True, slots=True)
class DispatcherReports:
    """What a proxy reported of one partition: of flags and of loading, None where it keeps none such."""

    requested_at: datetime
    flags: IdentifierReports | None
    loads: IdentifierReports | None

    @classmethod
    def of(cls, listed: ReportList, partition: str, requested_at: datetime) -> "DispatcherReports":
        """The reports of `partition` in an answer to sr_list_reports for the group dispatcher."""
        return cls(
            requested_at,
            listed.of("dispatcher", f"{partition};events"),
            listed.of("dispatcher", partition),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A proxy's memory; `requested_at` is when its list was requested, `round_trip_s` how long that took.

    `reports` were requested after the list; None where they were not, or not given.
    """

    memory: MemoryList
    digest: str
    requested_at: datetime
    round_trip_s: float
    reports: DispatcherReports | None = None

    @classmethod
    def of(
        cls, listing: DsList, partition: str, requested_at: datetime, reports: DispatcherReports | None = None
    ) -> "Snapshot":
        """The snapshot that a list makes. Raises UnusableListError."""
        memory = memory_of(listing, partition)
        return cls(memory, memory.digest(), requested_at, listing.round_trip_s, reports)
