"""What a proxy reports of loading a module's table, and what its last load was. Pure: no Django, no I/O.

MI lists no dialplan rules, and not every column of a destination. So the panel keeps the rows that its own
reload loaded, until a report shows another load: from elsewhere, or because the proxy restarted. The
proxy keeps its last 20 reports of loads per partition (dispatch.c, dialplan.c).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from efcp.mi.replies import IdentifierReports, LoadCount, StatusReport
from efcp.proxies.flag_reports import LOAD_REPORTS_KEPT, ReportCursor, unread

_HAS_PARTITIONS: dict[str, bool] = {}
"""The modules whose reports of loading are read, by name."""

OTHER_TABLE = "It read different rows: it loads another table or an outdated replica."

_STARTING = "starting DB data loading"
_COMPLETED = "DB data loading successfully completed"
_FAILED = "DB data loading failed"

Row = tuple[Any, ...]


class LoadSource(StrEnum):
    """Who caused a load."""

    PANEL = "panel"
    START = "start"
    OTHER = "other"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class LoadReports:
    """A module's reports of loading one partition, oldest first, and when they were requested."""

    requested_at: datetime
    ring: IdentifierReports

    @property
    def cursor(self) -> ReportCursor:
        """The cursor at the end of these reports."""
        return ReportCursor.of(self.ring.reports)


@dataclass(frozen=True, slots=True)
class PanelLoad:
    """A load that this panel requested: when, and what the proxy reported before and after it.

    `rows` are those of the table where it was the same before and after, in one order; else None, and
    `problem` says why. `fits`: what the proxy holds since is all in these rows, as far as it says.
    `reports_before` and `reports` are None where the proxy gave no usable answer.
    """

    started_at: datetime
    rows: Sequence[Row] | None
    problem: str
    fits: bool
    reports_before: LoadReports | None
    reports: LoadReports | None


@dataclass(frozen=True, slots=True)
class LastLoad:
    """The last load of a module by a proxy, as ProxyLoad has it; `digest` is that of its rows, if known.

    `cursor` is how far the reports were read, in the answer to the request of `reports_requested_at`.
    """

    source: str = LoadSource.UNKNOWN
    started_at: datetime | None = None
    failed_at: datetime | None = None
    loaded: int | None = None
    discarded: int | None = None
    problem: str = ""
    other_table: bool = False
    digest: str | None = None
    cursor: str = ""
    reports_requested_at: datetime | None = None

    def is_newer_than(self, reports: LoadReports) -> bool:
        """Whether the reports that were read last were requested after `reports`, or with them."""
        return self.reports_requested_at is not None and self.reports_requested_at >= reports.requested_at


@dataclass(frozen=True, slots=True)
class _Load:
    """One load in a ring of reports: the index of its first report, when it began, and what it counted."""

    index: int
    started_at: datetime
    count: LoadCount | None = None


@dataclass(frozen=True, slots=True)
class _Ring:
    """The completed loads of a ring, oldest first; the last failure behind them; whether one is under way."""

    loads: tuple[_Load, ...]
    failed_at: datetime | None
    under_way: bool


def register(module: str, *, has_partitions: bool) -> None:
    """Have a module's reports of loading read; with `has_partitions`, those of the proxy's partition."""
    _HAS_PARTITIONS[module] = has_partitions


def reporting_modules() -> tuple[str, ...]:
    """The names of the registered modules."""
    return tuple(_HAS_PARTITIONS)


def partition_of(module: str, partition: str) -> str:
    """The partition of `module` that the panel follows on a proxy whose partition is `partition`."""
    return partition if _HAS_PARTITIONS[module] else "default"


def completed_at(reports: Sequence[StatusReport]) -> datetime | None:
    """When the last load among `reports` completed, by the proxy's clock; None where none did."""
    return next((each.at for each in reversed(reports) if each.text.startswith(_COMPLETED)), None)


def read_on(load: LastLoad, reports: LoadReports) -> LastLoad:
    """The last load, once what is new in `reports` is read. Rows are known of the panel's own loads only.

    Reports requested before those that were read last are not new.
    """
    if load.is_newer_than(reports):
        return load
    new = unread(reports.ring, ReportCursor.parse(load.cursor), LOAD_REPORTS_KEPT)
    ring = _ring(reports.ring.reports)
    is_first = not load.cursor
    last = ring.loads[-1] if ring.loads else None
    now = replace(
        load,
        failed_at=ring.failed_at and min(ring.failed_at, reports.requested_at),
        cursor=str(new.cursor),
        reports_requested_at=reports.requested_at,
    )
    if not (is_first or new.lost or completed_at(new.reports)):
        return now
    read_before = 0 if is_first or new.lost else len(reports.ring.reports) - len(new.reports)
    count = last.count if last else None
    return replace(
        now,
        source=_source(ring, reports.ring.reports),
        digest=None,
        problem="",
        other_table=False,
        started_at=None if last is None else _by_our_clock(last, read_before, load, reports),
        loaded=count.loaded if count else None,
        discarded=count.discarded if count else None,
    )


def panel_load(load: LastLoad, own: PanelLoad) -> LastLoad | None:
    """The last load after the panel's own reload; None where a later load was reported already.

    `digest` stays None: the caller stores the rows where `problem` is empty.
    """
    cursor = str(own.reports.cursor) if own.reports else ""
    if own.reports and load.is_newer_than(own.reports) and load.cursor != cursor:
        return None
    count = _last_count(own.reports)
    problem = own.problem or _doubt(own)
    other_table = not problem and own.rows is not None and not _is_table(own, own.rows, count)
    return LastLoad(
        LoadSource.PANEL,
        own.started_at,
        loaded=count.loaded if count else None,
        discarded=count.discarded if count else None,
        problem=(OTHER_TABLE if other_table else problem)[:255],
        other_table=other_table,
        cursor=cursor,
        reports_requested_at=own.reports.requested_at if own.reports else load.reports_requested_at,
    )


def _by_our_clock(last: _Load, read_before: int, load: LastLoad, reports: LoadReports) -> datetime:
    """When a load began, between the two readings of which only the later one shows it."""
    started_at = min(last.started_at, reports.requested_at)
    if load.reports_requested_at is None or last.index < read_before:
        return started_at
    return max(started_at, load.reports_requested_at)


def _source(ring: _Ring, reports: Sequence[StatusReport]) -> LoadSource:
    """A ring that is not full begins with the proxy's start."""
    if not ring.loads:
        return LoadSource.UNKNOWN
    if len(reports) < LOAD_REPORTS_KEPT and len(ring.loads) == 1:
        return LoadSource.START
    return LoadSource.OTHER


def _ring(reports: Sequence[StatusReport]) -> _Ring:
    loads: list[_Load] = []
    start: tuple[int, datetime] | None = None
    failed_at: datetime | None = None
    for index, report in enumerate(reports):
        if report.text.startswith(_STARTING):
            start = index, report.at
        elif report.text.startswith(_COMPLETED):
            loads.append(_Load(*(start or (index, report.at))))
            start = failed_at = None
        elif report.text.startswith(_FAILED):
            start, failed_at = None, report.at
        elif loads and (count := report.load_count()) is not None:
            loads[-1] = _Load(loads[-1].index, loads[-1].started_at, count)
    return _Ring(tuple(loads), failed_at, start is not None)


def _last_count(reports: LoadReports | None) -> LoadCount | None:
    loads = _ring(reports.ring.reports).loads if reports else ()
    return loads[-1].count if loads else None


def _doubt(own: PanelLoad) -> str:
    """Why it is not known which rows this load read, empty where it is."""
    before, after = own.reports_before, own.reports
    if before is None or after is None or not after.ring.reports:
        return "It doesn't report loads, so a later one would go unnoticed."
    new = unread(after.ring, before.cursor, LOAD_REPORTS_KEPT)
    if _ring(before.ring.reports).under_way or new.lost or not completed_at(new.reports):
        return "Two loads overlapped; which one read the table last is unknown."
    if _last_count(after) is None:
        return "It did not report how many rows it loaded."
    return ""


def _is_table(own: PanelLoad, rows: Sequence[Row], count: LoadCount | None) -> bool:
    """Whether the proxy read as many rows as the table has, and holds none but these."""
    return count is not None and count.loaded + count.discarded == len(rows) and own.fits
