"""The same calls under each dispatcher algorithm and under load_balancer, side by side."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.destinations import LiveSet
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.replay import NOWHERE, Replay
from dispatcher.routing.selection import Algorithm
from dispatcher.routing.weights import shares
from efcp.charts.axes import ValueAxis, span_axis, value_axis
from efcp.preview.algorithms.traffic import Traffic
from efcp.preview.distribution.counting import generated_calls
from efcp.preview.distribution.question import SelectArguments
from efcp.preview.forms import ALGORITHMS
from efcp.preview.sources import NoPreviewError, Source, set_preview

SLICES = 60
"""In how many moments the calls under way are counted."""

Indices = NDArray[np.int32]

MAX_DESTINATIONS = 200
LOAD_BALANCER = "load_balancer · least relative load"
WIDTH, HEIGHT = 1000, 1000
MOST_DRAWN = 3.0
"""Multiples of the fair share beyond which the picture is cut."""

MAX_NOTES = 5
_UNITS = (("h", 3600), ("min", 60), ("s", 1))
CLEARLY = 0.1
"""Of the fair share: a smaller gain is no reason to keep dialogs."""

_COMPARED = (
    Algorithm.CALL_ID,
    Algorithm.FROM_URI,
    Algorithm.TO_URI,
    Algorithm.REQUEST_URI,
    Algorithm.ROUND_ROBIN,
    Algorithm.AUTH_USER,
    Algorithm.RANDOM,
    Algorithm.HASH_VARIABLE,
    Algorithm.FIRST,
)


def balanced(traffic: Traffic, capacities: Sequence[int], active: Sequence[bool]) -> Indices:
    """Whom each call gets from load_balancer with the flag `r`: most capacity free, the first of equals.

    What is free counts in whole per cent, as in the module. A destination whose calls reach its capacity gets
    no further one; where all have, the call gets none.
    """
    most = np.array(capacities, np.int64)
    usable = np.array(active, np.bool_) & (most > 0)
    busy = np.zeros(len(most), np.int64)
    free = np.where(usable, 100, 0)
    ending: list[tuple[float, int]] = []
    chosen = np.full(len(traffic), NOWHERE, np.int32)
    for number, (start, end) in enumerate(zip(traffic.starts.tolist(), traffic.ends.tolist(), strict=True)):
        while ending and ending[0][0] <= start:
            _end, index = heapq.heappop(ending)
            busy[index] -= 1
            free[index] = 100 - 100 * busy[index] // most[index]
        index = int(free.argmax())
        if free[index] <= 0:
            continue
        chosen[number] = index
        busy[index] += 1
        free[index] = 100 - 100 * busy[index] // most[index]
        heapq.heappush(ending, (end, index))
    return chosen


@dataclass(frozen=True, slots=True)
class Evenness:
    """How evenly the calls under way lie on the destinations, each measured by its fair share.

    `calls` counts them per destination. `lows` and `highs` are, moment by moment, the least and the most
    loaded destination in multiples of its fair share (1 is fair). `jain` is Jain's index of those loads over
    all moments: 1 where all are the same, 1/n where one has everything. `lost` calls got no destination.
    """

    calls: tuple[int, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    jain: float
    peak: int
    lost: int

    @property
    def worst(self) -> float:
        """The most loaded destination's multiple of its fair share, on an average moment."""
        return float(np.mean(self.highs)) if self.highs else 1.0


def evenness(traffic: Traffic, chosen: Indices, fair_shares: Sequence[float]) -> Evenness:
    """Measure a choice; `fair_shares` is each destination's part of the calls, which sum to 1."""
    count = len(fair_shares)
    fair = np.array(fair_shares)
    counted = fair > 0
    under_way = _under_way(traffic, chosen, count)
    totals = under_way.sum(axis=1, keepdims=True)
    busy = totals[:, 0] >= max(1, int(counted.sum()))
    loads = under_way[busy][:, counted] / (totals[busy] * fair[counted])
    return Evenness(
        calls=tuple(np.bincount(chosen[chosen >= 0], minlength=count).tolist()),
        lows=tuple(loads.min(axis=1).tolist()) if loads.size else (),
        highs=tuple(loads.max(axis=1).tolist()) if loads.size else (),
        jain=_jain(loads),
        peak=int(under_way.max()) if under_way.size else 0,
        lost=int((chosen == NOWHERE).sum()),
    )


def _under_way(traffic: Traffic, chosen: Indices, count: int) -> NDArray[np.int64]:
    """How many calls each destination has at each of SLICES moments."""
    if not len(traffic):
        return np.zeros((0, count), np.int64)
    # After the last arrival the calls only run out: that says nothing of the choice.
    moments = np.linspace(0, float(traffic.starts[-1]), SLICES)
    found = np.empty((SLICES, count), np.int64)
    for index in range(count):
        assigned = chosen == index
        arrived = np.searchsorted(traffic.starts[assigned], moments, side="right")
        over = np.searchsorted(np.sort(traffic.ends[assigned]), moments, side="right")
        found[:, index] = arrived - over
    return found


def _jain(loads: NDArray[np.float64]) -> float:
    if not loads.size:
        return 1.0
    each = loads.sum(axis=1) ** 2 / (loads.shape[1] * (loads**2).sum(axis=1))
    return float(each.mean())


@dataclass(frozen=True, slots=True)
class AlgorithmResult:
    """One algorithm's evenness, with the band between least and most loaded as the points of a polygon."""

    name: str
    evenness: Evenness
    band: str


@dataclass(frozen=True, slots=True)
class AlgorithmComparison:
    """What the page shows; with a `problem` there is nothing to compare."""

    source: str
    uris: tuple[str, ...] = ()
    results: tuple[AlgorithmResult, ...] = ()
    sentences: tuple[str, ...] = ()
    problem: str = ""
    duration_s: float = 0.0
    """From the first call to the last."""

    @property
    def times(self) -> ValueAxis:
        """The axis of time, in seconds, minutes or hours."""
        unit, size = next(each for each in _UNITS if self.duration_s >= 3 * each[1] or each[1] == 1)
        return span_axis(max(self.duration_s / size, 1e-3), unit, most_ticks=4)

    @property
    def loads(self) -> ValueAxis:
        """The upright axis: multiples of the fair part."""
        return value_axis(MOST_DRAWN, "×", most_ticks=4)

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        """For each destination its calls, algorithm by algorithm."""
        return [
            (uri, [each.evenness.calls[index] for each in self.results])
            for index, uri in enumerate(self.uris)
        ]


def compare(source: Source, setid: int, traffic: Traffic, capacity: int, seed: int) -> AlgorithmComparison:
    """Replay the same calls under each algorithm; a weight of 1 stands for a capacity of `capacity` calls."""
    try:
        preview = set_preview(source, setid)
    except (NoPreviewError, LoadBrokenError) as error:
        return AlgorithmComparison(source.name, problem=str(error))
    live = preview.memory.sets.get(setid)
    problem = _problem(live, setid, traffic)
    if live is None or problem:
        return AlgorithmComparison(source.name, problem=problem)
    weights = [each.loaded.weight for each in live.destinations]
    active = [each.active for each in live.destinations]
    fair_shares = [float(share) for share in shares(weights, active).effective]
    found = [
        _result(
            ALGORITHMS[algorithm],
            evenness(traffic, _chosen(live, algorithm, len(traffic), seed), fair_shares),
        )
        for algorithm in _COMPARED
    ]
    by_load = balanced(traffic, [weight * capacity for weight in weights], active)
    found.append(_result(LOAD_BALANCER, evenness(traffic, by_load, fair_shares)))
    uris = tuple(each.loaded.uri for each in live.destinations)
    return AlgorithmComparison(
        source.name,
        uris,
        tuple(found),
        (*_conclusions(found, traffic), *preview.notes[:MAX_NOTES]),
        duration_s=float(traffic.starts[-1]) if len(traffic) else 0.0,
    )


def _problem(live: LiveSet | None, setid: int, traffic: Traffic) -> str:
    if live is None:
        return f"Set {setid} has no destinations there."
    if not live.calls.count:
        return f"No destination in set {setid} is active."
    if len(live.destinations) > MAX_DESTINATIONS:
        return f"Set {setid} has more than {MAX_DESTINATIONS:,} destinations, too many to compare."
    return "" if len(traffic) else "No calls to send."


def _chosen(live: LiveSet, algorithm: Algorithm, count: int, seed: int) -> Indices:
    calls = generated_calls(SelectArguments(live.setid, algorithm), count, seed)
    # A hash of random keys is as good a random number as any.
    return Replay(live, Algorithm.CALL_ID if algorithm is Algorithm.RANDOM else algorithm).choose(calls)


def _result(name: str, found: Evenness) -> AlgorithmResult:
    return AlgorithmResult(name, found, _band(found.lows, found.highs))


def _band(lows: Sequence[float], highs: Sequence[float]) -> str:
    """The polygon's points: along the most loaded to the right, along the least loaded back."""
    step = WIDTH / max(1, SLICES - 1)

    def point(index: int, load: float) -> str:
        return f"{index * step:.1f},{HEIGHT * (1 - min(load, MOST_DRAWN) / MOST_DRAWN):.1f}"

    there = [point(index, load) for index, load in enumerate(highs)]
    back = [point(index, load) for index, load in enumerate(lows)]
    return " ".join([*there, *reversed(back)])


def _conclusions(found: Sequence[AlgorithmResult], traffic: Traffic) -> list[str]:
    """Dispatcher or load balancer, by these calls."""
    balancer = found[-1].evenness
    best = min(found[:-1], key=lambda each: each.evenness.worst)
    gain = best.evenness.worst - balancer.worst
    sentences = [
        f"The most even dispatcher algorithm is {best.name}: its busiest destination carries"
        f" {_percent(best.evenness.worst)} of its fair share on average, with load_balancer"
        f" {_percent(balancer.worst)}."
    ]
    if balancer.lost:
        sentences.append(
            f"load_balancer rejects {balancer.lost:,} calls when all destinations are at capacity;"
            " the dispatcher has no capacity limit and sends them anyway."
        )
    if gain < CLEARLY:
        sentences.append(
            "No reason to use the load balancer: the dispatcher spreads these calls as well, without"
            " tracking dialogs."
        )
    else:
        sentences.append(
            "Consider the load balancer if every call can be tracked as a dialog: it counts calls in"
            " progress, while the dispatcher only counts new ones."
        )
    if traffic.variation > 1:
        sentences.append("Call durations vary widely, so equal call starts don't mean equal load.")
    return sentences


def _percent(load: float) -> str:
    return f"{100 * load:.0f} %"
