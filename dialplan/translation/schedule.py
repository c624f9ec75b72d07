"""Recurrences in words, when one next starts or stops to apply, and recurrences written by a form.

The words describe what the proxy reads, not what was likely meant: a list that does not parse is no filter.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dialplan.translation.localtime import SECONDS_PER_DAY
from dialplan.translation.recurrence import UNIT_SECONDS, Filters, Frequency, Items, Recurrence, smallest_unit
from dialplan.translation.timerec import Operator, TimeExpression, Timing

LOOKED_AHEAD_DAYS = 8
"""How far changes are looked for, minute by minute."""

LOOKED_FOR_YEARS = 5
"""How far any time is looked for at which a recurrence applies, day by day."""

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_UNITS = {
    Frequency.DAILY: "day",
    Frequency.WEEKLY: "week",
    Frequency.MONTHLY: "month",
    Frequency.YEARLY: "year",
}
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_TEENS = range(11, 14)
_FOREVER = 4_294_967_295
_MINUTE_S = 60

_WEEKDAY_CODES = ("mo", "tu", "we", "th", "fr", "sa", "su")
ALL_DAYS: Final = frozenset(range(7))
_A_DAY = timedelta(days=1)


def in_words(expression: TimeExpression) -> str:
    """When the expression applies."""
    parts = [
        f"{'not ' if index in expression.inverted else ''}{_operand(operand)}"
        for index, operand in enumerate(expression.operands)
    ]
    joined = (", and " if expression.operator is Operator.AND else ", or ").join(parts)
    return f"not ({joined})" if expression.ends_inverted else joined


def next_change(expression: TimeExpression, now: int) -> tuple[bool, int | None]:
    """Whether it applies at the Unix time `now`, and the minute at which that changes next.

    None where it does not within LOOKED_AHEAD_DAYS. What lasts under a minute may be missed.
    """
    applies = expression.check(now) is Timing.APPLIES
    first = now - now % _MINUTE_S + _MINUTE_S
    for moment in range(first, first + LOOKED_AHEAD_DAYS * SECONDS_PER_DAY, _MINUTE_S):
        if (expression.check(moment) is Timing.APPLIES) is not applies:
            return applies, moment
    return applies, None


@lru_cache(maxsize=256)
def applies_again(expression: TimeExpression, today: int) -> bool | None:
    """Whether it applies at any time from the Unix time `today`, or its later begin, within LOOKED_FOR_YEARS.

    Found by trying some moments of each day; None for combinations, which would take too long. What crashes
    the proxy counts as applying.
    """
    leaves = [each for each in expression.operands if isinstance(each, Recurrence)]
    if len(expression.operands) != 1 or not leaves or expression.inverted or expression.ends_inverted:
        return None
    (leaf,) = leaves
    if _is_over(leaf, today):
        return False
    begin = max(today, leaf.start)
    times_of_day = {(leaf.start + after) % SECONDS_PER_DAY for after in _moments(leaf)}
    midnight = begin - begin % SECONDS_PER_DAY
    days = range(midnight, midnight + LOOKED_FOR_YEARS * 366 * SECONDS_PER_DAY, SECONDS_PER_DAY)
    moments = chain((begin,), (day + time for day in days for time in times_of_day))
    return any(each >= begin and expression.check(each) is not Timing.DOES_NOT for each in moments)


def _is_over(leaf: Recurrence, today: int) -> bool:
    """Whether it plainly does not apply from `today` on."""
    if leaf.frequency is None:
        return leaf.end <= max(today, leaf.start)
    return leaf.frequency is Frequency.NONE or (leaf.until is not None and leaf.until < today)


def _moments(leaf: Recurrence) -> tuple[int, ...]:
    """Seconds from its begin at which it applies, if it does on that day; clocks are put forward and back."""
    shifts = () if leaf.zone == "UTC" else (3601, -3599)
    return (0, 1, leaf.duration // 2, *shifts)


def _operand(operand: Recurrence | TimeExpression) -> str:
    return _recurrence(operand) if isinstance(operand, Recurrence) else f"({in_words(operand)})"


def _recurrence(recurrence: Recurrence) -> str:
    if recurrence.frequency is None:
        begin = f"from {_moment(recurrence.start, recurrence.zone)}"
        if recurrence.end >= _FOREVER:
            return f"{begin} on"
        return f"{begin} until {_moment(recurrence.end, recurrence.zone)}"
    filters = recurrence.filters or Filters()
    parts = [
        _every(recurrence),
        *_listed(filters, recurrence.frequency),
        _span(recurrence, filters),
        f"from {_date(recurrence.start, recurrence.zone)} on",
    ]
    if recurrence.until is not None:
        last = _local(recurrence.until, recurrence.zone)
        parts.append(f"until {_date(recurrence.until, recurrence.zone)} {last:%H:%M}")
    return f"{', '.join(part for part in parts if part)} ({recurrence.zone})"


def _every(recurrence: Recurrence) -> str:
    unit = _UNITS.get(recurrence.frequency or Frequency.NONE)
    if unit is None:
        return "never: unknown frequency"
    interval = recurrence.interval
    return f"every {unit}" if interval in (None, 1) else f"every {_ordinal(interval or 0)} {unit}"


def _listed(filters: Filters, frequency: Frequency) -> list[str]:
    """The lists that the proxy looks at; weeks count for yearly recurrences only."""
    counted = frequency in (Frequency.MONTHLY, Frequency.YEARLY)
    found = []
    if filters.weekdays:
        named = [_weekday(item.request, item.value, counted=counted) for item in filters.weekdays]
        found.append(f"on {_joined(named)}")
    for items, what in ((filters.monthdays, "of the month"), (filters.yeardays, "of the year")):
        if items:
            found.append(f"on the {_joined(_numbered(items))} day {what}")
    if filters.weeks and frequency is Frequency.YEARLY:
        found.append(f"in the {_joined(_numbered(filters.weeks))} week of the year")
    if filters.months:
        found.append(
            f"in {_joined([_MONTHS[(item.value * item.request - 1) % 12] for item in filters.months])}"
        )
    return found


def _weekday(request: int, day: int, *, counted: bool) -> str:
    name = _DAYS[day % 7]
    if not counted:
        return name
    return f"the last {name}" if request < 0 else f"the {_ordinal(request + 1)} {name}"


def _numbered(items: Items) -> list[str]:
    return [_from_end(item.value) if item.request < 0 else _ordinal(item.value) for item in items]


def _from_end(number: int) -> str:
    return "last" if number == 1 else f"{_ordinal(number)} last"


def _span(recurrence: Recurrence, filters: Filters) -> str:
    """From when to when within the unit in which the recurrence repeats."""
    unit = smallest_unit(recurrence.frequency, filters)
    if unit is Frequency.NONE or recurrence.duration >= UNIT_SECONDS[unit]:
        return "all the time"
    start, end = _local(recurrence.start, recurrence.zone), _local(recurrence.end, recurrence.zone)
    if unit is Frequency.DAILY:
        return f"{start:%H:%M} to {end:%H:%M}{' of the next day' if start.day != end.day else ''}"
    if unit is Frequency.WEEKLY:
        days = (start.isoweekday() % 7, end.isoweekday() % 7)
        return f"{_DAYS[days[0]]} {start:%H:%M} to {_DAYS[days[1]]} {end:%H:%M}"
    if unit is Frequency.MONTHLY:
        return f"the {_ordinal(start.day)} {start:%H:%M} to the {_ordinal(end.day)} {end:%H:%M}"
    first, last = (f"{each.day} {_MONTHS[each.month - 1]} {each:%H:%M}" for each in (start, end))
    return f"{first} to {last}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in _TEENS else _ORDINALS.get(number % 10, "th")
    return f"{number}{ending}"


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _moment(at: int, zone: str) -> str:
    return f"{_date(at, zone)} {_local(at, zone):%H:%M} ({zone})"


def _date(at: int, zone: str) -> str:
    local = _local(at, zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def _local(at: int, zone: str) -> datetime:
    return datetime.fromtimestamp(max(0, min(at, _FOREVER)), _zone(zone))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


class ScheduleError(Exception):
    """No recurrence says this; `field` is the one to change."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class Schedule:
    """On `weekdays` (Monday is 0) from `begins` to `ends`, by the clock of `zone`; `ends` 00:00 is midnight.

    Where `ends` is before `begins`, it is of the next day. Of `monthdays` (1 to 31, -1 is the last) and
    `months` (1 to 12) none are all. `zone` "" is the proxy's own. The first day is `start`; the last on which
    it begins is `until`, if any.
    """

    weekdays: frozenset[int]
    begins: time
    ends: time
    start: date
    until: date | None = None
    zone: str = ""
    monthdays: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()

    def text(self) -> str:
        """The column `timerec`; raises ScheduleError."""
        if not self.weekdays:
            raise ScheduleError("weekdays", "Choose a day.")
        if self.until is not None and self.until < self.start:
            raise ScheduleError("until", "This is before the start.")
        if self.begins == self.ends != time(0):
            raise ScheduleError("ends", "Same as the start. For the whole day enter 00:00 twice.")
        if self.begins < self.ends or self.ends == time(0):
            return self._within_a_day()
        if self.monthdays or self.months:
            raise ScheduleError(
                "ends", "Days of the month or months past midnight need two rules, one ending at 00:00."
            )
        evening = replace(self, ends=time(0))
        morning = replace(
            self,
            begins=time(0),
            weekdays=frozenset((day + 1) % 7 for day in self.weekdays),
            start=self.start + _A_DAY,
            until=self.until and self.until + _A_DAY,
        )
        return f"{evening._within_a_day()} / {morning._within_a_day()}"

    def _within_a_day(self) -> str:
        seconds = (_second(self.ends) or 86_400) - _second(self.begins)
        hours, rest = divmod(seconds // 60, 60)
        codes = ",".join(_WEEKDAY_CODES[day] for day in sorted(self.weekdays))
        weekdays = "" if self.weekdays == ALL_DAYS else codes
        fields = [
            *([self.zone] if self.zone else []),
            f"{self.start:%Y%m%d}T{self.begins:%H%M}00",
            "",
            f"PT{f'{hours}H' if hours else ''}{f'{rest}M' if rest else ''}",
            "weekly" if weekdays else "daily",
            f"{self.until:%Y%m%d}T235959" if self.until else "",
            "",
            weekdays,
            ",".join(map(str, sorted(self.monthdays))),
            "",
            "",
            ",".join(map(str, sorted(self.months))),
        ]
        return "|".join(fields).rstrip("|")


def _second(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60
