"""Writing a recurrence from what people say: on which weekdays, from when to when."""

from dataclasses import dataclass
from datetime import date, time

_DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
ALL_DAYS = frozenset(range(7))


class ScheduleError(Exception):
    """No recurrence says this; `field` is the one to change."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class Schedule:
    """On `weekdays` (Monday is 0) from `begins` to `ends`, by the clock of `zone`; `ends` 00:00 is midnight.

    `zone` "" is the proxy's own. It holds from the day `start` on, up to and with the day `until`, if any.
    """

    weekdays: frozenset[int]
    begins: time
    ends: time
    start: date
    until: date | None = None
    zone: str = ""

    def text(self) -> str:
        """The column `timerec`; raises ScheduleError."""
        if not self.weekdays:
            raise ScheduleError("weekdays", "Choose a day.")
        if self.until is not None and self.until < self.start:
            raise ScheduleError("until", "That is before its start.")
        seconds = (_second(self.ends) or 86_400) - _second(self.begins)
        if seconds <= 0:
            raise ScheduleError("ends", "Over midnight needs two rules: one up to 00:00, one from 00:00 on.")
        hours, rest = divmod(seconds // 60, 60)
        duration = f"PT{f'{hours}H' if hours else ''}{f'{rest}M' if rest else ''}"
        until = f"{self.until:%Y%m%d}T235959" if self.until else ""
        days = "" if self.weekdays == ALL_DAYS else ",".join(_DAYS[day] for day in sorted(self.weekdays))
        frequency = "weekly" if days else "daily"
        fields = [
            *([self.zone] if self.zone else []),
            f"{self.start:%Y%m%d}T{self.begins:%H%M}00",
            "",
            duration,
            frequency,
            until,
            "",
            days,
        ]
        return "|".join(fields).rstrip("|")


def _second(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60
