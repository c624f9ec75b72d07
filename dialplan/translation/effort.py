"""One limit of effort for all that one request asks of rules, however many they are.

PCRE2's own limit bounds one search of one rule; two thousand rules that each stay below it take a minute.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

SEARCHES: Final = 1_000_000
"""Searches of one expression in one text, and steps through two expressions that are compared."""
SECONDS: Final = 1.5


class Effort:
    """What is left: `searches`, and `seconds` by `clock` from now on."""

    __slots__ = ("_clock", "_deadline", "_left", "is_spent", "seconds")

    def __init__(self, searches: int, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._left = searches
        self.seconds = seconds
        self.is_spent = False

    def spend(self) -> bool:
        """Count one step; False where none was left."""
        if not self.is_spent:
            self._left -= 1
            self.is_spent = self._left < 0 or self._clock() > self._deadline
        return not self.is_spent


_current: ContextVar[Effort | None] = ContextVar("effort", default=None)


@contextmanager
def limited(effort: Effort) -> Iterator[None]:
    """Have everything within spend of `effort`; without it there is no limit across rules."""
    token = _current.set(effort)
    try:
        yield
    finally:
        _current.reset(token)


def spend() -> bool:
    """Count one step of the effort that limits this request, if one does; False where none was left."""
    effort = _current.get()
    return effort is None or effort.spend()


def is_spent() -> bool:
    """Whether what was found so far is incomplete for want of effort."""
    effort = _current.get()
    return effort is not None and effort.is_spent
