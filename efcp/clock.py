"""The one clock of all pages: the signed-in user's time zone, said beside every absolute time.

efcp/accounts/middleware.py activates the zone for each request; without a user, and outside of requests,
it is UTC.
"""

from datetime import datetime, timedelta

from django.utils import timezone

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


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
    seconds = max(0, round(duration.total_seconds()))
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
