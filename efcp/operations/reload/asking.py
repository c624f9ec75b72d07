"""Reloading one proxy over MI and reading it back. Runs in threads, without the database."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from efcp.mi import MiClient, MiError, RefusedError
from efcp.mi.reports import LoadCount
from efcp.operations.models import ReloadOutcome
from efcp.proxies.asking import Answer, NotAskedError, Target, ask
from efcp.proxies.polling import Poll, Question

RELOAD_LIMIT_S = 30.0
READ_BACK_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Reports:
    """What the proxy reports of its loading: the counts of this load, else its newest report as text."""

    count: LoadCount | None = None
    newest: str = ""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a proxy made of ds_reload, and what it holds and reports after that.

    `took_ms` is None where the request was not sent. The read-back follows every answer, an error too.
    """

    target: Target
    outcome: ReloadOutcome
    message: str
    took_ms: float | None
    read_back: Answer[Poll]
    reports: Reports


def reload_and_read_back(target: Target, inherit_state: bool) -> Reloaded:
    """Send ds_reload once, then ask for the list and the reports, whatever came of it."""
    if isinstance(target.endpoint, NotAskedError):
        unasked: Answer[Poll] = Answer(target.proxy, target.endpoint, datetime.now(UTC), 0.0)
        problem = str(target.endpoint)
        return Reloaded(target, ReloadOutcome.NOT_REACHED, problem, None, unasked, Reports())
    client = MiClient(target.endpoint, timeout=READ_BACK_LIMIT_S)
    started = time.monotonic()
    outcome, message = _reload(client, target.partition, inherit_state)
    took_ms = (time.monotonic() - started) * 1000
    question = Question(partition=target.partition)
    read_back = ask(target, question, READ_BACK_LIMIT_S)
    reports = _reports(client, target.partition, outcome) if read_back.error is None else Reports()
    return Reloaded(target, outcome, message, took_ms, read_back, reports)


def _reload(client: MiClient, partition: str, inherit_state: bool) -> tuple[ReloadOutcome, str]:
    try:
        client.ds_reload(partition=partition, inherit_state=inherit_state, timeout=RELOAD_LIMIT_S)
    except RefusedError as error:
        return ReloadOutcome.REFUSED, str(error)
    except MiError as error:
        # The proxy may be at work on it: a second ds_reload would only make it work twice.
        outcome = ReloadOutcome.UNKNOWN if error.may_have_run else ReloadOutcome.NOT_REACHED
        return outcome, str(error)
    return ReloadOutcome.DONE, ""


def _reports(client: MiClient, partition: str, outcome: ReloadOutcome) -> Reports:
    """What is reported of this load. A failed one reports no count: the last count is an older load's."""
    try:
        found = client.sr_list_reports("dispatcher", partition).of("dispatcher", partition)
    except MiError:
        return Reports()
    if found is None or not found.reports:
        return Reports()
    if outcome is ReloadOutcome.DONE:
        return Reports(count=found.last_load_count())
    return Reports(newest=found.reports[-1].text)
