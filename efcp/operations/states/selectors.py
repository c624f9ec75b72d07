"""What setting a state would do to destinations and their sets, and which proxies share states or a table."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import F
from django.http import QueryDict

from dispatcher.models import Destination
from dispatcher.selectors import set_names
from efcp.proxies.models import KnownDestination, KnownState, Proxy
from efcp.proxies.probing import Check, live_check
from efcp.proxies.selectors import WatchedProxy, live_states, watched_proxies
from efcp.proxies.set_counts import SetOnProxy, set_counts
from efcp.sip.uri import uri_key

MOST_AT_ONCE = 1_000
LONGEST_URI = 192
"""Characters that the table's column holds; what a proxy holds beyond them came by no table."""

_MOST_DIGITS = 10

Identity = tuple[int, str]
"""Set and URI key."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that were chosen, at most MOST_AT_ONCE of `total`.

    A row without an id stands for a destination that only proxies hold, and the table does not.
    """

    rows: tuple[Destination, ...]
    total: int

    @classmethod
    def of(cls, rows: Sequence[Destination]) -> "Chosen":
        """As many of these as can be set at once."""
        return cls(tuple(rows[:MOST_AT_ONCE]), len(rows))

    @property
    def any_is_memory_only(self) -> bool:
        """Whether one is held by proxies only."""
        return any(not row.pk for row in self.rows)

    @property
    def unshown(self) -> int:
        """How many rows were chosen beyond those that can be set at once."""
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class StateOnProxy:
    """The state of a destination on one proxy, as last read.

    It is "absent" where the proxy does not hold it, "unknown" where nothing is known of the proxy's memory.
    """

    watched: WatchedProxy
    state: str
    check: Check | None = None

    @property
    def proxy(self) -> Proxy:
        """The proxy."""
        return self.watched.proxy

    @property
    def is_last_known(self) -> bool:
        """Whether it is the last known state of a proxy that does not answer."""
        return not self.watched.fresh and self.state != "unknown"

    @property
    def word(self) -> str:
        """The state as a word for people."""
        word = "Not in memory" if self.state == "absent" else self.state.capitalize()
        if self.is_last_known:
            return f"Last known: {word.lower()}"
        return f"{word}, {self.check.value}" if self.check else word


@dataclass(frozen=True, slots=True)
class ChosenLine:
    """A chosen row with its state on every proxy.

    `is_ambiguous` where a proxy holds several destinations of its set and URI: the first is changed.
    """

    row: Destination
    states: tuple[StateOnProxy, ...]
    is_ambiguous: bool

    @property
    def tally(self) -> list[tuple[str, int]]:
        """On how many proxies it is in which state."""
        return Counter(on.word for on in self.states).most_common()


@dataclass(frozen=True, slots=True)
class EmptiedSet:
    """A set of which nothing would take calls on a proxy any more, by the states that were read last.

    `watched` holds their age; None where the caller did not give it.
    """

    setid: int
    proxy: Proxy
    name: str = ""
    watched: WatchedProxy | None = None

    @property
    def where(self) -> str:
        """The proxy's name, marked where its states are the last known."""
        return self.watched.marked_name if self.watched else self.proxy.name


def chosen_in(form: QueryDict) -> Chosen:
    """The rows whose `id` a form names, and what it names by set and URI, in memory only."""
    ids = {number for text in form.getlist("id") if (number := number_in(text)) is not None}
    rows = Destination.objects.filter(pk__in=ids).order_by("setid", "-priority", "id")
    return Chosen.of([*rows, *_memory_only(form.getlist("in_memory"))])


def number_in(text: str) -> int | None:
    """The id or set that a text names, None for a text that can't be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _memory_only(named: Sequence[str]) -> list[Destination]:
    """Rows without an id for those of the named destinations that some proxy holds."""
    pairs = [(number_in(setid), uri) for setid, _, uri in (text.partition(" ") for text in named)]
    known = live_states((setid, uri_key(uri)) for setid, uri in pairs if setid is not None)
    return [
        Destination(setid=setid, destination=uri)
        for setid, uri in pairs
        if setid is not None and len(uri) <= LONGEST_URI and (setid, uri_key(uri)) in known
    ]


def chosen_lines(rows: Sequence[Destination], watched: Sequence[WatchedProxy]) -> list[ChosenLine]:
    """The rows with their states on these proxies, in one query."""
    loaded = live_states((row.setid, uri_key(row.destination)) for row in rows)
    lines = []
    for row in rows:
        on_proxies = loaded.get((row.setid, uri_key(row.destination)), {})
        states = tuple(_on_proxy(each, on_proxies.get(each.proxy.pk, ())) for each in watched)
        lines.append(ChosenLine(row, states, any(len(found) > 1 for found in on_proxies.values())))
    return lines


def emptied_sets(
    rows: Sequence[Destination], proxies: Sequence[Proxy], watched: Sequence[WatchedProxy] = ()
) -> list[EmptiedSet]:
    """The sets that would have no active destination on a proxy if none of `rows` were active there."""
    changed = {(row.setid, uri_key(row.destination), 0) for row in rows}
    active = KnownDestination.objects.filter(
        proxy__in=proxies,
        partition=F("proxy__partition"),
        setid__in={row.setid for row in rows},
        state=KnownState.ACTIVE,
    ).values_list("proxy_id", "setid", "uri_key", "occurrence")
    loaded = {(proxy_id, setid) for proxy_id, setid, _key, _occurrence in active}
    left = {(proxy_id, setid) for proxy_id, setid, *which in active if (setid, *which) not in changed}
    names, by_id = set_names(), {each.proxy.pk: each for each in watched}
    return [
        EmptiedSet(setid, proxy, names.get(setid, ""), by_id.get(proxy.pk))
        for proxy in proxies
        for proxy_id, setid in sorted(loaded - left)
        if proxy_id == proxy.pk
    ]


def _on_proxy(each: WatchedProxy, loaded: Sequence[KnownDestination]) -> StateOnProxy:
    return StateOnProxy(each, _state_on(each, loaded), live_check(each, loaded[0]) if loaded else None)


def _state_on(each: WatchedProxy, loaded: Sequence[KnownDestination]) -> str:
    return _first_state(loaded) or ("absent" if each.known else "unknown")


def _first_state(loaded: Sequence[KnownDestination]) -> str:
    """The state of the destination that ds_set_state changes, empty where there is none."""
    return loaded[0].state if loaded else ""


@dataclass(frozen=True, slots=True)
class EffectOnProxy:
    """How many of a set's destinations take calls on a proxy: now, and once the chosen ones have a state."""

    now: SetOnProxy
    if_inactive: int
    if_active: int

    @property
    def proxy(self) -> Proxy:
        """The proxy."""
        return self.now.watched.proxy

    @property
    def loaded(self) -> int:
        """How many of the set it holds, as last read."""
        return self.now.loaded

    @property
    def active(self) -> int:
        """How many of them take calls, as last read."""
        return self.now.active

    @property
    def would_be_empty(self) -> bool:
        """Whether nothing would take the calls of a set that something takes now."""
        return self.active > 0 and not self.if_inactive


@dataclass(frozen=True, slots=True)
class SetEffect:
    """What a setting does to one set: how many of its destinations are chosen, and the effect by proxy."""

    setid: int
    name: str
    chosen: int
    on_proxies: tuple[EffectOnProxy, ...]

    @property
    def emptied_on(self) -> list[Proxy]:
        """The proxies on which nothing would take the set's calls any more."""
        return [each.proxy for each in self.on_proxies if each.would_be_empty]

    @property
    def emptied_names(self) -> list[str]:
        """Their names, marked where states are the last known."""
        return [each.now.watched.marked_name for each in self.on_proxies if each.would_be_empty]


def set_effects(lines: Sequence[ChosenLine], watched: Sequence[WatchedProxy]) -> list[SetEffect]:
    """The effect per set, first those that would be left without an active destination; two queries."""
    by_set: dict[int, list[ChosenLine]] = defaultdict(list)
    for line in lines:
        by_set[line.row.setid].append(line)
    counts = set_counts(watched, by_set)
    names = set_names()
    effects = []
    for setid, of_set in by_set.items():
        chosen = [(on.proxy.pk, on.state) for line in of_set for on in line.states]
        on_proxies = tuple(_effect_on(each, chosen) for each in counts[setid])
        effects.append(SetEffect(setid, names.get(setid, ""), len(of_set), on_proxies))
    return sorted(effects, key=lambda each: (not each.emptied_on, each.setid))


def _effect_on(now: SetOnProxy, chosen: Iterable[tuple[int, str]]) -> EffectOnProxy:
    states = Counter(state for proxy_id, state in chosen if proxy_id == now.watched.proxy.pk)
    return EffectOnProxy(
        now=now,
        if_inactive=now.active - states[KnownState.ACTIVE],
        if_active=now.active + states[KnownState.INACTIVE] + states[KnownState.PROBING],
    )


GroupKey = tuple[str, str] | int
"""Cluster and partition, or the id of a proxy without a cluster."""


def group_key(proxy: Proxy) -> GroupKey:
    """The same for proxies that replicate states among themselves."""
    return (proxy.cluster, proxy.partition) if proxy.cluster else proxy.pk


def replication_groups(proxies: Iterable[Proxy]) -> list[list[Proxy]]:
    """These proxies with all enabled members of their clusters; in each group, first those that answer."""
    chosen = list(proxies)
    known = watched_proxies() if any(proxy.cluster for proxy in chosen) else ()
    members: dict[GroupKey, list[WatchedProxy]] = defaultdict(list)
    for each in known:
        members[group_key(each.proxy)].append(each)
    found: dict[GroupKey, list[Proxy]] = {}
    for proxy in chosen:
        of_cluster = members[group_key(proxy)] if proxy.cluster else []
        ordered = [each.proxy for each in sorted(of_cluster, key=lambda each: not each.fresh)]
        found.setdefault(group_key(proxy), ordered or [proxy])
    return list(found.values())


def omitted_proxies(chosen: Sequence[Proxy], watched: Sequence[WatchedProxy]) -> list[Proxy]:
    """The proxies that are not chosen, although they share a table with one that is.

    Of one partition all proxies share the table, but for a sandbox beside them. The members of a chosen
    proxy's cluster get the state by it.
    """
    reached = {group_key(proxy) for proxy in chosen} | {proxy.pk for proxy in chosen}
    partitions = {proxy.partition for proxy in chosen if _shares_its_table(proxy)}
    return [
        each.proxy
        for each in watched
        if _shares_its_table(each.proxy)
        and each.proxy.partition in partitions
        and not {each.proxy.pk, group_key(each.proxy)} & reached
    ]


def _shares_its_table(proxy: Proxy) -> bool:
    return settings.SANDBOX_IS_PART_OF_ALL or not proxy.is_sandbox
