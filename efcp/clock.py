"""The one clock of all pages: the signed-in user's time zone, said beside every absolute time.

efcp/accounts/middleware.py activates the zone for each request; without a user, and outside of requests,
it is UTC.
"""

from datetime import datetime

from django.utils import timezone


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
