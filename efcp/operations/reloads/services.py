"""Starting a reload and storing its outcome.

Threads of this process send it to the proxies. If the process dies, a result past its deadline reads as
unknown; no reload is ever sent twice.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record, stored_despite
from efcp.modules.registry import ReloadOutcome, module_named
from efcp.modules.reloading import (
    READ_BACK_LIMIT_S,
    RELOAD_LIMIT_S,
    ReloadReply,
    ReloadStrategy,
)
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.operations.runs import RunHandle, this_process
from efcp.proxies.fan_out import Target, fan_out, in_background, target_of
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import Proxy

SLACK_S = 5.0
"""What storing may take beside the limits of the calls, until a result counts as unknown."""

OTHER_CALLS_S = RELOAD_LIMIT_S + 4 * READ_BACK_LIMIT_S + SLACK_S
"""The reports, the reload, a list again without `full` if too large, the reports; beside the read-back."""

_TRIES = 5
"""How often somebody else's reload may begin between looking for one under way and beginning one."""


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """What to reload and how: with the states in memory, which proxy first (None: all at once), and why."""

    module: str = "dispatcher"
    inherit_state: bool = True
    first: Proxy | None = None
    reason: str = ""


def start(
    proxies: Sequence[Proxy],
    request: ReloadRequest,
    actor: Actor,
    store: Callable[[ReloadRun], None] = lambda _run: None,
) -> RunHandle[ReloadRun]:
    """Begin to reload `proxies`, but for those on which a reload is under way.

    Where one reload is under way on all of them, no run begins: that one is everybody's. A proxy whose
    whole reload would fail over a row is left out. `store` is called in the transaction of a new run. Returns
    at once. Raises ValueError without proxies, and where the one to begin with is not among them.
    """
    if not proxies or request.first not in {None, *proxies}:
        raise ValueError("Nothing to reload.")
    strategy = module_named(request.module).strategy(request.inherit_state)
    limit_s = (OTHER_CALLS_S + strategy.read_back_limit_s) * (2 if request.first else 1)
    run, is_new = _created_or_joined(proxies, strategy.blocked(proxies), limit_s, request, actor, store)
    if not is_new:
        return RunHandle(run, False, threading.Event())
    # Nothing is read between COMMIT and this: a connection lost there would leave the run without its work.
    return RunHandle(run, True, in_background(lambda: _execute(run, strategy), "reload"))


def _created_or_joined(
    proxies: Sequence[Proxy],
    blocked: dict[int, str],
    limit_s: float,
    request: ReloadRequest,
    actor: Actor,
    store: Callable[[ReloadRun], None],
) -> tuple[ReloadRun, bool]:
    for attempt in range(_TRIES):
        try:
            return _create(proxies, blocked, limit_s, request, actor, store)
        except IntegrityError:
            # Another began to reload one of these proxies since we looked: look again.
            if attempt == _TRIES - 1:
                raise
        except (OperationalError, InterfaceError) as error:
            stored = stored_despite(error, actor)
            if stored is None:
                raise
            return ReloadRun.objects.get(pk=stored.subject_id), True
    raise AssertionError("unreachable")


@retried_on_lock
def _create(
    proxies: Sequence[Proxy],
    blocked: dict[int, str],
    limit_s: float,
    request: ReloadRequest,
    actor: Actor,
    store: Callable[[ReloadRun], None],
) -> tuple[ReloadRun, bool]:
    """A new run and True, or the run under way and False where that one is under way on all of `proxies`."""
    now = timezone.now()
    deadline = now + timedelta(seconds=limit_s)
    with transaction.atomic():
        under_way = _under_way(request.module, proxies, now)
        runs = {result.run for result in under_way.values()}
        if len(under_way) == len(proxies) and len(runs) == 1:
            return runs.pop(), False
        run = ReloadRun.objects.create(
            module=request.module,
            started_at=now,
            actor=actor.name,
            reason=request.reason,
            inherit_state=request.inherit_state,
            first=request.first,
            process=this_process(),
        )
        for proxy in proxies:
            result = ReloadResult(run=run, proxy=proxy, deadline=deadline)
            if proxy.pk in under_way:
                _end_unsent(result, f"A reload by {under_way[proxy.pk].run.actor} is in progress.")
            elif proxy.pk in blocked:
                _end_unsent(result, blocked[proxy.pk])
            else:
                result.running_key = _key(request.module, proxy)
            result.save(force_insert=True)
        _record(run, proxies, actor)
        store(run)
    return run, True


def _key(module: str, proxy: Proxy) -> str:
    return f"{module}:{proxy.pk}"


def _under_way(module: str, proxies: Iterable[Proxy], now: datetime) -> dict[int, ReloadResult]:
    """The open results by proxy id, once those are closed whose process is gone."""
    ReloadResult.objects.filter(running_key__isnull=False, deadline__lt=now).update(running_key=None)
    keys = [_key(module, proxy) for proxy in proxies]
    running = ReloadResult.objects.filter(running_key__in=keys).select_related("run")
    return {result.proxy_id: result for result in running}


def _end_unsent(result: ReloadResult, message: str) -> None:
    result.outcome = ReloadOutcome.NOT_SENT
    result.ended_at = timezone.now()
    result.message = message[:255]


def _record(run: ReloadRun, proxies: Iterable[Proxy], actor: Actor) -> None:
    names = [proxy.name for proxy in proxies]
    record(
        actor,
        "reload",
        Subject("reload", str(run.pk), f"{run.module} on {', '.join(names)}"),
        after={
            "proxies": names,
            "inherit_state": run.inherit_state,
            "first": run.first.name if run.first else None,
        },
        reason=run.reason,
    )


def _execute(run: ReloadRun, strategy: ReloadStrategy) -> None:
    waiting = run.results.filter(ended_at=None).select_related("proxy")
    targets = [target_of(result.proxy) for result in waiting]
    if run.first is None:
        _reload_all(run, strategy, targets)
        return
    first = [target for target in targets if target.proxy == run.first]
    rest = [target for target in targets if target.proxy != run.first]
    if first and _reload_all(run, strategy, first):
        _reload_all(run, strategy, rest)
    else:
        _skip(run, rest, f"{run.first.name}, reloaded first, did not succeed cleanly.")


def _reload_all(run: ReloadRun, strategy: ReloadStrategy, targets: Sequence[Target]) -> bool:
    """Reload all targets at once; return whether all were clean."""
    _mark_running(run, targets)
    strategy.prepare()
    clean = fan_out(targets, strategy.reload, lambda reply: _store(run, strategy, reply))
    return len(clean) == len(targets) and all(clean)


@retried_on_lock
def _mark_running(run: ReloadRun, targets: Sequence[Target]) -> None:
    """Before anything is sent: what still waits when this process dies was not."""
    run.results.filter(ended_at=None, proxy__in=[target.proxy for target in targets]).update(
        outcome=ReloadOutcome.RUNNING
    )


@retried_on_lock
def _store(run: ReloadRun, strategy: ReloadStrategy, reply: ReloadReply[Any]) -> bool:
    """Store what one proxy answered and holds; return whether nothing differs from the table any more."""
    read_back = strategy.store(reply)
    count = reply.reports.count
    run.results.filter(proxy=reply.target.proxy).update(
        running_key=None,
        outcome=reply.outcome,
        message=reply.message[:255],
        ended_at=timezone.now(),
        took_ms=reply.took_ms,
        loaded=count.loaded if count else None,
        discarded=count.discarded if count else None,
        report=reply.reports.newest[:255],
        differs=read_back.differs,
        read_back_problem=read_back.problem[:255],
        notes=list(read_back.notes),
    )
    return reply.outcome is ReloadOutcome.DONE and read_back.is_clean


@retried_on_lock
def _skip(run: ReloadRun, targets: Sequence[Target], message: str) -> None:
    run.results.filter(ended_at=None, proxy__in=[target.proxy for target in targets]).update(
        running_key=None, outcome=ReloadOutcome.NOT_SENT, ended_at=timezone.now(), message=message
    )
