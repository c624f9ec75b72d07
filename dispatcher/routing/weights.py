"""Which destination a point among the weights means, and the share of calls that follows from it.

The proxy keeps running sums of the weights in 16 bits (dispatch.c: re_calculate_active_dsts), so that a set
whose weights sum above 65535 starts again at 0 in the middle: the first destination whose running sum is
above the point wins, however small the sums after it are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import gcd

MODULUS = 1 << 16
"""Weights and their sums are unsigned numbers of 16 bits."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The fraction of calls for each destination, in the set's order; both sum to 1 (or to 0: no calls).

    `by_weight` counts every destination as active; `effective` counts the states: a pick that is not active
    is made again, with the same hash, among the active ones.
    """

    by_weight: tuple[Fraction, ...]
    effective: tuple[Fraction, ...]


def running_sums(weights: Sequence[int]) -> tuple[int, ...]:
    """The sums of the weights up to each destination, in 16 bits."""
    return tuple(accumulate(weights, lambda total, weight: (total + weight) % MODULUS))


def shares(weights: Sequence[int], active: Sequence[bool]) -> Shares:
    """What the weighted algorithms (0 to 3, 5 with a user, 6 and 7) make of the weights, for a uniform hash.

    `weights` are those loaded (16 bits), `active` is which of the destinations take calls.
    """
    everyone = _Spans.over(range(len(weights)), weights)
    remaining = _Spans.over([index for index, is_active in enumerate(active) if is_active], weights)
    by_weight = everyone.shares(len(weights))
    if all(active):
        return Shares(by_weight, by_weight)
    if not remaining.total:
        return Shares(by_weight, tuple(Fraction(0) for _ in weights))
    again = _picked_again(everyone, remaining, active)
    period = everyone.total * remaining.total // gcd(everyone.total, remaining.total)
    effective = tuple(
        share + Fraction(again.get(index, 0), period) if is_active else Fraction(0)
        for index, (share, is_active) in enumerate(zip(by_weight, active, strict=True))
    )
    return Shares(by_weight, effective)


@dataclass(frozen=True, slots=True)
class _Spans:
    """Which points below `total` mean which destination: (index, first point, point after the last)."""

    total: int
    spans: tuple[tuple[int, int, int], ...]

    @classmethod
    def over(cls, indices: Sequence[int], weights: Sequence[int]) -> "_Spans":
        sums = running_sums([weights[index] for index in indices])
        if not sums or not sums[-1]:
            return cls(len(indices), tuple((index, at, at + 1) for at, index in enumerate(indices)))
        spans = []
        reached = 0
        for index, running in zip(indices, sums, strict=True):
            end = min(running, sums[-1])
            if end > reached:
                spans.append((index, reached, end))
                reached = end
        return cls(sums[-1], tuple(spans))

    def shares(self, count: int) -> tuple[Fraction, ...]:
        found = [Fraction(0)] * count
        for index, start, end in self.spans:
            found[index] = Fraction(end - start, self.total)
        return tuple(found)


def _picked_again(everyone: _Spans, remaining: _Spans, active: Sequence[bool]) -> dict[int, int]:
    """How many hashes, of one period of both moduli, each active destination gets by the second pick.

    Both picks take the remainder of the same hash, so that they depend on each other where the two sums
    have a common divisor: only points with equal remainders by it come together, and those do once.
    """
    divisor = gcd(everyone.total, remaining.total)
    lost = [0] * divisor
    for index, start, end in everyone.spans:
        if not active[index]:
            for point in range(start, end):
                lost[point % divisor] += 1
    before = [0, *accumulate(lost)]

    def lost_below(point: int) -> int:
        return point // divisor * before[divisor] + before[point % divisor]

    return {index: lost_below(end) - lost_below(start) for index, start, end in remaining.spans}
