"""Calls over time, by the proxies' counters of first choices: of a set, of a destination, of all sets.

Calls are first choices of ds_select_dst, so that a call that fails over counts for its first destination.
They are shown in the time in which their counter was read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet, Sum
from django.utils import timezone

from dispatcher.models import Destination
from dispatcher.routing.weights import shares
from dispatcher.selectors import set_names
from efcp.charts.axes import ValueAxis, time_axis, value_axis
from efcp.charts.drawings import STYLES, LineChart, Series, line_chart
from efcp.clock import moment_text
from efcp.operations.history.availability import known_until, stored_gaps
from efcp.operations.history.timeline import Period, TimelineGap
from efcp.proxies.call_counts import SLOT, slot_of
from efcp.proxies.models import CallCount, KnownDestination, KnownState
from efcp.proxies.selectors import WatchedProxy
from efcp.proxies.set_counts import listed_names
from efcp.sip.uri import uri_key

COLUMNS = {Period.DAY: (48, 2), Period.WEEK: (56, 12), Period.MONTH: (60, 48)}
"""How many columns a period has, and how many quarters of an hour each."""

MAX_COUNTS = 20_000
"""Stored counts of one set that are read, the newest."""

MAX_WEIGHED = 1_000
SHOWN_DESTINATIONS = 100
SHOWN_SETS = STYLES - 1
ENOUGH_CALLS = 200
"""Of fewer calls no share is called uneven."""

UNEVEN_POINTS = 5.0
"""Percentage points between the share of calls and the share by weight."""


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """The columns of a period, at round times; `known` says which of them some proxy's counters cover."""

    begin: int
    step: int
    known: tuple[bool, ...]

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len(self.known)

    def column_of(self, slot: int) -> int:
        """The column of a quarter of an hour."""
        return (slot - self.begin) // self.step

    def moment(self, column: int) -> datetime:
        """When a column begins."""
        return datetime.fromtimestamp((self.begin + column * self.step) * SLOT.total_seconds(), UTC)

    def chart(self, what: str, series: Iterable[tuple[str, Mapping[int, float]]]) -> LineChart:
        """A chart of named values by column."""
        axis = time_axis(self.moment(0), self.moment(self.count), timezone.get_current_timezone())
        labels = [moment_text(self.moment(column), seconds=False) for column in range(self.count)]
        drawn = [
            Series(
                name, tuple(values.get(i, 0) if known else None for i, known in enumerate(self.known)), style
            )
            for style, (name, values) in enumerate(series, start=1)
        ]
        return line_chart(what, axis, labels, drawn)


@dataclass(frozen=True, slots=True)
class DestinationCalls:
    """The calls of one destination of a set; `by_weight` is None where no proxy's weights are known."""

    uri: str
    calls: int
    percent: float
    by_weight: float | None
    is_uneven: bool


@dataclass(frozen=True, slots=True)
class CallsOverTime:
    """What a page shows of calls; `without_counter` names proxies that list no counter."""

    chart: LineChart
    total: int
    without_counter: str
    rows: tuple[DestinationCalls, ...] = ()
    further: int = 0
    axis: ValueAxis = field(default_factory=lambda: value_axis(100, "%"))

    @property
    def uneven(self) -> int:
        """How many destinations get clearly more or fewer calls than by weight."""
        return sum(row.is_uneven for row in self.rows)


def calls_of_set(setid: int, period: Period, watched: Sequence[WatchedProxy]) -> CallsOverTime:
    """The calls of a set's destinations on all these proxies together, the busiest as lines."""
    grid = _grid(period, watched)
    by_key = _by_destination(setid, grid, watched)
    totals = {key: sum(columns.values()) for key, columns in by_key.items()}
    weights, uris = _by_weight(setid, watched)
    total = sum(totals.values())
    rows = sorted(
        (
            _row(uris.get(key, key), totals.get(key, 0), total, weights.get(key))
            for key in {*totals, *weights}
        ),
        key=lambda row: (-row.calls, row.uri),
    )
    busiest = sorted(totals, key=lambda key: (-totals[key], key))
    lines: list[tuple[str, Mapping[int, float]]] = [
        (uris.get(key, key), by_key[key]) for key in busiest[: STYLES - 1]
    ]
    if others := busiest[STYLES - 1 :]:
        lines.append((f"{len(others)} others", sum((by_key[key] for key in others), Counter[int]())))
    drawn = (max(row.percent, row.by_weight or 0.0) for row in rows[:SHOWN_DESTINATIONS])
    return CallsOverTime(
        chart=grid.chart(_what(grid), lines),
        total=total,
        without_counter=_without_counter(watched),
        rows=tuple(rows[:SHOWN_DESTINATIONS]),
        further=max(0, len(rows) - SHOWN_DESTINATIONS),
        axis=value_axis(max(drawn, default=0.0), "%"),
    )


def calls_of_destination(row: Destination, period: Period, watched: Sequence[WatchedProxy]) -> CallsOverTime:
    """The calls of one destination beside those that its weight asks for, by the weights of now."""
    grid = _grid(period, watched)
    by_key = _by_destination(row.setid, grid, watched)
    key = uri_key(row.destination)
    got = by_key.get(key, Counter[int]())
    lines: list[tuple[str, Mapping[int, float]]] = [("Calls", got)]
    weights, _uris = _by_weight(row.setid, watched)
    if key in weights:
        of_set = sum(by_key.values(), Counter[int]())
        expected = {column: round(count * weights[key], 1) for column, count in of_set.items()}
        lines.append(("By weight", expected))
    return CallsOverTime(grid.chart(_what(grid), lines), sum(got.values()), _without_counter(watched))


def calls_of_sets(watched: Sequence[WatchedProxy]) -> CallsOverTime:
    """The last day's calls of the busiest sets, and of all others together."""
    grid = _grid(Period.DAY, watched)
    stored = _stored(grid, watched)
    busiest = list(
        stored.values("setid").annotate(calls=Sum("total")).order_by("-calls", "setid")[: SHOWN_SETS + 1]
    )
    names = set_names()
    lines: list[tuple[str, Mapping[int, float]]] = []
    rest = _by_column(stored, grid)
    total = sum(rest.values())
    setids = [each["setid"] for each in busiest[:SHOWN_SETS]]
    slots = (
        stored.filter(setid__in=setids).values_list("setid", "slot").annotate(calls=Sum("total")).order_by()
    )
    by_set: dict[int, Counter[int]] = {setid: Counter() for setid in setids}
    for setid, slot, calls in slots:
        by_set[setid][grid.column_of(slot)] += calls
    for setid, columns in by_set.items():
        lines.append((f"{setid} · {names[setid]}" if names.get(setid) else f"Set {setid}", columns))
        rest.subtract(columns)
    if len(busiest) > SHOWN_SETS:
        lines.append(("All other sets", rest))
    return CallsOverTime(grid.chart(_what(grid), lines), total, _without_counter(watched))


def _grid(period: Period, watched: Sequence[WatchedProxy]) -> TimeGrid:
    now = timezone.now()
    count, step = COLUMNS[period]
    begin = (slot_of(now) // step + 1 - count) * step
    grid = TimeGrid(begin, step, (True,) * count)
    partitions = {each.proxy.pk: each.proxy.partition for each in watched}
    gaps = stored_gaps(partitions, grid.moment(0), grid.moment(0))
    known = (
        any(
            _covers(each, gaps.get(each.proxy.pk, ()), grid.moment(i), grid.moment(i + 1), now)
            for each in watched
        )
        for i in range(count)
    )
    return TimeGrid(begin, step, tuple(known))


def _covers(
    each: WatchedProxy, gaps: Sequence[TimelineGap], begin: datetime, end: datetime, now: datetime
) -> bool:
    """Whether the proxy's counters were read at some time of it."""
    since = each.contact.calls_since
    if since is None or since >= end or known_until(each, begin - timedelta(days=1), now) <= begin:
        return False
    return not any(gap.begin <= begin and end <= gap.end for gap in gaps)


def _what(grid: TimeGrid) -> str:
    minutes = grid.step * SLOT // timedelta(minutes=1)
    return f"Calls in {minutes} minutes" if minutes < 60 else f"Calls in {minutes // 60} hours"


def _stored(grid: TimeGrid, watched: Sequence[WatchedProxy]) -> QuerySet[CallCount]:
    return CallCount.objects.filter(proxy__in=[each.proxy.pk for each in watched], slot__gte=grid.begin)


def _by_column(stored: QuerySet[CallCount], grid: TimeGrid) -> Counter[int]:
    columns: Counter[int] = Counter()
    for slot, calls in stored.values_list("slot").annotate(calls=Sum("total")).order_by():
        columns[grid.column_of(slot)] += calls
    return columns


def _by_destination(setid: int, grid: TimeGrid, watched: Sequence[WatchedProxy]) -> dict[str, Counter[int]]:
    """By URI key, the calls by column."""
    found: dict[str, Counter[int]] = {}
    newest = _stored(grid, watched).filter(setid=setid).order_by("-slot").values_list("slot", "calls")
    for slot, calls in newest[:MAX_COUNTS]:
        column = grid.column_of(slot)
        for key, _occurrence, count in calls:
            found.setdefault(key, Counter())[column] += count
    return found


def _by_weight(setid: int, watched: Sequence[WatchedProxy]) -> tuple[dict[str, float], dict[str, str]]:
    """By URI key, the share of calls (of 1) by weight and state, and the URI: of one proxy that answers."""
    for each in watched:
        if not (each.fresh and each.contact.with_details):
            continue
        rows = list(
            KnownDestination.objects.filter(proxy=each.proxy, partition=each.proxy.partition, setid=setid)
            .order_by("position")
            .values_list("uri_key", "uri", "weight", "state")[: MAX_WEIGHED + 1]
        )
        if not rows or len(rows) > MAX_WEIGHED:
            continue
        effective = shares(
            [weight or 0 for _key, _uri, weight, _state in rows],
            [state == KnownState.ACTIVE for *_, state in rows],
        ).effective
        weights: dict[str, float] = {}
        for (key, *_), share in zip(rows, effective, strict=True):
            weights[key] = weights.get(key, 0.0) + float(share)
        return weights, {key: uri for key, uri, *_ in rows}
    return {}, {}


def _row(uri: str, calls: int, total: int, weight: float | None) -> DestinationCalls:
    percent = 100 * calls / total if total else 0.0
    by_weight = None if weight is None else 100 * weight
    differs = by_weight is not None and abs(percent - by_weight) > UNEVEN_POINTS
    return DestinationCalls(uri, calls, percent, by_weight, differs and total >= ENOUGH_CALLS)


def _without_counter(watched: Sequence[WatchedProxy]) -> str:
    names = [
        each.proxy.name
        for each in watched
        if each.known
        and each.contact.calls_since is None
        and each.contact.hits_stored_at is not None
        and each.contact.destination_count
    ]
    return listed_names(names) if names else ""
