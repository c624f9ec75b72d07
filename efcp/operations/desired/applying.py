"""Carrying out a plan: all of it in one transaction, then the reloads, one proxy first.

If the first proxy does not come back clean, the rows, names and test cases are put back by a guarded undo,
and that proxy loads them again. The others are never sent the reload.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from dialplan.cases.services import TooManyCasesError
from efcp.audit.edit_tokens import StaleFormError
from efcp.audit.services import Actor
from efcp.editing.batch import BatchRefusedError, RowChange, write_all
from efcp.operations.desired.models import AppliedPlan, ApplyState
from efcp.operations.desired.plan import DesiredPlan, PlanLine, TablePlan
from efcp.operations.desired.steps import PlanOutdatedError
from efcp.operations.registry.services import NameTakenError, ProxyGoneError
from efcp.operations.reloads import services as reloads
from efcp.operations.reloads.models import ReloadRun
from efcp.operations.reloads.selectors import result_lines
from efcp.operations.runs import RunHandle, this_process
from efcp.proxies.fan_out import in_background
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import proxies_for_all

DEFAULT_REASON = "Desired state"
MOST_SHOWN = 1_000
"""Changes of a plan that are stored for people; the audit has all of them."""
GIVEN_UP_AFTER_S = 300.0
LOOKED_EVERY_S = 0.25
_TRIES = 3
"""Reloads by somebody else that are waited for before one of our own."""


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """How a plan is carried out: whether proxies are reloaded, which one first, and why."""

    reload: bool = False
    first: Proxy | None = None
    reason: str = DEFAULT_REASON


@dataclass(frozen=True, slots=True)
class WrittenPlan:
    """What was written, for the undo."""

    tables: list[tuple[TablePlan, list[Any]]]
    plan: DesiredPlan


def apply(
    plan: DesiredPlan,
    request: ApplyRequest,
    actor: Actor,
    store: Callable[[AppliedPlan], None] = lambda _applied: None,
) -> RunHandle[AppliedPlan]:
    """Write a plan without errors and begin its reloads; returns at once.

    `store` is called in the transaction. Raises PlanOutdatedError, with nothing written, where somebody
    changed what the plan changes.
    """
    if plan.errors:
        raise ValueError("A plan with errors can't be carried out.")
    proxies = list(proxies_for_all()) if request.reload else []
    modules = [each.repository.table.name for each in plan.tables if each.changes] if proxies else []
    applied, written = _write(plan, request, actor, bool(modules), store)
    if not modules:
        ended = threading.Event()
        ended.set()
        return RunHandle(applied, True, ended)
    first = request.first or proxies[0]

    def work() -> None:
        _reload_all(applied, written, modules, [first, *(each for each in proxies if each != first)], actor)

    return RunHandle(applied, True, in_background(work, "apply"))


@retried_on_lock
def _write(
    plan: DesiredPlan,
    request: ApplyRequest,
    actor: Actor,
    reloads_follow: bool,
    store: Callable[[AppliedPlan], None],
) -> tuple[AppliedPlan, WrittenPlan]:
    lines, now = plan.lines, timezone.now()
    try:
        with transaction.atomic():
            tables = [
                (each, write_all(each.repository, each.changes, actor, request.reason))
                for each in plan.tables
            ]
            for step in plan.steps:
                step.write(actor, request.reason)
            applied = AppliedPlan.objects.create(
                started_at=now,
                ended_at=None if reloads_follow else now,
                deadline=now + timedelta(seconds=2 * GIVEN_UP_AFTER_S),
                actor=actor.name,
                token=actor.token,
                reason=request.reason,
                plan_id=plan.id,
                change_count=len(lines),
                changes=[line_as_json(each) for each in lines[:MOST_SHOWN]],
                state=ApplyState.RELOADING if reloads_follow else ApplyState.WRITTEN,
                message="" if reloads_follow or not request.reload else "Nothing to reload.",
                process=this_process(),
            )
            store(applied)
    except BatchRefusedError as error:
        raise PlanOutdatedError(error.conflicts[0].text) from error
    except StaleFormError as error:
        raise PlanOutdatedError(
            "Somebody changed a name, test case, proxy or maintenance of the plan."
        ) from error
    except (NameTakenError, ProxyGoneError, TooManyCasesError) as error:
        raise PlanOutdatedError(str(error) or "Somebody changed the proxies.") from error
    return applied, WrittenPlan(tables, plan)


def line_as_json(line: PlanLine) -> dict[str, Any]:
    """A change for people, as JSON."""
    columns = {name: {"before": before, "after": after} for name, (before, after) in line.columns.items()}
    return {"section": line.section, "kind": line.kind.value, "label": line.label, "columns": columns}


def _reload_all(
    applied: AppliedPlan, written: WrittenPlan, modules: Sequence[str], proxies: Sequence[Proxy], actor: Actor
) -> None:
    """Reload module by module; the first proxy's outcome decides whether the plan stays."""
    state, message = ApplyState.DONE, ""
    try:
        for number, module in enumerate(modules):
            run = _reloaded(applied, module, proxies, actor)
            lines = {line.result.proxy_id: line for line in result_lines(run)}
            first = lines.get(proxies[0].pk)
            if first is None or not first.is_clean:
                state, message = _roll_back(applied, written, modules[: number + 1], proxies[0], actor)
                return
            if not all(line.is_clean for line in lines.values()):
                state = ApplyState.NOT_CLEAN
    except Exception:
        state, message = ApplyState.UNKNOWN, "The panel failed while it reloaded; its log has the reason."
        raise
    finally:
        _end(applied, state, message)


def _reloaded(applied: AppliedPlan, module: str, proxies: Sequence[Proxy], actor: Actor) -> ReloadRun:
    """A reload that began after the plan was written, once it is over."""
    request = reloads.ReloadRequest(
        module, first=proxies[0], reason=f"Plan {applied.plan_id}: {applied.reason}"[:255]
    )
    for _attempt in range(_TRIES):
        handle = reloads.start(proxies, request, actor)
        if handle.is_new:
            handle.ended.wait(GIVEN_UP_AFTER_S)
            break
        _wait_for_other(handle.run)
    _note_reload(applied, handle.run)
    return handle.run


def _wait_for_other(run: ReloadRun) -> None:
    until = time.monotonic() + GIVEN_UP_AFTER_S
    while time.monotonic() < until and any(line.is_under_way for line in result_lines(run)):
        time.sleep(LOOKED_EVERY_S)


@retried_on_lock
def _note_reload(applied: AppliedPlan, run: ReloadRun) -> None:
    applied.reloads = [*applied.reloads, {"module": run.module, "run": run.pk}]
    applied.save(update_fields=["reloads"])


@retried_on_lock
def _end(applied: AppliedPlan, state: ApplyState, message: str) -> None:
    applied.state, applied.message, applied.ended_at = state, message[:255], timezone.now()
    applied.save(update_fields=["state", "message", "ended_at"])


def _roll_back(
    applied: AppliedPlan, written: WrittenPlan, modules: Sequence[str], first: Proxy, actor: Actor
) -> tuple[ApplyState, str]:
    """Put the tables back as they were, and have the first proxy load them; the state then, and why."""
    try:
        undo(written, actor, f"Rolled back: {first.name} did not reload cleanly")
    except PlanOutdatedError as error:
        return ApplyState.NOT_ROLLED_BACK, f"{first.name} did not reload cleanly; {error}"
    outcomes = [_reloaded(applied, module, [first], actor) for module in modules]
    clean = all(line.is_clean for run in outcomes for line in result_lines(run))
    now = "holds the former rows again" if clean else "did not reload the former rows cleanly either"
    return ApplyState.ROLLED_BACK, f"{first.name} did not reload cleanly; it {now}."


@retried_on_lock
def undo(written: WrittenPlan, actor: Actor, reason: str) -> None:
    """Put back rows, names and test cases, all of them or none. Raises PlanOutdatedError."""
    try:
        with transaction.atomic():
            for step in reversed(written.plan.steps):
                if not step.undo(actor):
                    raise PlanOutdatedError(f"the {step.line().label} was changed since.")
            for table, rows in reversed(written.tables):
                back = [RowChange(row, each.before) for each, row in zip(table.changes, rows, strict=True)]
                write_all(table.repository, back, actor, reason)
    except BatchRefusedError as error:
        raise PlanOutdatedError(error.conflicts[0].text) from error
