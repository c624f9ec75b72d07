"""What each proxy loaded last of a module's table, by its own reports and by the panel's reloads.

MI lists no dialplan rules, and not every column of a destination. So the panel keeps the rows that its own
reload loaded, until a report tells of another load: by other hands, or because the proxy restarted.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from efcp.mi.replies import IdentifierReports, LoadCount, Report
from efcp.proxies.ages import in_words
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import LoadedRows, LoadSource, Proxy, ProxyLoad
from efcp.proxies.switches import LOAD_REPORTS_KEPT, Mark, unread

MAX_ROWS = 100_000
"""Rows that are kept of one load; a larger table is compared by its counts alone."""

OTHER_TABLE = "It read other rows than those of this table: it loads another one, or a copy that lags behind."

MODULES = ("dispatcher", "dialplan")

_STARTING = "starting DB data loading"
_COMPLETED = "DB data loading successfully completed"
_FAILED = "DB data loading failed"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LoadReports:
    """A module's reports of loading one partition, oldest first, and when they were asked for."""

    asked_at: datetime
    ring: IdentifierReports


@dataclass(frozen=True, slots=True)
class PanelLoad:
    """A load that this panel asked for: when, and what the proxy reported before and after it.

    `rows` are those of the table where it was the same before and after, in one order; else None, and
    `problem` says why. `fits`: what the proxy holds since is all in these rows, as far as it tells.
    `reports_before` and `reports` are None where the proxy gave no usable answer.
    """

    begun_at: datetime
    rows: Sequence[Row] | None
    problem: str
    fits: bool
    reports_before: LoadReports | None
    reports: LoadReports | None


@dataclass(frozen=True, slots=True)
class LastLoad:
    """The last load of a module by a proxy, as ProxyLoad has it; `digest` is that of its rows, if known."""

    source: str
    begun_at: datetime | None
    failed_at: datetime | None
    loaded: int | None
    discarded: int | None
    problem: str
    other_table: bool
    digest: str | None


LAST_LOAD = (
    "source",
    "begun_at",
    "failed_at",
    "loaded",
    "discarded",
    "problem",
    "other_table",
    "rows__digest",
)
"""Where ProxyLoad has the fields of LastLoad, in their order."""


@dataclass(frozen=True, slots=True)
class _Load:
    """One load in a ring of reports: the index of its first report, when it began, and what it counted."""

    index: int
    begun_at: datetime
    count: LoadCount | None = None


@dataclass(frozen=True, slots=True)
class _Ring:
    """The completed loads of a ring, oldest first; the last failure behind them; whether one is under way."""

    loads: tuple[_Load, ...]
    failed_at: datetime | None
    under_way: bool


def partition_of(module: str, partition: str) -> str:
    """The partition of `module` that the panel looks after on a proxy whose dispatcher's is `partition`."""
    return partition if module == "dispatcher" else "default"


@retried_on_lock
def notice_loads(proxy: Proxy, module: str, partition: str, reports: LoadReports) -> None:
    """Store which load is the last one. Where it is none that the panel asked for, its rows are not known.

    Reports that were asked for before those that were read last tell nothing new.
    """
    mark = str(Mark.of(reports.ring.reports))
    mine = ProxyLoad.objects.filter(proxy_id=proxy.pk, module=module, partition=partition)
    if mine.filter(mark=mark, reports_asked_at__lt=reports.asked_at).update(
        reports_asked_at=reports.asked_at
    ):
        return
    with transaction.atomic():
        load = _locked(proxy, module, partition)
        if load is None or _is_outdated(load, reports):
            return
        _read(load, reports)
        load.save()


@retried_on_lock
def record_panel_load(proxy: Proxy, module: str, partition: str, asked: PanelLoad) -> None:
    """Store what this panel's reload loaded, unless a later load was reported already."""
    with transaction.atomic():
        load = _locked(proxy, module, partition)
        if load is None:
            return
        mark = str(Mark.of(asked.reports.ring.reports)) if asked.reports else ""
        if asked.reports and _is_outdated(load, asked.reports) and load.mark != mark:
            return
        count = _last_count(asked.reports)
        problem = asked.problem or _doubt(asked)
        other_table = not problem and asked.rows is not None and not _is_table(asked, asked.rows, count)
        if other_table:
            problem = OTHER_TABLE
        load.source = LoadSource.PANEL
        load.begun_at = asked.begun_at
        load.failed_at = None
        load.loaded, load.discarded = (count.loaded, count.discarded) if count else (None, None)
        load.rows = None if problem or asked.rows is None else _stored(asked.rows)
        load.problem = problem[:255]
        load.other_table = other_table
        load.mark = mark
        if asked.reports:
            load.reports_asked_at = asked.reports.asked_at
        load.save()


def last_loads(proxies: Sequence[Proxy], module: str) -> dict[int, LastLoad]:
    """The last load of each proxy's partition of `module`, by the proxy's id, in one query."""
    partitions = {each.pk: partition_of(module, each.partition) for each in proxies}
    found = ProxyLoad.objects.filter(proxy__in=proxies, module=module)
    return {
        proxy_id: LastLoad(*columns)
        for proxy_id, partition, *columns in found.values_list("proxy_id", "partition", *LAST_LOAD)
        if partition == partitions[proxy_id]
    }


def loaded_rows(digest: str) -> tuple[Row, ...] | None:
    """The rows that a digest stands for, in the order in which they were stored; None where they are gone."""
    found = LoadedRows.objects.filter(digest=digest).values_list("rows", flat=True).first()
    if found is None:
        return None
    return tuple(map(tuple, json.loads(zlib.decompress(bytes(found)))))


def why_unknown(load: LastLoad, now: datetime) -> str:
    """Why the rows that a load read are not known, as a sentence."""
    age = f"{in_words(now - load.begun_at)} ago" if load.begun_at else "at a time not known"
    match load.source:
        case LoadSource.PANEL:
            return load.problem or "What it loaded is not known."
        case LoadSource.START:
            return f"It loaded the table when it started, {age}."
        case LoadSource.OTHER:
            return f"It was reloaded {age}, not by this panel."
    return "It does not report its loads."


def _locked(proxy: Proxy, module: str, partition: str) -> ProxyLoad | None:
    """The row of this module and partition, under the proxy's lock; None where the proxy is another one."""
    same_proxy = Proxy.objects.filter(pk=proxy.pk, mi_url=proxy.mi_url, partition=proxy.partition)
    if not same_proxy.select_for_update().values_list("pk").first():
        return None
    load, _created = ProxyLoad.objects.get_or_create(proxy_id=proxy.pk, module=module, partition=partition)
    return load


def _is_outdated(load: ProxyLoad, reports: LoadReports) -> bool:
    return load.reports_asked_at is not None and load.reports_asked_at >= reports.asked_at


def _read(load: ProxyLoad, reports: LoadReports) -> None:
    """Read on from the load's mark, and move it; the load is changed, not saved."""
    new = unread(reports.ring, Mark.parse(load.mark), LOAD_REPORTS_KEPT)
    ring = _ring(reports.ring.reports)
    is_first = not load.mark
    read_before = 0 if is_first or new.lost else len(reports.ring.reports) - len(new.reports)
    last = ring.loads[-1] if ring.loads else None
    if is_first or new.lost or _holds_completed(new.reports):
        load.source = _source(ring, reports.ring.reports)
        load.rows = None
        load.problem = ""
        load.other_table = False
        load.begun_at = None if last is None else _by_our_clock(last, read_before, load, reports)
        count = last.count if last else None
        load.loaded, load.discarded = (count.loaded, count.discarded) if count else (None, None)
    load.failed_at = ring.failed_at and min(ring.failed_at, reports.asked_at)
    load.mark = str(new.mark)
    load.reports_asked_at = reports.asked_at


def _by_our_clock(last: _Load, read_before: int, load: ProxyLoad, reports: LoadReports) -> datetime:
    """When a load began, between the two readings of which only the later one tells of it."""
    begun_at = min(last.begun_at, reports.asked_at)
    if load.reports_asked_at is None or last.index < read_before:
        return begun_at
    return max(begun_at, load.reports_asked_at)


def _source(ring: _Ring, reports: Sequence[Report]) -> LoadSource:
    """A ring that is not full begins with the proxy's start."""
    if not ring.loads:
        return LoadSource.UNKNOWN
    if len(reports) < LOAD_REPORTS_KEPT and len(ring.loads) == 1:
        return LoadSource.START
    return LoadSource.OTHER


def _holds_completed(reports: Sequence[Report]) -> bool:
    return any(report.text.startswith(_COMPLETED) for report in reports)


def _ring(reports: Sequence[Report]) -> _Ring:
    loads: list[_Load] = []
    begun: tuple[int, datetime] | None = None
    failed_at: datetime | None = None
    for index, report in enumerate(reports):
        if report.text.startswith(_STARTING):
            begun = index, report.at
        elif report.text.startswith(_COMPLETED):
            loads.append(_Load(*(begun or (index, report.at))))
            begun = failed_at = None
        elif report.text.startswith(_FAILED):
            begun, failed_at = None, report.at
        elif loads and (count := report.load_count()) is not None:
            loads[-1] = _Load(loads[-1].index, loads[-1].begun_at, count)
    return _Ring(tuple(loads), failed_at, begun is not None)


def _last_count(reports: LoadReports | None) -> LoadCount | None:
    loads = _ring(reports.ring.reports).loads if reports else ()
    return loads[-1].count if loads else None


def _doubt(asked: PanelLoad) -> str:
    """Why it is not known which rows this load read, empty where it is."""
    before, after = asked.reports_before, asked.reports
    if before is None or after is None or not after.ring.reports:
        return "It does not report its loads, so that a later one could not be noticed."
    new = unread(after.ring, Mark.of(before.ring.reports), LOAD_REPORTS_KEPT)
    if _ring(before.ring.reports).under_way or new.lost or not _holds_completed(new.reports):
        return "Another load was under way, and it is not known which of the two read the table last."
    if _last_count(after) is None:
        return "It did not report how many rows it loaded."
    return ""


def _is_table(asked: PanelLoad, rows: Sequence[Row], count: LoadCount | None) -> bool:
    """Whether the proxy read as many rows as the table has, and holds none but these."""
    return count is not None and count.loaded + count.discarded == len(rows) and asked.fits


def _stored(rows: Sequence[Row]) -> LoadedRows:
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).hexdigest()
    known = LoadedRows.objects.filter(digest=digest).defer("rows").first()
    if known is not None:
        return known
    return LoadedRows.objects.get_or_create(digest=digest, defaults={"rows": zlib.compress(text, 1)})[0]
