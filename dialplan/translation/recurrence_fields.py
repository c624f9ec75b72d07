"""The fields of one recurrence, read as `_tmrec_parse` in the proxy's `time_rec.c` reads them."""

import re
from collections.abc import Callable
from typing import Final

from dialplan.translation.localtime import SECONDS_PER_DAY, BrokenDownTime, LocalClock
from dialplan.translation.recurrence import (
    UNIT_SECONDS,
    Filters,
    Frequency,
    Item,
    Items,
    Recurrence,
    int32,
    smallest_unit,
)

_SEPARATOR: Final = "|"
_NO_TIME: Final = -1
"""What C's `time_t` holds for “not set”; a time that comes out as this is not accepted either."""

_NO_END: Final = 4_294_967_295
_FREQUENCIES: Final = {
    "daily": Frequency.DAILY,
    "weekly": Frequency.WEEKLY,
    "monthly": Frequency.MONTHLY,
    "yearly": Frequency.YEARLY,
}
_WEEKDAYS: Final = {"su": 0, "mo": 1, "tu": 2, "we": 3, "th": 4, "fr": 5, "sa": 6}
_DATE_UNITS: Final = {"w": 7 * SECONDS_PER_DAY, "d": SECONDS_PER_DAY}
_TIME_UNITS: Final = {"h": 3600, "m": 60, "s": 1}
_DIGITS: Final = "0123456789"
_LEADING_DIGITS = re.compile(r"[0-9]*")


class RecurrenceError(Exception):
    """The proxy does not take this recurrence; `position` is the character where the field begins."""

    def __init__(self, reason: str, position: int = 0) -> None:
        super().__init__(reason)
        self.position = position


def parse_recurrence(text: str, zone: str) -> Recurrence:
    """Read one recurrence, not empty; raises `RecurrenceError`. `zone` is the one where none is named."""
    return _Fields(text, zone).read()


class _Fields:
    def __init__(self, text: str, zone: str) -> None:
        self._text = text
        self._zone = zone
        self._clock = LocalClock(zone)
        self._start: int | None = None
        self._start_clock = BrokenDownTime(1900, 0, 0)
        self._end: int | None = None
        self._duration: int | None = None
        self._frequency: Frequency | None = None
        self._until: int | None = None
        self._interval: int | None = None
        self._lists: dict[str, Items | None] = {}

    def read(self) -> Recurrence:
        self._read_fields()
        is_repeated = self._until is not None or self._interval is not None or bool(self._lists)
        if self._frequency is None and is_repeated:
            raise RecurrenceError("a repeat is set without a frequency")
        filters = Filters(**self._lists)
        start = self._start or 0
        end, duration = self._end_and_duration(start, smallest_unit(self._frequency, filters))
        return Recurrence(
            zone=self._zone,
            start=start,
            start_clock=self._start_clock,
            end=end,
            duration=duration,
            frequency=self._frequency,
            until=self._until,
            interval=self._interval,
            filters=filters if self._lists else None,
        )

    def _read_fields(self) -> None:
        """Hand each field to its reader; an empty one is skipped, and what follows the last is not read."""
        at = 0
        for reader in self._readers():
            stop = self._text.find(_SEPARATOR, at)
            is_last = stop < 0
            piece = self._text[at:] if is_last else self._text[at:stop]
            try:
                is_taken = not piece or reader(piece)
            except RecurrenceError as error:
                raise RecurrenceError(str(error), at) from error
            if is_taken:
                at = len(self._text) if is_last else stop + 1
            if at == len(self._text):
                return

    def _readers(self) -> list[Callable[[str], bool]]:
        return [
            self._read_zone,
            self._read_start,
            self._read_end,
            self._read_duration,
            self._read_frequency,
            self._read_until,
            self._read_interval,
            lambda text: self._read_list("weekdays", _weekdays(text)),
            lambda text: self._read_list("monthdays", _numbers(text)),
            lambda text: self._read_list("yeardays", _numbers(text)),
            lambda text: self._read_list("weeks", _numbers(text)),
            lambda text: self._read_list("months", _numbers(text)),
        ]

    def _read_zone(self, text: str) -> bool:
        """A zone begins with a capital letter; anything else is left for the next field."""
        if not "A" <= text[0] <= "Z":
            return False
        self._zone = text
        self._clock = LocalClock(text)
        return True

    def _read_start(self, text: str) -> bool:
        self._start = self._datetime(text)
        self._start_clock = self._clock.localtime(self._start)
        return True

    def _read_end(self, text: str) -> bool:
        self._end = self._datetime(text)
        return True

    def _read_until(self, text: str) -> bool:
        self._until = self._datetime(text)
        return True

    def _read_duration(self, text: str) -> bool:
        if len(text) < 2:
            raise RecurrenceError("a duration needs at least two characters")
        self._duration = _duration(text)
        return True

    def _read_frequency(self, text: str) -> bool:
        self._frequency = _FREQUENCIES.get(text.lower(), Frequency.NONE)
        return True

    def _read_interval(self, text: str) -> bool:
        """The digits before anything else are added up, not read as a number."""
        digits = _LEADING_DIGITS.match(text)
        self._interval = sum(map(int, digits.group())) if digits else 0
        return True

    def _read_list(self, name: str, items: Items | None) -> bool:
        self._lists[name] = items
        return True

    def _datetime(self, text: str) -> int:
        """`YYYYMMDDThhmmss`; the year and the zeros of month and day are checked, the rest carries over."""
        if len(text) != 15:
            raise RecurrenceError("a time needs 15 characters, e.g. 20260131T080000")
        digits = [_digit(character) for character in text]
        year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3]
        month, day = digits[4] * 10 + digits[5], digits[6] * 10 + digits[7]
        if year < 1970:
            raise RecurrenceError("the year is before 1970")
        if month == 0 or day == 0:
            raise RecurrenceError("month or day is 0")
        hour, minute, second = (digits[at] * 10 + digits[at + 1] for at in (9, 11, 13))
        time = self._clock.mktime(BrokenDownTime(year, month - 1, day, hour, minute, second), is_dst=None)
        if time == _NO_TIME:
            raise RecurrenceError("the proxy reads this second as “no time”")
        return time

    def _end_and_duration(self, start: int, unit: Frequency) -> tuple[int, int]:
        if self._duration is not None:
            return start + self._duration, self._duration
        end = self._default_end(start, unit) if self._end is None else self._end
        return end, end - start

    def _default_end(self, start: int, unit: Frequency) -> int:
        """The end of the unit in which the start lies; of a month or year, the longest there is."""
        if unit is Frequency.NONE:
            return _NO_END
        first = self._start_clock
        days = {
            Frequency.WEEKLY: first.weekday,
            Frequency.MONTHLY: first.day,
            Frequency.YEARLY: first.yearday,
        }
        return start + UNIT_SECONDS[unit] - days.get(unit, 0) * SECONDS_PER_DAY - first.second_of_day


def _digit(character: str) -> int:
    """What C's `c - '0'` makes of any character; a byte above 127 is negative."""
    code = ord(character)
    return (code - 256 if code > 127 else code) - ord("0")


def _duration(text: str) -> int:
    """`P1W2DT3H4M5S`, or `3H4M5S`. One that does not parse is 0, so that nothing falls into it."""
    begins_with_date = text[0] in "pP"
    units = _DATE_UNITS if begins_with_date else _TIME_UNITS
    seconds = number = 0
    for character in text[1:].lower() if begins_with_date else text.lower():
        if character in _DIGITS:
            number = number * 10 + int(character)
        elif character == "t" and units is _DATE_UNITS:
            units = _TIME_UNITS
        elif character in units:
            seconds += number * units[character]
            number = 0
        else:
            return 0
    return seconds


def _weekdays(text: str) -> Items | None:
    """A list of weekdays with their numbers; None where the proxy drops all of it, and the filter with it.

    A number or sign stays in force until a weekday has taken it, even past a comma. `we` takes none.
    """
    items = [Item(0, 0)] * (text.count(",") + 1)
    at = index = number = 0
    sign = 1
    while at < len(text):
        character = text[at].lower()
        day = _WEEKDAYS.get(text[at : at + 2].lower())
        if character in _DIGITS:
            number = int32(number * 10 + int(character))
        elif day is not None:
            request = 0 if day == _WEEKDAYS["we"] else int32(sign * number)
            items[index] = Item(day, request - 1 if request > 0 else request)
            sign, number = 1, 0
            at += 1
        elif character == "-":
            sign = -1
        elif character == ",":
            index += 1
        elif character not in "+ \t":
            return None
        at += 1
    return tuple(items)


def _numbers(text: str) -> Items | None:
    """A list of numbers with signs; None where the proxy drops all of it, and the filter with it."""
    items: list[Item] = []
    number = 0
    sign = 1
    for character in text + ",":
        if character in _DIGITS:
            number = int32(number * 10 + int(character))
        elif character == ",":
            items.append(Item(number, sign))
            number, sign = 0, 1
        elif character == "-":
            sign = -1
        elif character not in "+ \t":
            return None
    return tuple(items)
