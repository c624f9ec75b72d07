"""One recurrence: what the proxy's `time_rec.c` reads from it, and when it takes it to apply.

It looks like RFC 2445, but is not: among others, an interval is the sum of its digits, a weekday without a
number counts as the first of its month or year, a number before `we` is lost, and a list that does not parse
is no filter at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from dialplan.translation.localtime import SECONDS_PER_DAY, BrokenDownTime, LocalClock


class Frequency(IntEnum):
    """The unit in which a recurrence comes back; NONE is a word that the proxy does not know."""

    NONE = 0
    YEARLY = 1
    MONTHLY = 2
    WEEKLY = 3
    DAILY = 4


UNIT_SECONDS: Final = {
    Frequency.DAILY: SECONDS_PER_DAY,
    Frequency.WEEKLY: 7 * SECONDS_PER_DAY,
    Frequency.MONTHLY: 31 * SECONDS_PER_DAY,
    Frequency.YEARLY: 366 * SECONDS_PER_DAY,
}
"""A unit's length, at its longest."""


class DivisionByZeroError(Exception):
    """Checking the recurrence crashes the proxy: its interval is 0."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a BY list: a weekday's or another number, and the number or sign before it."""

    value: int
    request: int


Items = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """The BY lists. None is no filter: the field is empty, or holds something that does not parse."""

    weekdays: Items | None = None
    monthdays: Items | None = None
    yeardays: Items | None = None
    weeks: Items | None = None
    months: Items | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A recurrence as loaded: times in Unix seconds, None for what is not set."""

    zone: str
    start: int
    start_clock: BrokenDownTime
    end: int
    duration: int
    frequency: Frequency | None
    until: int | None
    interval: int | None
    filters: Filters | None

    @property
    def can_crash(self) -> bool:
        """Whether the proxy divides by zero when it comes to check the interval."""
        return self.interval == 0 and self.frequency not in (None, Frequency.NONE)

    def applies(self, now: int) -> bool:
        """Whether it applies at the Unix time `now`; raises `DivisionByZeroError` where the proxy crashes."""
        if now < self.start:
            return False
        if self.frequency is None:
            return now < self.end
        clock = LocalClock(self.zone)
        local = clock.localtime(now)
        return (
            self._is_in_step(clock, local)
            and self._is_in_interval(clock, local)
            and self._is_in_lists(clock, local)
            and (self.until is None or now <= self.until)
        )

    def _is_in_lists(self, clock: LocalClock, local: BrokenDownTime) -> bool:
        if self.filters is None:
            return True
        return _Calendar(clock, local, self.frequency).is_in(self.filters)

    def _is_in_step(self, clock: LocalClock, local: BrokenDownTime) -> bool:
        if self.interval is None or self.interval == 1:
            return True
        if self.can_crash:
            raise DivisionByZeroError
        steps = self._steps(clock, local)
        return steps is not None and _remainder(steps, self.interval) == 0

    def _steps(self, clock: LocalClock, local: BrokenDownTime) -> int | None:
        """Units between the start and now."""
        match self.frequency:
            case Frequency.YEARLY:
                return local.year - self.start_clock.year
            case Frequency.MONTHLY:
                return (local.year - self.start_clock.year) * 12 + local.month - self.start_clock.month
            case Frequency.DAILY:
                first, last = _midnight(clock, self.start_clock), _midnight(clock, local)
                return _quotient(int32(last - first), SECONDS_PER_DAY)
            case Frequency.WEEKLY:
                first = int32(_midnight(clock, self.start_clock) - _days_since_monday(self.start_clock))
                last = int32(_midnight(clock, local) - _days_since_monday(local))
                return _quotient(int32(last - first), UNIT_SECONDS[Frequency.WEEKLY])
        return None

    def _is_in_interval(self, clock: LocalClock, local: BrokenDownTime) -> bool:
        unit = smallest_unit(self.frequency, self.filters or Filters())
        if unit is Frequency.NONE:
            return False
        if self.duration >= UNIT_SECONDS[unit]:
            return True
        end = clock.localtime(self.end)
        if unit is Frequency.DAILY:
            return _is_in_day(local, self.start_clock, end)
        return _is_in_days(local, self.start_clock, end, self.duration, unit)


def smallest_unit(frequency: Frequency | None, filters: Filters) -> Frequency:
    """The unit within which the start and end of a recurrence repeat."""
    if frequency is Frequency.DAILY or filters.weekdays or filters.monthdays or filters.yeardays:
        return Frequency.DAILY
    if frequency is Frequency.WEEKLY or filters.weeks:
        return Frequency.WEEKLY
    if frequency is Frequency.MONTHLY or filters.months:
        return Frequency.MONTHLY
    return Frequency.YEARLY if frequency is Frequency.YEARLY else Frequency.NONE


def _is_in_day(local: BrokenDownTime, start: BrokenDownTime, end: BrokenDownTime) -> bool:
    now, first, last = local.second_of_day, start.second_of_day, end.second_of_day
    if start.day == end.day:
        return first <= now < last
    return now >= first or now < last


def _is_in_days(
    local: BrokenDownTime, start: BrokenDownTime, end: BrokenDownTime, duration: int, unit: Frequency
) -> bool:
    now, first, last = local.second_of_day, start.second_of_day, end.second_of_day
    first_day, last_day, today = (_day_in(unit, time) for time in (start, end, local))
    if first_day == last_day:
        return first <= now < last if today == first_day else duration > SECONDS_PER_DAY
    is_between = first_day < today < last_day
    is_outside = today > first_day or today < last_day
    if is_between if first_day < last_day else is_outside:
        return True
    # The very second at which the first day's part begins is left out.
    if today == first_day:
        return now > first
    return today == last_day and now < last


def _day_in(unit: Frequency, time: BrokenDownTime) -> int:
    days = {Frequency.YEARLY: time.yearday, Frequency.MONTHLY: time.day, Frequency.WEEKLY: time.weekday}
    return days[unit]


class _Calendar:
    """The position of one local time in its month and year."""

    def __init__(self, clock: LocalClock, local: BrokenDownTime, frequency: Frequency | None) -> None:
        self._local = local
        self._frequency = frequency
        self._days_in_year = 366 if _is_leap(local.year) else 365
        self._days_in_month = _days_in_month(local)
        last_day = BrokenDownTime(local.year, 11, 31)
        self._last_day = clock.localtime(clock.mktime(last_day, is_dst=False))

    def is_in(self, filters: Filters) -> bool:
        """Whether the time is in every list; weeks count for yearly recurrences only."""
        return (
            _any(filters.months, self._is_month)
            and (self._frequency is not Frequency.YEARLY or _any(filters.weeks, self._is_week))
            and _any(filters.yeardays, self._is_yearday)
            and _any(filters.monthdays, self._is_monthday)
            and _any(filters.weekdays, self._is_weekday)
        )

    def _is_month(self, item: Item) -> bool:
        return self._local.month == _remainder((item.value - 1) * item.request + 12, 12)

    def _is_week(self, item: Item) -> bool:
        weeks = _week(self._last_day) + 1
        return _week(self._local) == _remainder((item.value - 1) * item.request + weeks, weeks)

    def _is_yearday(self, item: Item) -> bool:
        days = self._days_in_year
        return self._local.yearday == _remainder((item.value - 1) * item.request + days, days)

    def _is_monthday(self, item: Item) -> bool:
        days = self._days_in_month
        return self._local.day == _remainder(item.value * item.request + days, days) + (item.request < 0)

    def _is_weekday(self, item: Item) -> bool:
        if self._local.weekday != item.value:
            return False
        if self._frequency is Frequency.YEARLY:
            which, most = self._local.yearday // 7, self._most_in_year()
        elif self._frequency is Frequency.MONTHLY:
            which, most = (self._local.day - 1) // 7, self._most_in_month()
        else:
            return True
        return which == _remainder(item.request + most, most)

    def _most_in_year(self) -> int:
        """How often today's weekday comes in the year, as the proxy counts it."""
        today, last = self._local.weekday, self._last_day.weekday
        back = today - last + 1 if today > last else last - today
        return _quotient(self._last_day.yearday - back, 7) + 1

    def _most_in_month(self) -> int:
        days = self._days_in_month
        return _quotient(days - 1 - (days - self._local.day) % 7, 7) + 1


def _any(items: Items | None, is_today: Callable[[Item], bool]) -> bool:
    return items is None or any(map(is_today, items))


def _week(time: BrokenDownTime) -> int:
    """The week of the year, weeks beginning on Monday (strftime's %W)."""
    return (time.yearday + 7 - (time.weekday + 6) % 7) // 7


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_in_month(time: BrokenDownTime) -> int:
    if time.month == 1:
        return 29 if _is_leap(time.year) else 28
    return 30 if time.month in (3, 5, 8, 10) else 31


def _midnight(clock: LocalClock, time: BrokenDownTime) -> int:
    """Midnight in standard time, as C's 32-bit int."""
    return int32(clock.mktime(BrokenDownTime(time.year, time.month, time.day), is_dst=False))


def _days_since_monday(time: BrokenDownTime) -> int:
    return (time.weekday + 6) % 7 * SECONDS_PER_DAY


def int32(number: int) -> int:
    """A number as C's `int` keeps it."""
    return (number + 2**31) % 2**32 - 2**31


def _quotient(dividend: int, divisor: int) -> int:
    """C's division, which rounds towards zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _remainder(dividend: int, divisor: int) -> int:
    """C's remainder, which has the dividend's sign."""
    return dividend - divisor * _quotient(dividend, divisor)
