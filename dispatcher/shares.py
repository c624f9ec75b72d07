"""The share of calls that a weight means under the weighted algorithms (0 to 5 and 7), from sums over a set.

The sums come from the database, so that a share costs the same in a set of any size. dispatcher/routing
computes the same from the destinations themselves, the proxy's 16-bit overflow included.
"""

import re

MAX_WEIGHT = 0xFFFF
"""The largest weight, and the largest sum of a set's weights, that the proxy keeps (16 bits)."""
_LEADING_DIGITS = re.compile("[0-9]*")


def number_of(weight: str) -> int:
    """The column `weight` as loaded: 16 bits of the number.

    1 for an `fs://` URL, whose load comes later. Of what is no number 3.4 takes the leading digits (none:
    0), and an empty text as 1; later releases refuse it.
    """
    text = weight.rstrip(" ")
    if not text or text.startswith("fs://"):
        return 1
    digits = _LEADING_DIGITS.match(text)
    return int(digits[0] or "0") & MAX_WEIGHT if digits else 0


def percentage(weight: int, active_weight: int, active: int) -> float:
    """The percentage of calls for an active destination of `weight` among the `active` ones.

    Those sum to `active_weight`.
    A pick that hits an inactive destination is made again among the active ones, so they share all calls.
    Where all weights are 0 the calls go by index, in equal parts.
    """
    if active_weight:
        return 100 * weight / active_weight
    return 100 / active if active else 0.0
