"""Charts as values that a template draws: lines over time, and lanes of segments. Pure: no Django, no clock.

Series differ by colour and by dashes and marker; looks of segments by colour and by height and pattern.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from efcp.charts.axes import Tick, TimeAxis, ValueAxis, value_axis, value_text

STYLES = 8
"""How many series have a colour, dashes and a marker of their own."""

_PATTERNS = {
    "unknown": "unknown",
    "inactive": "down",
    "down": "down",
    "probing": "impaired",
    "impaired": "impaired",
}

MARKED_POINTS = 12
"""About so many points of a line carry its marker."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one thing by column; None where nothing is known. `style` counts from 1 to STYLES."""

    name: str
    values: tuple[float | None, ...]
    style: int

    @property
    def total(self) -> float:
        """The sum of what is known."""
        return sum(value for value in self.values if value is not None)


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker of a series: its place in per cent from the left and from the top."""

    x: float
    y: float
    style: int


@dataclass(frozen=True, slots=True)
class Line:
    """A series as drawn: `paths` are the points of its unbroken parts, in a box of 1000 by 1000."""

    style: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """One column of a chart: from where to where it reaches, in per cent, and what it says."""

    x: float
    width: float
    label: str
    text: str
    is_known: bool
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over columns of equal width; `labels` name the columns, `what` says what is counted."""

    what: str
    labels: tuple[str, ...]
    x_ticks: tuple[Tick, ...]
    y: ValueAxis
    series: tuple[Series, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of any series."""
        return all(value is None for each in self.series for value in each.values)

    @property
    def lines(self) -> list[Line]:
        """The series as polylines."""
        return [Line(each.style, tuple(self._paths(each))) for each in self.series]

    @property
    def markers(self) -> list[Marker]:
        """Markers on some points of each line, and on each point that stands alone."""
        every = max(1, len(self.labels) // MARKED_POINTS)
        return [
            Marker(self._x(index), 100 - self.y.place(value), each.style)
            for each in self.series
            for index, value in enumerate(each.values)
            if value is not None and (index % every == each.style % every or self._is_alone(each, index))
        ]

    @property
    def columns(self) -> list[ChartColumn]:
        """The columns with their values in words, for hovering, the keyboard and the table."""
        width = 100 / max(1, len(self.labels))
        return [self._column(index, width) for index in range(len(self.labels))]

    def _column(self, index: int, width: float) -> ChartColumn:
        values = [each.values[index] for each in self.series]
        texts = tuple("unknown" if value is None else value_text(value, self.y.unit) for value in values)
        known = any(value is not None for value in values)
        named = [f"{each.name} {text}" for each, text in zip(self.series, texts, strict=True)]
        words = " · ".join(named) if known else "unknown"
        return ChartColumn(
            index * width, width, self.labels[index], f"{self.labels[index]}: {words}", known, texts
        )

    def _x(self, index: int) -> float:
        return 100 * (index + 0.5) / len(self.labels)

    def _paths(self, series: Series) -> Iterator[str]:
        indexed = enumerate(series.values)
        for is_known, run in groupby(indexed, key=lambda each: each[1] is not None):
            if is_known:
                yield " ".join(
                    f"{10 * self._x(index):.1f},{1000 - 10 * self.y.place(value or 0.0):.1f}"
                    for index, value in run
                )

    @staticmethod
    def _is_alone(series: Series, index: int) -> bool:
        around = (*series.values[max(0, index - 1) : index], *series.values[index + 1 : index + 2])
        return all(value is None for value in around)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a lane, in per cent of its width and height: `look` is its class, `base` its lower edge."""

    look: str
    x: float
    width: float
    title: str
    height: float = 100.0
    base: float = 0.0

    @property
    def y(self) -> float:
        """The upper edge."""
        return 100 - self.base - self.height

    @property
    def pattern(self) -> str:
        """The pattern that distinguishes it without colour, empty for none."""
        return _PATTERNS.get(self.look, "")


@dataclass(frozen=True, slots=True)
class Mark:
    """An event on a lane at `x` per cent; `look` is its class, and names its shape."""

    look: str
    x: float
    title: str


@dataclass(frozen=True, slots=True)
class ChartLane:
    """One row of a drawing over time."""

    name: str
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Pill:
    """One of the upright bars of a period, in per cent: `parts` are stacked from the bottom."""

    x: float
    width: float
    title: str
    parts: tuple[Span, ...]


LEAST_HEIGHT = 12.0
"""Of a part of a pill, in per cent: so that the shortest outage is visible."""


def pill(index: int, count: int, title: str, shares: Sequence[tuple[str, float]]) -> Pill:
    """The pill number `index` of `count`; `shares` are looks and their parts of 1, the lowest first."""
    step = 100 / count
    x, width = index * step, step * 0.78
    drawn = [(look, max(LEAST_HEIGHT, 100 * share)) for look, share in shares if share > 0]
    scale = 100 / sum(height for _look, height in drawn) if drawn else 0.0
    spans, reached = [], 0.0
    for look, height in drawn:
        spans.append(Span(look, x, width, "", height * scale, reached))
        reached += height * scale
    return Pill(x, width, title, tuple(spans))


def line_chart(
    what: str, x: TimeAxis, labels: Sequence[str], series: Sequence[Series], unit: str = ""
) -> LineChart:
    """A chart of `series` over the time of `x`, its axis up to the largest value."""
    most = max((value for each in series for value in each.values if value is not None), default=0.0)
    return LineChart(
        what, tuple(labels), x.ticks, value_axis(most, unit, whole=not unit, most_ticks=5), tuple(series)
    )
