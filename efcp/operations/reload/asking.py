"""Reloading one proxy over MI and reading it back. Runs in threads, without the database."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from efcp.mi import MiClient, MiError, RefusedError
from efcp.mi.reports import LoadCount
from efcp.operations.models import Module, ReloadOutcome
from efcp.proxies.asking import Answer, NotAskedError, Target, ask

RELOAD_LIMIT_S = 30.0
READ_BACK_LIMIT_S = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T]):
    """What is sent to a proxy: `reload` within the seconds given, `question` after it, whatever came of it.

    `identifier` is that of the module's reports of loading.
    """

    module: Module
    identifier: str
    reload: Callable[[MiClient, float], object]
    question: Callable[[MiClient], T]


@dataclass(frozen=True, slots=True)
class Reports:
    """What the proxy reports of its loading: the counts of this load, else its newest report as text."""

    count: LoadCount | None = None
    newest: str = ""


@dataclass(frozen=True, slots=True)
class Reloaded(Generic[T]):
    """What a proxy made of the reload, and what it holds and reports after that.

    `took_ms` is None where the request was not sent. The read-back follows every answer, an error too.
    """

    target: Target
    outcome: ReloadOutcome
    message: str
    took_ms: float | None
    read_back: Answer[T]
    reports: Reports


def reload_and_read_back(target: Target, exchange: Exchange[T]) -> Reloaded[T]:
    """Send the reload once, then ask the question and for the reports, whatever came of it."""
    if isinstance(target.endpoint, NotAskedError):
        unasked: Answer[T] = Answer(target.proxy, target.endpoint, datetime.now(UTC), 0.0)
        problem = str(target.endpoint)
        return Reloaded(target, ReloadOutcome.NOT_REACHED, problem, None, unasked, Reports())
    client = MiClient(target.endpoint, timeout=READ_BACK_LIMIT_S)
    started = time.monotonic()
    outcome, message = _reload(client, exchange)
    took_ms = (time.monotonic() - started) * 1000
    read_back = ask(target, exchange.question, READ_BACK_LIMIT_S)
    reports = _reports(client, exchange, outcome) if read_back.error is None else Reports()
    return Reloaded(target, outcome, message, took_ms, read_back, reports)


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


def _reports(client: MiClient, exchange: Exchange[T], outcome: ReloadOutcome) -> Reports:
    """What is reported of this load. A failed one reports no count: the last count is an older load's."""
    module, identifier = exchange.module.value, exchange.identifier
    try:
        found = client.sr_list_reports(module, identifier).of(module, identifier)
    except MiError:
        return Reports()
    if found is None or not found.reports:
        return Reports()
    if outcome is ReloadOutcome.DONE:
        return Reports(count=found.last_load_count())
    return Reports(newest=found.reports[-1].text)
