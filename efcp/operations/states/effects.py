"""What setting states would do to the sets that they are in."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatcher.selectors import set_names
from efcp.operations.states.selectors import ChosenLine
from efcp.proxies.models import Proxy, State
from efcp.proxies.selectors import WatchedProxy
from efcp.proxies.set_counts import SetOnProxy, set_counts


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
    def held(self) -> int:
        """How many of the set it holds, as last read."""
        return self.now.held

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
        """Their names, marked where that goes by last known states."""
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
        if_inactive=now.active - states[State.ACTIVE],
        if_active=now.active + states[State.INACTIVE] + states[State.PROBING],
    )
