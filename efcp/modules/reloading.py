"""How a proxy is reloaded over MI and read back, and what a module adds to that.

Requests run in threads without the database; the thread that stores the result stores what was loaded.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

from efcp.mi import MiClient, MiError, RefusedError
from efcp.mi.replies import LoadCount
from efcp.modules.registry import ReloadOutcome
from efcp.proxies.fan_out import Answer, NotSentError, Target, ask
from efcp.proxies.load_reports import LoadReports, PanelLoad, partition_of
from efcp.proxies.loads import MAX_ROWS, record_panel_load
from efcp.proxies.models import Proxy
from efcp.proxies.polling import load_reports_of

RELOAD_LIMIT_S = 30.0
READ_BACK_LIMIT_S = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReloadCommand(Generic[T]):
    """What is sent to a proxy: `reload` within the seconds given, `question` after it, whatever came of it.

    `partition` is the one that is reloaded; the module's reports of loading have its name.
    """

    module: str
    partition: str
    reload: Callable[[MiClient, float], object]
    question: Callable[[MiClient], T]


@dataclass(frozen=True, slots=True)
class ReloadReports:
    """What the proxy reports of loading: the counts of this load, else its newest report as text.

    `before` and `after` are all its reports around the reload, None where it gave no usable answer.
    """

    count: LoadCount | None = None
    newest: str = ""
    before: LoadReports | None = None
    after: LoadReports | None = None


@dataclass(frozen=True, slots=True)
class ReloadReply(Generic[T]):
    """What a proxy made of the reload, and what it holds and reports after that.

    `started_at` is when the request was sent, `took_ms` None where it was not. The read-back follows every
    answer, an error too.
    """

    target: Target
    outcome: ReloadOutcome
    message: str
    started_at: datetime
    took_ms: float | None
    read_back: Answer[T]
    reports: ReloadReports


def reload_and_read_back(target: Target, command: ReloadCommand[T]) -> ReloadReply[T]:
    """Ask for the reports, send the reload once, then ask the question and for the reports again."""
    started_at = datetime.now(UTC)
    if isinstance(target.endpoint, NotSentError):
        unsent: Answer[T] = Answer(target.proxy, target.endpoint, started_at, 0.0)
        problem = str(target.endpoint)
        return ReloadReply(
            target, ReloadOutcome.NOT_REACHED, problem, started_at, None, unsent, ReloadReports()
        )
    client = MiClient(target.endpoint, timeout=READ_BACK_LIMIT_S)
    before = load_reports_of(client, command.module, command.partition)
    started_at, started = datetime.now(UTC), time.monotonic()
    outcome, message = _reload(client, command)
    took_ms = (time.monotonic() - started) * 1000
    read_back = ask(target, command.question, READ_BACK_LIMIT_S)
    reports = (
        _reports(client, command, outcome, before)
        if read_back.error is None
        else ReloadReports(before=before)
    )
    return ReloadReply(target, outcome, message, started_at, took_ms, read_back, reports)


def _reload(client: MiClient, command: ReloadCommand[T]) -> tuple[ReloadOutcome, str]:
    try:
        command.reload(client, RELOAD_LIMIT_S)
    except RefusedError as error:
        return ReloadOutcome.REFUSED, str(error)
    except MiError as error:
        # The proxy may be at work on it: a second reload would only make it work twice.
        outcome = ReloadOutcome.UNKNOWN if error.may_have_run else ReloadOutcome.NOT_REACHED
        return outcome, str(error)
    return ReloadOutcome.DONE, ""


def _reports(
    client: MiClient, command: ReloadCommand[T], outcome: ReloadOutcome, before: LoadReports | None
) -> ReloadReports:
    """What is reported of this load. A failed one reports no count: the last count is an older load's."""
    after = load_reports_of(client, command.module, command.partition)
    if after is None or not after.ring.reports:
        return ReloadReports(before=before, after=after)
    if outcome is ReloadOutcome.DONE:
        return ReloadReports(after.ring.last_load_count(), before=before, after=after)
    return ReloadReports(newest=after.ring.reports[-1].text, before=before, after=after)


WRITTEN_MEANWHILE = "The table changed during the reload, so which rows were read is unknown."


def record_load(
    reply: ReloadReply[Any],
    module: str,
    rows: Sequence[tuple[Any, ...]] | None,
    problem: str = WRITTEN_MEANWHILE,
    *,
    fits: bool = True,
) -> None:
    """Store that `rows` were loaded; None where that is not known, by `problem`."""
    if rows is not None:
        problem = "" if len(rows) <= MAX_ROWS else f"The table has more than {MAX_ROWS:,} rows."
    target = reply.target
    load = PanelLoad(
        started_at=reply.started_at,
        rows=None if problem else rows,
        problem=problem,
        fits=fits,
        reports_before=reply.reports.before,
        reports=reply.reports.after,
    )
    record_panel_load(target.proxy, module, partition_of(module, target.partition), load)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What is not as the table after a reload: how much, and in words.

    `differs` is None where it is not known, by `problem`, or where there is nothing to compare with.
    """

    differs: int | None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether it was read back, and nothing is known to differ."""
        return self.differs == 0 or (self.differs is None and not self.problem)


class ReloadStrategy(Protocol):
    """How a module is reloaded; one object for each run.

    `read_back_limit_s` bounds the question after the reload.
    """

    read_back_limit_s: float

    def blocked(self, proxies: Iterable[Proxy]) -> dict[int, str]:
        """By proxy id why it is not asked: its whole reload would fail."""
        ...

    def prepare(self) -> None:
        """Read what `ask` and `store` need of the database, before the threads of each batch begin."""
        ...

    def reload(self, target: Target) -> ReloadReply[Any]:
        """Reload one proxy and read it back; runs in a thread of its own, without the database."""
        ...

    def store(self, reply: ReloadReply[Any]) -> ReadBack:
        """Store what was read back, and compare it with the table."""
        ...
