"""How long ago, in the largest unit that fits: "3 min"; static/js/efcp.js lets it grow in the same words."""

from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def in_words(duration: timedelta) -> str:
    """`duration` rounded down to whole days, hours, minutes or seconds; never negative."""
    seconds = max(0, round(duration.total_seconds()))
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
