"""A set sorted by load or by score, for algorithms 9 and 10 (dispatch.c: ds_pvar_algo, ds_route_algo)."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.routing.destinations import Destination
from dispatcher.routing.live import LiveSet

Measure = Callable[[Destination], int]
"""The value that a destination is sorted by; the lowest comes first."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """All indices of a set in order: those that could be ranked, then the rest, the default last.

    `ranked` is how many could be; `measures` are the values that were asked for, by index.
    """

    order: list[int]
    ranked: int
    measures: tuple[tuple[int, int], ...]


def sorted_by_load(live: LiveSet, load: Measure, *, with_default: bool) -> Ranking:
    """Sort by `load`, equal ones in the set's order."""
    return _ranking(live, load, with_default=with_default, least=None)


def sorted_by_score(live: LiveSet, score: Measure, *, with_default: bool, negative_last: bool) -> Ranking:
    """Sort by `score`; `negative_last` puts those below 0 at the end, as later releases do."""
    return _ranking(live, score, with_default=with_default, least=0 if negative_last else None)


def _ranking(live: LiveSet, measure: Measure, *, with_default: bool, least: int | None) -> Ranking:
    count = len(live.destinations)
    default = [count - 1] if with_default else []
    ranked: list[int] = []
    values: list[int] = []
    rest: list[int] = []
    measures: list[tuple[int, int]] = []
    for index in range(count - len(default)):
        destination = live.destinations[index]
        if not destination.active:
            rest.append(index)
            continue
        value = measure(destination.loaded)
        measures.append((index, value))
        if least is not None and value < least:
            rest.append(index)
            continue
        place = bisect_right(values, value)
        values.insert(place, value)
        ranked.insert(place, index)
    # The loop fills the end of the list from behind.
    return Ranking([*ranked, *reversed(rest), *default], len(ranked), tuple(measures))
