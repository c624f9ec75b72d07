"""The one clock of all pages: the signed-in user's time zone, named beside every absolute time.

efcp/accounts/middleware.py activates the zone for each request; without a user, and outside of requests,
it is UTC.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from django.utils import timezone

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(slots=True)
class AgeChanges:
    """When the first of some ages has other words: `within_s` seconds after it was put in words."""

    within_s: float = inf


_noted: ContextVar[AgeChanges | None] = ContextVar("noted", default=None)


@contextmanager
def noting_changes() -> Iterator[AgeChanges]:
    """Note until when all ages that are put in words meanwhile stay as they are."""
    changes = AgeChanges()
    token = _noted.set(changes)
    try:
        yield changes
    finally:
        _noted.reset(token)


def moment_text(at: datetime, *, seconds: bool = True) -> str:
    """An aware moment on the user's clock, with its zone: "2026-07-01 18:04:57 CEST"."""
    return f"{timezone.localtime(at):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} {zone_at(at)}"


def zone_at(at: datetime) -> str:
    """What the user's zone is called at that moment: "CEST", or "UTC+3" where the zone has only a number."""
    name = timezone.localtime(at).tzname() or ""
    return name if name[:1].isalpha() else f"UTC{name}"


def zone_in_full() -> str:
    """The user's zone as it is chosen, with what it is called now: "Europe/Berlin (CET)"."""
    name, now = timezone.get_current_timezone_name(), zone_at(timezone.now())
    return name if name == now else f"{name} ({now})"


def in_words(duration: timedelta) -> str:
    """`duration` in the largest unit that fits, like "3 min"; efcp.js counts on in the same words.

    Rounded down to whole days, hours, minutes or seconds; never negative.
    """
    exact = duration.total_seconds()
    seconds = max(0, round(exact))
    unit, size = next(each for each in _UNITS if seconds >= each[1] or each[1] == 1)
    count = seconds // size
    if (noted := _noted.get()) is not None:
        noted.within_s = min(noted.within_s, (count + 1) * size - 0.5 - exact)
    return f"{count} {unit}"
