"""`localtime` and `mktime` as the proxy's C library has them, with the time zone handed in.

Recurrences depend on more than offsets: on what `mktime` makes of dates that do not exist, of a wanted
standard time while daylight saving is on, and of zone names that it does not know (they are UTC).
"""

import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo

SECONDS_PER_DAY: Final = 86400

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND: Final = -62_135_510_400
_LAST_SECOND: Final = 253_402_214_400
_POSIX_ZONE: Final = re.compile(
    r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d{1,2}(?::\d{2}){0,2}"
    r"(?P<summer>(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)(?:[+-]?\d{1,2}(?::\d{2}){0,2})?(?P<rule>,.+)?)?"
)
_DEFAULT_RULE: Final = ",M3.2.0,M11.1.0"

# glibc's search for a time whose daylight saving is the wanted one (mktime.c).
_PROBES: Final = 6
_STRIDE: Final = 601_200
_SEARCH_BOUND: Final = 536_454_000 // 2 + _STRIDE


@dataclass(frozen=True, slots=True)
class BrokenDownTime:
    """C's `struct tm` with the full year: `month` and `yearday` count from 0, `weekday` from Sunday."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    weekday: int = 0
    yearday: int = 0
    is_dst: bool = False

    @property
    def second_of_day(self) -> int:
        """Seconds since midnight by the clock."""
        return self.hour * 3600 + self.minute * 60 + self.second


class LocalClock:
    """One zone's clock. `zone` is a value of TZ: a name of the zone database or a POSIX rule.

    Where a local time exists twice, glibc uses the offset of its last conversion; so does one clock, which
    begins with offset 0.
    """

    def __init__(self, zone: str) -> None:
        self._zone = _zone_of(zone)
        self._last_offset = 0

    def localtime(self, time: int) -> BrokenDownTime:
        """The local time at Unix time `time`."""
        offset, is_dst = self._offset(time)
        days, second_of_day = divmod(time + offset, SECONDS_PER_DAY)
        year, month, day = _civil(days)
        return BrokenDownTime(
            year=year,
            month=month - 1,
            day=day,
            hour=second_of_day // 3600,
            minute=second_of_day // 60 % 60,
            second=second_of_day % 60,
            weekday=(days + 4) % 7,
            yearday=days - _days(year, 1, 1),
            is_dst=is_dst,
        )

    def mktime(self, local: BrokenDownTime, is_dst: bool | None) -> int:
        """The Unix time of a local time; fields may be out of range. `is_dst` None: whichever is in force."""
        clock = _seconds(local)
        guess = clock - self._last_offset
        time = self._with_dst(clock, self._converge(clock, guess, is_dst), is_dst)
        self._last_offset = clock - time
        return time

    def _converge(self, clock: int, guess: int, is_dst: bool | None) -> int:
        """A time at which the clock shows `clock`; in a gap of the clock, one that glibc would take."""
        time = before = before_that = guess
        was_dst = False
        for _ in range(_PROBES):
            offset, dst_now = self._offset(time)
            error = clock - (time + offset)
            if error == 0:
                return time
            if time == before and time != before_that:
                settles = was_dst <= dst_now if is_dst is None else is_dst != dst_now
                if settles:
                    return time
            before, before_that, time, was_dst = before_that, time, time + error, dst_now
        return time

    def _with_dst(self, clock: int, time: int, is_dst: bool | None) -> int:
        if is_dst is None or self._offset(time)[1] == is_dst or self._shows(time) != clock:
            return time
        for distance in range(_STRIDE, _SEARCH_BOUND, _STRIDE):
            for other in (time - distance, time + distance):
                offset, dst_there = self._offset(other)
                if dst_there == is_dst:
                    return clock - offset
        return time

    def _shows(self, time: int) -> int:
        return time + self._offset(time)[0]

    def _offset(self, time: int) -> tuple[int, bool]:
        """Seconds east of Greenwich, and whether that is daylight saving time."""
        second = min(max(time, _FIRST_SECOND), _LAST_SECOND)
        local = (_EPOCH + timedelta(seconds=second)).astimezone(self._zone)
        offset = local.utcoffset() or timedelta()
        return offset.days * SECONDS_PER_DAY + offset.seconds, bool(local.dst())


@cache
def _zone_of(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return _posix_zone(name) or UTC


def _posix_zone(text: str) -> tzinfo | None:
    """A zone from a rule as in TZ, through the footer of an otherwise empty zone file."""
    found = _POSIX_ZONE.fullmatch(text)
    if found is None:
        return None
    rule = text if not found["summer"] or found["rule"] else text + _DEFAULT_RULE
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    block = header + struct.pack(">lbB4s", 0, 0, 0, b"UTC\0")
    try:
        return ZoneInfo.from_file(BytesIO(block + block + b"\n" + rule.encode("ascii") + b"\n"))
    except ValueError:
        return None


def _seconds(time: BrokenDownTime) -> int:
    """The seconds since 1970 that the clock seems to show; every field may be out of its range."""
    years, month = divmod(time.month, 12)
    days = _days(time.year + years, month + 1, 1) + time.day - 1
    return days * SECONDS_PER_DAY + time.second_of_day


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar, for any year (Hinnant's algorithm)."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01: the inverse of `_days`."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = (shifted_month + 2) % 12 + 1
    return era * 400 + year_of_era + (month <= 2), month, day
