"""Recorded checks of recurrences against `dialplan.translation.timerec`; the proxy's own zone was UTC."""

from collections.abc import Iterator
from typing import Any, Final

from dialplan.translation.timerec import TimeExpression, Timing, parse_timerec

_RECORDED: Final = {Timing.APPLIES: 1, Timing.DOES_NOT: -1}


def compare(vectors: Any) -> Iterator[str | None]:
    """For each time of each recurrence what differs, or None."""
    for recorded in vectors:
        expression = parse_timerec(recorded["timerec"], "UTC")
        for time, expected in recorded["results"]:
            got = (
                _RECORDED.get(expression.check(time))
                if isinstance(expression, TimeExpression)
                else expression
            )
            yield (
                None
                if got == expected
                else f"{recorded['timerec']} at {time}: expected {expected}, got {got}"
            )
