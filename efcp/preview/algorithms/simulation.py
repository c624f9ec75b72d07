"""The load_balancer module's choice (lb_data.c: lb_route), and how evenly calls lie on destinations. Pure."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.replay import NOWHERE
from efcp.preview.algorithms.traffic import Traffic

SLICES = 60
"""In how many moments the calls under way are counted."""

Indices = NDArray[np.int32]


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
    """How evenly the calls under way lie on the destinations, each measured by its fair part.

    `calls` counts them per destination. `lows` and `highs` are, moment by moment, the least and the most
    loaded destination in multiples of its fair part (1 is fair). `jain` is Jain's index of those loads over
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
        """The most loaded destination's multiple of its fair part, on an average moment."""
        return float(np.mean(self.highs)) if self.highs else 1.0


def evenness(traffic: Traffic, chosen: Indices, wanted: Sequence[float]) -> Evenness:
    """Measure a choice; `wanted` is each destination's part of the calls, which sum to 1."""
    count = len(wanted)
    fair = np.array(wanted)
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
        mine = chosen == index
        begun = np.searchsorted(traffic.starts[mine], moments, side="right")
        over = np.searchsorted(np.sort(traffic.ends[mine]), moments, side="right")
        found[:, index] = begun - over
    return found


def _jain(loads: NDArray[np.float64]) -> float:
    if not loads.size:
        return 1.0
    each = loads.sum(axis=1) ** 2 / (loads.shape[1] * (loads**2).sum(axis=1))
    return float(each.mean())
