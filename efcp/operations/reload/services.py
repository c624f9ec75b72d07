"""Starting a reload and storing what comes of it.

The proxies are asked by threads of this process. Should the process die, a result past its deadline reads
as unknown; no reload is ever sent a second time.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from dispatcher.changes import compare
from dispatcher.routing.findings import Finding
from efcp.audit.services import Actor, Subject, record
from efcp.operations.models import ReloadOutcome, ReloadResult, ReloadRun
from efcp.operations.reload.asking import (
    READ_BACK_LIMIT_S,
    RELOAD_LIMIT_S,
    Reloaded,
    reload_and_read_back,
)
from efcp.proxies.asking import MAX_THREADS, Target, target_of
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import Proxy
from efcp.proxies.polling import store_answer
from efcp.proxies.selectors import WatchedProxy, watched_proxies

RUNNING_KEY = "dispatcher"
SLACK_S = 5.0
"""What storing may take beside the limits of the calls, until a result counts as unknown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to reload: keep the states in memory, begin with one proxy, and why."""

    inherit_state: bool = True
    one_first: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The run, whether this call began it, and an event that is set when all proxies have answered."""

    run: ReloadRun
    is_new: bool
    ended: threading.Event


def start(proxies: Sequence[Proxy], wanted: Wanted, actor: Actor) -> Started:
    """Begin to reload `proxies`, unless a reload is under way: then that run is everybody's.

    A proxy whose reload would fail over a row is not asked. Returns at once.
    """
    ids = {proxy.pk for proxy in proxies}
    changes = compare([each for each in watched_proxies() if each.proxy.pk in ids])
    breaking = {each.watched.proxy.pk: each.breaking for each in changes if each.breaking}
    ended = threading.Event()
    try:
        run = _create(proxies, breaking, wanted, actor)
    except IntegrityError:
        return Started(_running(), False, ended)
    targets = [target_of(proxy) for proxy in proxies if proxy.pk not in breaking]
    threading.Thread(target=_carry_out, args=(run, targets, ended), name="reload", daemon=True).start()
    return Started(run, True, ended)


@retried_on_lock
def _create(
    proxies: Sequence[Proxy], breaking: dict[int, Finding], wanted: Wanted, actor: Actor
) -> ReloadRun:
    now = timezone.now()
    calls_s = RELOAD_LIMIT_S + 2 * READ_BACK_LIMIT_S + SLACK_S
    deadline = now + timedelta(seconds=calls_s * (2 if wanted.one_first else 1))
    with transaction.atomic():
        _end_abandoned(now)
        run = ReloadRun.objects.create(
            started_at=now,
            running_key=RUNNING_KEY,
            actor=actor.name,
            reason=wanted.reason,
            inherit_state=wanted.inherit_state,
            one_first=wanted.one_first,
        )
        ReloadResult.objects.bulk_create(
            _not_sent(run, proxy, breaking[proxy.pk], deadline)
            if proxy.pk in breaking
            else ReloadResult(run=run, proxy=proxy, deadline=deadline)
            for proxy in proxies
        )
        names = ", ".join(proxy.name for proxy in proxies)
        record(
            actor,
            "reload",
            Subject("reload", str(run.pk), f"dispatcher on {names}"),
            after={"proxies": [proxy.name for proxy in proxies], "inherit_state": wanted.inherit_state},
            reason=wanted.reason,
        )
    return run


def _not_sent(run: ReloadRun, proxy: Proxy, finding: Finding, deadline: datetime) -> ReloadResult:
    return ReloadResult(
        run=run,
        proxy=proxy,
        deadline=deadline,
        outcome=ReloadOutcome.NOT_SENT,
        ended_at=timezone.now(),
        message=f"Row {finding.row_id}, {finding.column}: {finding.text}"[:255],
    )


def _end_abandoned(now: datetime) -> None:
    """Free the key of a run whose process died: every result of it is past its deadline."""
    waiting = ReloadResult.objects.filter(ended_at=None, deadline__gt=now).values("run_id")
    abandoned = ReloadRun.objects.filter(running_key=RUNNING_KEY).exclude(pk__in=waiting)
    abandoned.filter(results__deadline__lte=now).update(running_key=None)


def _running() -> ReloadRun:
    """The run under way, or the last one where it has just ended."""
    return ReloadRun.objects.filter(running_key=RUNNING_KEY).first() or ReloadRun.objects.latest("id")


def _carry_out(run: ReloadRun, targets: Sequence[Target], ended: threading.Event) -> None:
    try:
        if run.one_first and len(targets) > 1:
            if _ask_and_store(run, targets[:1]):
                _ask_and_store(run, targets[1:])
            else:
                _skip(run, targets[1:], targets[0].proxy.name)
        else:
            _ask_and_store(run, targets)
        _finish(run)
    finally:
        connection.close()
        ended.set()


def _ask_and_store(run: ReloadRun, targets: Sequence[Target]) -> bool:
    """Reload all targets at once, store each result as it comes; tell whether all were clean."""
    if not targets:
        return True
    proxies = [target.proxy for target in targets]
    ReloadResult.objects.filter(run=run, proxy__in=proxies).update(outcome=ReloadOutcome.RUNNING)
    with ThreadPoolExecutor(min(len(targets), MAX_THREADS), thread_name_prefix="reload") as pool:
        asked = [pool.submit(reload_and_read_back, target, run.inherit_state) for target in targets]
        clean = [_store(run, future.result()) for future in as_completed(asked)]
    return all(clean)


@retried_on_lock
def _store(run: ReloadRun, reloaded: Reloaded) -> bool:
    """Store what one proxy answered and holds; tell whether nothing differs any more."""
    problem = store_answer(reloaded.read_back).problem
    differs = None if problem else _still_differs(reloaded.target.proxy)
    ReloadResult.objects.filter(run=run, proxy=reloaded.target.proxy).update(
        outcome=reloaded.outcome,
        message=reloaded.message[:255],
        ended_at=timezone.now(),
        took_ms=reloaded.took_ms,
        loaded=reloaded.count.loaded if reloaded.count else None,
        discarded=reloaded.count.discarded if reloaded.count else None,
        differs=differs,
        read_back_problem=problem[:255],
    )
    return reloaded.outcome is ReloadOutcome.DONE and differs == 0


def _still_differs(proxy: Proxy) -> int:
    watched: list[WatchedProxy] = [each for each in watched_proxies() if each.proxy.pk == proxy.pk]
    return sum(changes.count for changes in compare(watched))


def _skip(run: ReloadRun, targets: Sequence[Target], first: str) -> None:
    proxies = [target.proxy for target in targets]
    ReloadResult.objects.filter(run=run, proxy__in=proxies).update(
        outcome=ReloadOutcome.NOT_SENT,
        ended_at=timezone.now(),
        message=f"The first proxy, {first}, did not come back clean.",
    )


@retried_on_lock
def _finish(run: ReloadRun) -> None:
    ReloadRun.objects.filter(pk=run.pk).update(running_key=None, finished_at=timezone.now())
