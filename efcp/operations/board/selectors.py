"""The state board as values: every set on every proxy, those with problems first.

It costs more only once something changed; `version_of` alone answers whether it did.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from functools import cache

from django.db.models import Subquery, TextField
from django.db.models.expressions import BaseExpression, RawSQL

from dispatcher.selectors import set_names
from efcp.database.versions import content_of
from efcp.operations.maintenance.models import Maintenance
from efcp.operations.maintenance.selectors import out_of_service
from efcp.proxies.models import KnownDestination, KnownSet, KnownState
from efcp.proxies.probing import Check, live_check
from efcp.proxies.selectors import LiveStates, WatchedProxy, live_states, watched_proxies
from efcp.proxies.set_counts import (
    SameCount,
    Service,
    SetOnProxy,
    listed_names,
    same_counts,
    set_counts,
)
from efcp.sip.uri import host_of

MAX_TROUBLES = 500
"""Destinations that take no calls, read for one board."""

MAX_SHOWN_PROXIES = 12
"""Proxies of one destination that are shown one by one."""
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
    """Where it is known all destinations take calls, but of some proxy nothing is known now."""
    GOOD = 4


_LEVELS = {Service.DOWN: Level.DOWN, Service.IMPAIRED: Level.IMPAIRED}


@dataclass(frozen=True, slots=True)
class TroubleOnProxy:
    """What one proxy holds of a destination, or last held where it does not answer."""

    watched: WatchedProxy
    known: KnownDestination

    @property
    def proxy(self) -> str:
        """The proxy's name."""
        return self.watched.proxy.name

    @property
    def fresh(self) -> bool:
        """Whether the proxy answers."""
        return self.watched.fresh

    @property
    def check(self) -> Check | None:
        """Whether an active one is probed."""
        return live_check(self.watched, self.known)


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
    def shown(self) -> tuple[TroubleOnProxy, ...]:
        """The proxies that are shown one by one, those on which it takes no calls first."""
        return tuple(
            sorted(self.on_proxies, key=lambda each: each.known.state == KnownState.ACTIVE)[
                :MAX_SHOWN_PROXIES
            ]
        )

    @property
    def further(self) -> int:
        """How many proxies are not shown one by one."""
        return len(self.on_proxies) - len(self.shown)

    @property
    def disagree_since(self) -> datetime | None:
        """When proxies that answer came to hold it in these different states; None where they agree."""
        known = [each.known for each in self.on_proxies if each.fresh]
        if len({each.state for each in known}) <= 1:
            return None
        return max(each.since for each in known)

    @property
    def by_state(self) -> tuple[tuple[TroubleOnProxy, str], ...]:
        """Proxies that answer and hold it in one state: the one that did so first, and the names of all."""
        groups: dict[str, list[TroubleOnProxy]] = defaultdict(list)
        for each in self.on_proxies:
            if each.fresh:
                groups[each.known.state].append(each)
        return tuple(
            (min(group, key=lambda each: each.known.since), listed_names([each.proxy for each in group]))
            for group in groups.values()
        )


@dataclass(frozen=True, slots=True)
class Differing:
    """Proxies that answer hold a set differently: by content, who holds it so; when that came about."""

    holders: tuple[tuple[str, ...], ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class BoardSet:
    """One set. `troubles` are at most MAX_SHOWN_OF_A_SET; `further` is how many are left out.

    `proxies` are all that are watched, whether they hold the set or not.
    """

    setid: int
    name: str
    proxies: tuple[SetOnProxy, ...]
    troubles: tuple[Trouble, ...] = ()
    further: int = 0
    differing: Differing | None = None

    @property
    def level(self) -> Level:
        """The worst of all proxies; a proxy that answers and does not hold the set is no problem of it."""
        worst = min((_LEVELS.get(each.service, Level.GOOD) for each in self.proxies), default=Level.GOOD)
        if self.differing:
            worst = min(worst, Level.DIFFERING)
        return min(worst, Level.UNKNOWN) if self.unclear else worst

    @property
    def unclear(self) -> tuple[SetOnProxy, ...]:
        """The proxies of which nothing is known now: those that held it and are silent, or never answered."""
        return tuple(
            each for each in self.proxies if not each.fresh and (each.loaded or not each.watched.known)
        )

    @property
    def same(self) -> tuple[SameCount, ...]:
        """The proxies by what they hold of it, the worst first."""
        return same_counts(self.proxies)

    @property
    def same_now(self) -> tuple[SameCount, ...]:
        """What the proxies that answer report of it, the worst first."""
        return same_counts(each for each in self.proxies if each.fresh)

    @property
    def label(self) -> str:
        """Its number, and its name where it has one."""
        return f"{self.setid} · {self.name}" if self.name else str(self.setid)

    def at(self, level: Level) -> tuple[str, ...]:
        """The proxies on which it is as bad as `level` says."""
        if level is Level.UNKNOWN:
            return tuple(each.proxy for each in self.unclear)
        return tuple(each.proxy for each in self.proxies if _LEVELS.get(each.service) is level)


@dataclass(frozen=True, slots=True)
class BoardTally:
    """How many sets are at a level, and on which proxies some of them are."""

    count: int
    names: tuple[str, ...]
    watched: int

    @property
    def where(self) -> str:
        """The proxies for people: "on edge-2 (1 of 5 proxies)"."""
        of_all = f" ({len(self.names)} of {self.watched} proxies)" if self.watched > 1 else ""
        return f"on {listed_names(self.names)}{of_all}"


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the board. Sets beyond what is shown are counted in `hidden`, and in the tallies.

    `checks` counts what is active on the proxies that answer, once for each, by whether it is probed.
    `levels` counts all sets by how bad they are.
    A tally is None where no set is at its level; `unknown` counts every set of which some proxy is unknown
    now, whatever its level.
    """

    version: str
    watched: tuple[WatchedProxy, ...]
    troubled: tuple[BoardSet, ...]
    quiet: tuple[BoardSet, ...]
    levels: Mapping[Level, int]
    sets: int
    hidden: int
    down: BoardTally | None
    impaired: BoardTally | None
    unknown: BoardTally | None
    differing: int
    checks: tuple[tuple[Check, int], ...]

    @property
    def answering(self) -> str:
        """The proxies that answer."""
        return listed_names([each.proxy.name for each in self.watched if each.fresh])

    @property
    def all_checked(self) -> bool:
        """Whether everything that is active is known to be probed."""
        return not [check for check, _count in self.checks if check is not Check.CHECKED]

    @property
    def full_on(self) -> str:
        """The proxies of which the counts speak when every set is in full."""
        return listed_names([each.proxy.name for each in self.watched])

    @property
    def never_answered(self) -> str:
        """The proxies of which nothing at all is known."""
        return listed_names([each.proxy.name for each in self.watched if not each.known])


def watched_with_marks() -> tuple[WatchedProxy, ...]:
    """The enabled proxies, with what shows whether anything else on the board changed; one query."""
    return watched_proxies(marks=board_marks())


@cache
def board_marks() -> dict[str, BaseExpression]:
    """What the board shows besides the memory of proxies, as expressions for the query that reads them."""
    last_maintenance = Maintenance.objects.order_by("-changed_at").values("changed_at")[:1]
    return {
        "mark_names": RawSQL(content_of("efcp_destination_set", "setid", "name"), (), TextField()),  # noqa: S611
        "mark_maintenance": Subquery(last_maintenance),
    }


def version_of(watched: Sequence[WatchedProxy]) -> str:
    """A digest that differs whenever the board would; without a proxy it is empty.

    `watched` were read with `board_marks`, before anything else of the board.
    """
    marks = [getattr(watched[0].proxy, name, None) for name in board_marks()] if watched else []
    return digest_of((states_of(watched), marks))


def states_of(watched: Sequence[WatchedProxy]) -> list[tuple[object, ...]]:
    """Changes whenever a state, or what is known of it, changes."""
    return [
        (
            each.proxy.pk,
            each.proxy.name,
            each.proxy.partition,
            each.contact.sets_digest,
            (each.proxy.probing, each.contact.probes_reported_at, each.contact.probes_all),
            each.contact.modes_digest,
            each.freshness.value,
            None if each.fresh else (each.answered_at, each.words, each.silent_since),
        )
        for each in watched
    ]


def digest_of(values: object) -> str:
    """A short digest of values with distinct `repr`s."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:24]


def board(watched: Sequence[WatchedProxy]) -> Board:
    """Read the board."""
    names = set_names()
    counts = set_counts(watched)
    troubles = _troubles(watched)
    differing = _differing(watched)
    sets = [
        BoardSet(
            setid=setid,
            name=names.get(setid, ""),
            proxies=on_proxies,
            troubles=tuple(troubles.get(setid, ())[:MAX_SHOWN_OF_A_SET]),
            further=max(0, _not_active(on_proxies) - MAX_SHOWN_OF_A_SET),
            differing=differing.get(setid),
        )
        for setid, on_proxies in sorted(counts.items())
    ]
    troubled = sorted((each for each in sets if each.level is not Level.GOOD), key=lambda each: each.level)
    quiet = [each for each in sets if each.level is Level.GOOD]
    hidden = max(0, len(troubled) - MAX_TROUBLED_SETS) + max(0, len(quiet) - MAX_QUIET_SETS)
    return Board(
        version=version_of(watched),
        watched=tuple(watched),
        troubled=tuple(troubled[:MAX_TROUBLED_SETS]),
        quiet=tuple(quiet[:MAX_QUIET_SETS]),
        levels=Counter(each.level for each in sets),
        sets=len(sets),
        hidden=hidden,
        down=_tally(sets, Level.DOWN, watched),
        impaired=_tally(sets, Level.IMPAIRED, watched),
        unknown=_tally(sets, Level.UNKNOWN, watched),
        differing=sum(each.differing is not None for each in sets),
        checks=_checks(sets),
    )


def _checks(sets: Sequence[BoardSet]) -> tuple[tuple[Check, int], ...]:
    fresh = [on for each in sets for on in each.proxies if on.fresh]
    counts = [(check, sum(on.checks.get(check, 0) for on in fresh)) for check in Check]
    return tuple((check, count) for check, count in counts if count)


def _tally(sets: Sequence[BoardSet], level: Level, watched: Sequence[WatchedProxy]) -> BoardTally | None:
    """How many sets are at this level, which every proxy counts for that brings one to it."""
    at_level = [each for each in sets if each.level is level or (level is Level.UNKNOWN and each.unclear)]
    if not at_level:
        return None
    found = {name for each in at_level for name in each.at(level)}
    names = tuple(each.proxy.name for each in watched if each.proxy.name in found)
    return BoardTally(len(at_level), names, len(watched))


def _differing(watched: Sequence[WatchedProxy]) -> dict[int, Differing]:
    """By set: where proxies of one partition that answer do not hold the same."""
    fresh = {each.proxy.pk: each.proxy for each in watched if each.fresh}
    if len(fresh) < 2:
        return {}
    loaded: dict[tuple[int, str], dict[int, KnownSet]] = defaultdict(dict)
    for each in KnownSet.objects.filter(proxy__in=fresh):
        if each.partition == fresh[each.proxy_id].partition:
            loaded[each.setid, each.partition][each.proxy_id] = each
    found = {}
    for (setid, partition), by_proxy in loaded.items():
        members = {pk: proxy.name for pk, proxy in fresh.items() if proxy.partition == partition}
        differing = _compared(members, by_proxy)
        if differing is not None:
            found[setid] = differing
    return found


def _compared(members: Mapping[int, str], by_proxy: Mapping[int, KnownSet]) -> Differing | None:
    """Group proxies by the content that they hold; proxies listed without details can't be compared."""
    holders: dict[str, list[str]] = defaultdict(list)
    for pk, name in members.items():
        content = by_proxy[pk].content if pk in by_proxy else "nothing"
        if content:
            holders[content].append(name)
    if len(holders) < 2:
        return None
    most_first = sorted((tuple(names) for names in holders.values()), key=len, reverse=True)
    return Differing(tuple(most_first), max(each.since for each in by_proxy.values()))


def _not_active(on_proxies: Sequence[SetOnProxy]) -> int:
    """The most that are not active on one proxy."""
    return max((each.loaded - each.active for each in on_proxies), default=0)


def _troubles(watched: Sequence[WatchedProxy]) -> dict[int, list[Trouble]]:
    """By set: what is not active on some proxy, what changed last first."""
    partitions = {each.proxy.pk: each.proxy.partition for each in watched}
    rows = (
        KnownDestination.objects.filter(proxy__in=partitions)
        .exclude(state=KnownState.ACTIVE)
        .order_by("-since", "setid", "position")
        .values_list("setid", "uri_key", "occurrence", "proxy_id", "partition")[:MAX_TROUBLES]
    )
    # One identity may be in trouble on several proxies: list it once.
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
    loaded = known[setid, key]
    on_proxies = tuple(
        TroubleOnProxy(each, one)
        for each in watched
        for one in loaded.get(each.proxy.pk, ())
        if one.occurrence == occurrence
    )
    named = on_proxies[0].known
    return Trouble(named.uri, named.description or "", on_proxies)
