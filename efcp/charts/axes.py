"""Axes of charts: where a value lies, and its ticks. Pure: no Django, no clock.

Places are percentages of the plot, which SVG takes as coordinates: a chart fills any width, and its text is
never stretched.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

MOST_TICKS = 6
_STEPS = (1.0, 2.0, 5.0, 10.0)
_CLOCK_STEPS = (
    timedelta(seconds=1),
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
)
_DAY_STEPS = (1, 2, 5, 10, 30)
_MIDNIGHT = "%d %b"


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place in per cent of the plot, and its text with the unit."""

    at: float
    text: str

    @property
    def from_top(self) -> float:
        """Its place on an upright axis, whose 0 is at the bottom."""
        return 100 - self.at

    @property
    def anchor(self) -> str:
        """Which end of the text stands at the mark, so that no text leaves the plot."""
        if self.at < 4:
            return "start"
        return "end" if self.at > 96 else "middle"


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """Numbers from 0 to `top`, in `unit` (such as "%", "s"; empty for plain numbers)."""

    top: float
    unit: str
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """Where `value` lies, in per cent from 0; what is beyond the axis lies at its end."""
        return 100 * (min(max(value, 0.0), self.top) / self.top)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Moments from `begin` to `end`."""

    begin: datetime
    end: datetime
    ticks: tuple[Tick, ...]

    def place(self, moment: datetime) -> float:
        """Where `moment` lies, in per cent from `begin`."""
        return 100 * ((moment - self.begin) / (self.end - self.begin))


def value_axis(
    most: float, unit: str = "", *, whole: bool = False, most_ticks: int = MOST_TICKS
) -> ValueAxis:
    """An axis from 0 to the first round number that is not below `most`; `whole` has no ticks in between."""
    step = _round_step(max(most, 1.0 if whole else 1e-9) / (most_ticks - 1))
    if whole:
        step = max(1.0, step)
    count = max(1, math.ceil(most / step - 1e-9))
    ticks = tuple(Tick(100 * index / count, value_text(index * step, unit)) for index in range(count + 1))
    return ValueAxis(count * step, unit, ticks)


def span_axis(length: float, unit: str, *, most_ticks: int = MOST_TICKS) -> ValueAxis:
    """An axis that ends at `length` exactly, with its ticks at round numbers."""
    step = _round_step(length / (most_ticks - 1))
    values = (index * step for index in range(math.floor(length / step + 1e-9) + 1))
    return ValueAxis(
        length, unit, tuple(Tick(100 * each / length, value_text(each, unit)) for each in values)
    )


def time_axis(
    begin: datetime, end: datetime, zone: tzinfo = UTC, *, most_ticks: int = MOST_TICKS
) -> TimeAxis:
    """An axis whose ticks are round times of the clock in `zone`: "15:00", and "28 Nov" at midnight."""
    ticks = tuple(_time_ticks(begin, end, zone, most_ticks))
    return TimeAxis(begin, end, ticks)


def value_text(value: float, unit: str = "") -> str:
    """A number for people: "6,673", "0.25", "66.7 %"."""
    text = f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:,.3g}"
    return f"{text} {unit}" if unit else text


def _round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9))


def _time_ticks(begin: datetime, end: datetime, zone: tzinfo, most_ticks: int) -> Iterator[Tick]:
    length = end - begin
    step = next((each for each in _CLOCK_STEPS if length / each <= most_ticks), None)
    if step is None:
        days = next(
            (each for each in _DAY_STEPS if length / timedelta(days=each) <= most_ticks), _DAY_STEPS[-1]
        )
        moments = _midnights(begin, end, zone, days)
    else:
        moments = _clock_times(begin, end, zone, step)
    for moment in moments:
        local = moment.astimezone(zone)
        is_midnight = (local.hour, local.minute, local.second) == (0, 0, 0)
        fine = "%H:%M:%S" if step is not None and step < timedelta(minutes=1) else "%H:%M"
        text = local.strftime(_MIDNIGHT if is_midnight else fine).lstrip("0" if is_midnight else "")
        yield Tick(100 * ((moment - begin) / length), text)


def _clock_times(begin: datetime, end: datetime, zone: tzinfo, step: timedelta) -> Iterator[datetime]:
    """The moments at which the clock in `zone` shows a multiple of `step`; its offset is that of `begin`."""
    local = begin.astimezone(zone)
    since_midnight = local.replace(tzinfo=None) - datetime.combine(local.date(), datetime.min.time())
    moment = begin + (-since_midnight % step)
    while moment <= end:
        yield moment
        moment += step


def _midnights(begin: datetime, end: datetime, zone: tzinfo, days: int) -> Iterator[datetime]:
    """Every `days`-th midnight in `zone`, whatever its offset is then."""
    day = begin.astimezone(zone).date() + timedelta(days=1)
    while True:
        moment = datetime.combine(day, datetime.min.time(), zone).astimezone(UTC)
        if moment > end:
            return
        if moment >= begin:
            yield moment
        day += timedelta(days=days)
