"""What setting states would do to the sets that they are in."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, F

from dispatcher.selectors import set_names
from efcp.operations.states.selectors import ChosenLine
from efcp.proxies.models import KnownDestination, Proxy, State
from efcp.proxies.selectors import WatchedProxy


@dataclass(frozen=True, slots=True)
class EffectOnProxy:
    """How many of a set's destinations take calls on a proxy: now, and once the chosen ones have a state."""

    proxy: Proxy
    held: int
    active: int
    if_inactive: int
    if_active: int

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


def set_effects(lines: Sequence[ChosenLine], watched: Sequence[WatchedProxy]) -> list[SetEffect]:
    """The effect per set, first those that would be left without an active destination; two queries."""
    by_set: dict[int, list[ChosenLine]] = defaultdict(list)
    for line in lines:
        by_set[line.row.setid].append(line)
    counts = _counts(by_set, watched)
    names = set_names()
    effects = []
    for setid, of_set in by_set.items():
        chosen = [(on.proxy.pk, on.state) for line in of_set for on in line.states]
        on_proxies = tuple(
            _effect_on(each.proxy, counts.get((setid, each.proxy.pk), {}), chosen) for each in watched
        )
        effects.append(SetEffect(setid, names.get(setid, ""), len(of_set), on_proxies))
    return sorted(effects, key=lambda each: (not each.emptied_on, each.setid))


def _counts(sets: Iterable[int], watched: Sequence[WatchedProxy]) -> dict[tuple[int, int], Mapping[str, int]]:
    """By set and proxy: how many destinations are in each state."""
    counted = (
        KnownDestination.objects.filter(
            proxy__in=[each.proxy for each in watched], partition=F("proxy__partition"), setid__in=sets
        )
        .values_list("setid", "proxy_id", "state")
        .annotate(count=Count("pk"))
        .order_by()
    )
    found: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for setid, proxy_id, state, count in counted:
        found[setid, proxy_id][state] = count
    return dict(found)


def _effect_on(proxy: Proxy, counts: Mapping[str, int], chosen: Iterable[tuple[int, str]]) -> EffectOnProxy:
    states = Counter(state for proxy_id, state in chosen if proxy_id == proxy.pk)
    active = counts.get(State.ACTIVE, 0)
    return EffectOnProxy(
        proxy=proxy,
        held=sum(counts.values()),
        active=active,
        if_inactive=active - states[State.ACTIVE],
        if_active=active + states[State.INACTIVE] + states[State.PROBING],
    )
