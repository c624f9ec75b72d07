"""Writing a recurrence from what people say: on which days, from when to when."""

from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from typing import Final

_DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
ALL_DAYS: Final = frozenset(range(7))
_A_DAY = timedelta(days=1)


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
            raise ScheduleError("until", "That is before its start.")
        if self.begins == self.ends != time(0):
            raise ScheduleError("ends", "That is when it begins. For the whole day write 00:00 twice.")
        if self.begins < self.ends or self.ends == time(0):
            return self._within_a_day()
        if self.monthdays or self.months:
            raise ScheduleError(
                "ends", "Over midnight on days of the month, or in months, needs two rules: one up to 00:00."
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
        weekdays = "" if self.weekdays == ALL_DAYS else ",".join(_DAYS[day] for day in sorted(self.weekdays))
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
