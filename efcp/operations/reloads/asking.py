"""Reloading one proxy over MI and reading it back, in threads without the database.

What it loaded is stored afterwards, by the thread that stores the result.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from efcp.mi import MiClient, MiError, RefusedError
from efcp.mi.replies import LoadCount
from efcp.operations.reloads.models import Module, ReloadOutcome
from efcp.proxies.fan_out import Answer, NotAskedError, Target, ask
from efcp.proxies.load_reports import LoadReports, PanelLoad, partition_of
from efcp.proxies.loads import MAX_ROWS, record_panel_load
from efcp.proxies.polling import load_reports_of

RELOAD_LIMIT_S = 30.0
READ_BACK_LIMIT_S = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T]):
    """What is sent to a proxy: `reload` within the seconds given, `question` after it, whatever came of it.

    `partition` is the one that is reloaded; the module's reports of loading have its name.
    """

    module: Module
    partition: str
    reload: Callable[[MiClient, float], object]
    question: Callable[[MiClient], T]


@dataclass(frozen=True, slots=True)
class Reports:
    """What the proxy reports of its loading: the counts of this load, else its newest report as text.

    `before` and `after` are all its reports around the reload, None where it gave no usable answer.
    """

    count: LoadCount | None = None
    newest: str = ""
    before: LoadReports | None = None
    after: LoadReports | None = None


@dataclass(frozen=True, slots=True)
class Reloaded(Generic[T]):
    """What a proxy made of the reload, and what it holds and reports after that.

    `begun_at` is when the request was sent, `took_ms` None where it was not. The read-back follows every
    answer, an error too.
    """

    target: Target
    outcome: ReloadOutcome
    message: str
    begun_at: datetime
    took_ms: float | None
    read_back: Answer[T]
    reports: Reports


def reload_and_read_back(target: Target, exchange: Exchange[T]) -> Reloaded[T]:
    """Ask for the reports, send the reload once, then ask the question and for the reports again."""
    begun_at = datetime.now(UTC)
    if isinstance(target.endpoint, NotAskedError):
        unasked: Answer[T] = Answer(target.proxy, target.endpoint, begun_at, 0.0)
        problem = str(target.endpoint)
        return Reloaded(target, ReloadOutcome.NOT_REACHED, problem, begun_at, None, unasked, Reports())
    client = MiClient(target.endpoint, timeout=READ_BACK_LIMIT_S)
    before = load_reports_of(client, exchange.module.value, exchange.partition)
    begun_at, started = datetime.now(UTC), time.monotonic()
    outcome, message = _reload(client, exchange)
    took_ms = (time.monotonic() - started) * 1000
    read_back = ask(target, exchange.question, READ_BACK_LIMIT_S)
    reports = (
        _reports(client, exchange, outcome, before) if read_back.error is None else Reports(before=before)
    )
    return Reloaded(target, outcome, message, begun_at, took_ms, read_back, reports)


def _reload(client: MiClient, exchange: Exchange[T]) -> tuple[ReloadOutcome, str]:
    try:
        exchange.reload(client, RELOAD_LIMIT_S)
    except RefusedError as error:
        return ReloadOutcome.REFUSED, str(error)
    except MiError as error:
        # The proxy may be at work on it: a second reload would only make it work twice.
        outcome = ReloadOutcome.UNKNOWN if error.may_have_run else ReloadOutcome.NOT_REACHED
        return outcome, str(error)
    return ReloadOutcome.DONE, ""


def _reports(
    client: MiClient, exchange: Exchange[T], outcome: ReloadOutcome, before: LoadReports | None
) -> Reports:
    """What is reported of this load. A failed one reports no count: the last count is an older load's."""
    after = load_reports_of(client, exchange.module.value, exchange.partition)
    if after is None or not after.ring.reports:
        return Reports(before=before, after=after)
    if outcome is ReloadOutcome.DONE:
        return Reports(after.ring.last_load_count(), before=before, after=after)
    return Reports(newest=after.ring.reports[-1].text, before=before, after=after)


WRITTEN_MEANWHILE = (
    "The table was written to while it was reloaded, so that it is not known which rows it read."
)


def record_load(
    reloaded: Reloaded[Any],
    module: Module,
    rows: Sequence[tuple[Any, ...]] | None,
    problem: str = WRITTEN_MEANWHILE,
    *,
    fits: bool = True,
) -> None:
    """Store that `rows` were loaded; None where that is not known, by `problem`."""
    if rows is not None:
        problem = "" if len(rows) <= MAX_ROWS else f"The table has more than {MAX_ROWS:,} rows."
    target = reloaded.target
    asked = PanelLoad(
        begun_at=reloaded.begun_at,
        rows=None if problem else rows,
        problem=problem,
        fits=fits,
        reports_before=reloaded.reports.before,
        reports=reloaded.reports.after,
    )
    record_panel_load(target.proxy, module.value, partition_of(module.value, target.partition), asked)
