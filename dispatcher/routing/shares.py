"""Which part of the calls each destination of a set gets by weight (dispatch.c: re_calculate_active_dsts)."""

from collections.abc import Sequence
from fractions import Fraction

from dispatcher.routing.destinations import Destination

_BITS_16 = 0xFFFF


def running_sums(weights: Sequence[int]) -> list[int]:
    """The sum of the weights up to each one, in the 16 bits that the proxy has for it."""
    sums: list[int] = []
    total = 0
    for weight in weights:
        total = (total + weight) & _BITS_16
        sums.append(total)
    return sums


def active_running_sums(destinations: Sequence[Destination]) -> list[int]:
    """The same over the active destinations only; an inactive one has the sum of those before it."""
    return running_sums([each.weight if each.is_active else 0 for each in destinations])


def candidate_shares(destinations: Sequence[Destination]) -> list[Fraction]:
    """Which part of evenly spread hashes has each destination as its candidate, active or not.

    A sum that passes 65535 starts again at 0, and a destination gets the hashes below its own sum that no
    earlier one got: so later ones may get none. Where the last sum is 0 all get the same.
    """
    sums = running_sums([each.weight for each in destinations])
    if not sums or not sums[-1]:
        return [Fraction(1, len(destinations))] * len(destinations)
    return _parts(sums, sums[-1])


def shares(destinations: Sequence[Destination]) -> list[Fraction]:
    """Which part of the calls each destination gets under the algorithms that go by a hash and weights.

    What falls to an inactive candidate is shared among the active ones, as if there were no others.
    """
    active = [each.is_active for each in destinations]
    if not any(active):
        return [Fraction(0)] * len(destinations)
    sums = active_running_sums(destinations)
    if sums[-1]:
        again = [part if on else Fraction(0) for part, on in zip(_parts(sums, sums[-1]), active, strict=True)]
    else:
        again = [Fraction(int(on), sum(active)) for on in active]
    first = candidate_shares(destinations)
    lost = sum((part for part, on in zip(first, active, strict=True) if not on), Fraction(0))
    return [
        (part if on else Fraction(0)) + lost * second
        for part, on, second in zip(first, active, again, strict=True)
    ]


def _parts(sums: Sequence[int], total: int) -> list[Fraction]:
    """Each destination's part of the numbers below `total`: those below its sum and no earlier one's."""
    taken = 0
    parts = []
    for each in sums:
        own = min(each, total)
        parts.append(Fraction(max(0, own - taken), total))
        taken = max(taken, own)
    return parts
