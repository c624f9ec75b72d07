"""The state board as values: every set on every proxy, those with problems first.

Its cost follows what has to be read once something changed; whether it did is told by `version_of` alone.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from django.db.models import Count

from dispatcher.selectors import set_names
from efcp.operations.maintenance.selectors import last_change, out_of_service
from efcp.operations.models import Maintenance
from efcp.proxies.models import KnownDestination, KnownSet, State
from efcp.proxies.selectors import LiveStates, WatchedProxy, live_states
from efcp.sip.uri import host_of

MAX_TROUBLES = 500
"""Destinations that take no calls, read for one board."""

MAX_SHOWN_OF_A_SET = 12
MAX_TROUBLED_SETS = 60
MAX_QUIET_SETS = 600


class Level(IntEnum):
    """How bad it is, the worst first."""

    DOWN = 0
    """No destination takes calls on some proxy that answers."""
    IMPAIRED = 1
    """Some destinations take no calls."""
    DIFFERING = 2
    """All destinations take calls, but proxies hold the set differently."""
    UNKNOWN = 3
    """No proxy that holds the set answers."""
    GOOD = 4


@dataclass(frozen=True, slots=True)
class SetOnProxy:
    """How many of a set's destinations one proxy holds, and how many of them take calls."""

    proxy: str
    held: int
    active: int
    fresh: bool

    @property
    def level(self) -> Level:
        """How bad it is on this proxy; one that does not hold the set is no problem of the set."""
        if not self.fresh:
            return Level.UNKNOWN
        if not self.held or self.active == self.held:
            return Level.GOOD
        return Level.IMPAIRED if self.active else Level.DOWN

    @property
    def words(self) -> str:
        """The numbers for people."""
        return f"{self.active} of {self.held}" if self.held else "not held"


@dataclass(frozen=True, slots=True)
class TroubleOnProxy:
    """What one proxy holds of a destination; `fresh` is whether the proxy answers."""

    proxy: str
    known: KnownDestination
    fresh: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """A destination that takes no calls on some proxy, with its state on each one that holds it."""

    uri: str
    description: str
    on_proxies: tuple[TroubleOnProxy, ...]
    maintenance: Maintenance | None = None

    @property
    def host(self) -> str:
        """Where it is; empty for a URI that names no host."""
        return host_of(self.uri)

    @property
    def disagree_since(self) -> datetime | None:
        """When proxies that answer came to hold it in these different states; None where they agree."""
        known = [each.known for each in self.on_proxies if each.fresh]
        if len({each.state for each in known}) <= 1:
            return None
        return max(each.since for each in known)


@dataclass(frozen=True, slots=True)
class Differing:
    """Proxies that answer hold a set differently: by content, who holds it so; when that came about."""

    holders: tuple[tuple[str, ...], ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class BoardSet:
    """One set. `troubles` are at most MAX_SHOWN_OF_A_SET; `further` is how many are left out."""

    setid: int
    name: str
    proxies: tuple[SetOnProxy, ...]
    troubles: tuple[Trouble, ...] = ()
    further: int = 0
    differing: Differing | None = None

    @property
    def level(self) -> Level:
        """The worst of what the proxies that answer hold; unknown where none of them holds it."""
        holding = [each for each in self.proxies if each.held]
        known = [each.level for each in holding if each.fresh]
        worst = min(known, default=Level.UNKNOWN if holding else Level.GOOD)
        return min(worst, Level.DIFFERING) if self.differing else worst


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the board. Sets beyond what is shown are counted in `hidden`."""

    version: str
    watched: tuple[WatchedProxy, ...]
    troubled: tuple[BoardSet, ...]
    quiet: tuple[BoardSet, ...]
    sets: int
    hidden: int

    @property
    def down(self) -> int:
        """How many sets take no calls on some proxy."""
        return sum(each.level is Level.DOWN for each in self.troubled)

    @property
    def impaired(self) -> int:
        """How many sets have destinations that take no calls."""
        return sum(each.level is Level.IMPAIRED for each in self.troubled)

    @property
    def differing(self) -> int:
        """How many sets proxies hold differently."""
        return sum(each.differing is not None for each in self.troubled)

    @property
    def unknown(self) -> int:
        """Of how many sets nothing is known at the moment."""
        return sum(each.level is Level.UNKNOWN for each in self.troubled)


def version_of(watched: Sequence[WatchedProxy]) -> str:
    """A digest that differs whenever the board would; two small queries beside `watched`, at any size."""
    return _digest(watched, set_names(), last_change())


def _digest(watched: Sequence[WatchedProxy], names: Mapping[int, str], maintained: str) -> str:
    """The version of a board that is read after all these were."""
    told = [
        (
            each.proxy.pk,
            each.proxy.name,
            each.proxy.partition,
            each.contact.sets_digest,
            each.freshness.value,
            None if each.fresh else each.seen_at,
        )
        for each in watched
    ]
    return hashlib.sha256(repr((told, names, maintained)).encode()).hexdigest()[:24]


def board(watched: Sequence[WatchedProxy]) -> Board:
    """Read the board."""
    names, maintained = set_names(), last_change()
    counts = _counts(watched)
    troubles = _troubles(watched)
    differing = _differing(watched)
    sets = [
        BoardSet(
            setid=setid,
            name=names.get(setid, ""),
            proxies=tuple(_on_proxy(each, by_proxy.get(each.proxy.pk, {})) for each in watched),
            troubles=tuple(troubles.get(setid, ())[:MAX_SHOWN_OF_A_SET]),
            further=max(0, _not_active(by_proxy) - MAX_SHOWN_OF_A_SET),
            differing=differing.get(setid),
        )
        for setid, by_proxy in sorted(counts.items())
    ]
    troubled = sorted((each for each in sets if each.level is not Level.GOOD), key=lambda each: each.level)
    quiet = [each for each in sets if each.level is Level.GOOD]
    hidden = max(0, len(troubled) - MAX_TROUBLED_SETS) + max(0, len(quiet) - MAX_QUIET_SETS)
    return Board(
        version=_digest(watched, names, maintained),
        watched=tuple(watched),
        troubled=tuple(troubled[:MAX_TROUBLED_SETS]),
        quiet=tuple(quiet[:MAX_QUIET_SETS]),
        sets=len(sets),
        hidden=hidden,
    )


Counts = Mapping[str, int]
"""How many destinations are in each state."""


def _counts(watched: Sequence[WatchedProxy]) -> dict[int, dict[int, Counts]]:
    """By set and proxy."""
    partitions = {each.proxy.pk: each.proxy.partition for each in watched}
    rows = (
        KnownDestination.objects.filter(proxy__in=partitions)
        .values_list("setid", "proxy_id", "partition", "state")
        .annotate(count=Count("pk"))
        .order_by("setid")
    )
    found: dict[int, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for setid, proxy_id, partition, state, count in rows:
        if partitions[proxy_id] == partition:
            found[setid][proxy_id][state] = count
    return {setid: dict(by_proxy) for setid, by_proxy in found.items()}


def _differing(watched: Sequence[WatchedProxy]) -> dict[int, Differing]:
    """By set: where proxies of one partition that answer do not hold the same."""
    fresh = {each.proxy.pk: each.proxy for each in watched if each.fresh}
    if len(fresh) < 2:
        return {}
    held: dict[tuple[int, str], dict[int, KnownSet]] = defaultdict(dict)
    for each in KnownSet.objects.filter(proxy__in=fresh):
        if each.partition == fresh[each.proxy_id].partition:
            held[each.setid, each.partition][each.proxy_id] = each
    found = {}
    for (setid, partition), by_proxy in held.items():
        members = {pk: proxy.name for pk, proxy in fresh.items() if proxy.partition == partition}
        differing = _compared(members, by_proxy)
        if differing is not None:
            found[setid] = differing
    return found


def _compared(members: Mapping[int, str], by_proxy: Mapping[int, KnownSet]) -> Differing | None:
    """Group proxies by the content that they hold; who was asked without details can't be compared."""
    holders: dict[str, list[str]] = defaultdict(list)
    for pk, name in members.items():
        content = by_proxy[pk].content if pk in by_proxy else "nothing"
        if content:
            holders[content].append(name)
    if len(holders) < 2:
        return None
    most_first = sorted((tuple(names) for names in holders.values()), key=len, reverse=True)
    return Differing(tuple(most_first), max(each.since for each in by_proxy.values()))


def _on_proxy(each: WatchedProxy, counts: Counts) -> SetOnProxy:
    return SetOnProxy(each.proxy.name, sum(counts.values()), counts.get(State.ACTIVE, 0), each.fresh)


def _not_active(by_proxy: Mapping[int, Counts]) -> int:
    """The most that are not active on one proxy."""
    return max(
        (sum(counts.values()) - counts.get(State.ACTIVE, 0) for counts in by_proxy.values()), default=0
    )


def _troubles(watched: Sequence[WatchedProxy]) -> dict[int, list[Trouble]]:
    """By set: what is not active on some proxy, what changed last first."""
    partitions = {each.proxy.pk: each.proxy.partition for each in watched}
    rows = (
        KnownDestination.objects.filter(proxy__in=partitions)
        .exclude(state=State.ACTIVE)
        .order_by("-since", "setid", "position")
        .values_list("setid", "uri_key", "occurrence", "proxy_id", "partition")[:MAX_TROUBLES]
    )
    # One identity may be in trouble on several proxies: it is told once.
    identities = dict.fromkeys(
        (setid, key, occurrence)
        for setid, key, occurrence, proxy_id, partition in rows
        if partitions[proxy_id] == partition
    )
    known = live_states((setid, key) for setid, key, _occurrence in identities)
    maintained = out_of_service(setid for setid, _key, _occurrence in identities)
    found: dict[int, list[Trouble]] = defaultdict(list)
    for setid, key, occurrence in identities:
        trouble = _trouble(watched, known, setid, key, occurrence)
        found[setid].append(replace(trouble, maintenance=maintained.get((setid, key))))
    return found


def _trouble(
    watched: Sequence[WatchedProxy], known: LiveStates, setid: int, key: str, occurrence: int
) -> Trouble:
    held = known[setid, key]
    on_proxies = tuple(
        TroubleOnProxy(each.proxy.name, one, each.fresh)
        for each in watched
        for one in held.get(each.proxy.pk, ())
        if one.occurrence == occurrence
    )
    named = on_proxies[0].known
    return Trouble(named.uri, named.description or "", on_proxies)
