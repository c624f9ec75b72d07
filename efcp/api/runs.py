"""Reloads and settings of states as runs: a POST begins one and answers 202 with its address.

With `wait` the answer waits for the proxies. A POST that is repeated with its Idempotency-Key finds the same
run, as it is by then, and sends nothing again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from dialplan.cases.running import run_cases
from dialplan.cases.selectors import all_cases
from dispatcher.changes import ProxyChanges, compare, losses
from dispatcher.models import Destination
from efcp.accounts.roles import OPERATE, VIEW
from efcp.api.authentication import caller_of
from efcp.api.exchange import PageQuery, answered, answered_page, moment
from efcp.api.operations import StrictBody, declared, page_of
from efcp.api.problems import ProblemError, form_findings, invalid, not_found, refused
from efcp.api.tables import impact_as_json
from efcp.api.writes import AnswerStore, WriteQuery, answers_of
from efcp.editing.table import MAX_INT
from efcp.modules.registry import all_modules
from efcp.operations.reloads import selectors as reload_selectors
from efcp.operations.reloads import services as reloads
from efcp.operations.reloads.forms import DialplanReloadForm, DispatcherReloadForm, ReloadForm
from efcp.operations.reloads.models import ReloadRun
from efcp.operations.runs import RunHandle
from efcp.operations.states import results as state_results
from efcp.operations.states import services as states
from efcp.operations.states.forms import StateForm
from efcp.operations.states.models import StateOutcome, StateRun
from efcp.operations.states.selectors import MOST_AT_ONCE, chosen_lines, emptied_sets
from efcp.preview.impact import selectors as impact
from efcp.proxies.models import KnownState
from efcp.proxies.selectors import WatchedProxy, proxies_for_all, watched_proxies

LONGEST_WAIT_S = 25
LOOKED_EVERY_S = 0.25
MOST_RESULTS = 5_000
router = Router()


class WaitQuery(Schema):
    """How long an answer may wait for a run."""

    wait: int = Field(0, ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the run to end.")


class RunQuery(WriteQuery, WaitQuery):
    """How a run is started."""


class RunResult(Schema):
    """What a run did on one proxy, or to one destination of one proxy."""

    proxy: str = Field(description="The proxy's name.")
    outcome: str = Field(description="What is known of it: waiting, running, done, refused, unknown, …")
    message: str = Field(description="More of it, for people.")
    ended_at: str | None = Field(None, description="When it ended.")


class ReloadResultOut(RunResult):
    """What a reload did on one proxy."""

    took_ms: float | None = Field(None, description="Milliseconds that the reload took.")
    loaded: int | None = Field(None, description="Rows that it reports as loaded.")
    discarded: int | None = Field(None, description="Rows that it reports as discarded.")
    differs: int | None = Field(None, description="How many rows still differ by the read-back.")
    problem: str = Field("", description="Why nothing could be read back.")
    clean: bool = Field(False, description="Reloaded, read back, and nothing differs.")


class StateResultOut(RunResult):
    """What a setting of states did to one destination of one proxy."""

    setid: int = Field(description="The set.")
    uri: str = Field(description="The destination.")
    before: str = Field(description="Its state before, as last read; empty where that is not known.")
    requested: str = Field(description="The state that was requested.")
    after: str = Field(description="Its state by the read-back; empty where nothing was read.")


class ReloadRunOut(Schema):
    """A reload."""

    id: int = Field(description="The run's id.")
    module: str | None = Field(None, description="The module that is reloaded.")
    started_at: str | None = Field(None, description="When it began.")
    actor: str | None = Field(None, description="Who requested it.")
    reason: str | None = Field(None, description="Why.")
    inherit_state: bool | None = Field(None, description="Whether states in memory are kept.")
    first: str | None = Field(None, description="The proxy that is reloaded alone before the others.")
    is_open: bool | None = Field(None, description="Whether proxies may still answer.")
    clean: bool | None = Field(None, description="Whether every proxy was reloaded and nothing differs.")
    results: list[ReloadResultOut] = Field([], description="By proxy; in lists left out.")


class StateRunOut(Schema):
    """A setting of states."""

    id: int = Field(description="The run's id.")
    state: str | None = Field(None, description="The state; empty for an undo.")
    started_at: str | None = Field(None, description="When it began.")
    actor: str | None = Field(None, description="Who requested it.")
    reason: str | None = Field(None, description="Why.")
    undoes: int | None = Field(None, description="The run that it undoes.")
    is_open: bool | None = Field(None, description="Whether proxies may still answer.")
    clean: bool | None = Field(None, description="Whether every destination has the requested state.")
    results: list[StateResultOut] = Field([], description="By destination and proxy; in lists left out.")


class ReloadStarted(Schema):
    """The answer to a request to reload."""

    data: ReloadRunOut | None = Field(description="The run; null after a dry run.")
    effect: dict[str, Any] | None = Field(description="Dry run: what the reload would change, by proxy.")
    dry_run: bool = Field(description="Whether nothing was sent.")


class StatesStarted(Schema):
    """The answer to a request to set states."""

    data: StateRunOut | None = Field(description="The run; null after a dry run.")
    effect: dict[str, Any] | None = Field(description="Dry run: states now, sets emptied, calls that move.")
    dry_run: bool = Field(description="Whether nothing was sent.")


# Reloads.


class ReloadBody(StrictBody):
    """What to reload, and how."""

    proxies: list[int] | None = Field(
        None, max_length=1_000, description="Ids of proxies; left out: all that are enabled."
    )
    first: int | None = Field(
        None, ge=1, le=MAX_INT, description="Reload this one alone, the others only if it comes back clean."
    )
    reason: str = Field("", max_length=255, description="Kept with the run.")


class DispatcherReloadBody(ReloadBody):
    """What to reload of the dispatcher, and how."""

    inherit_state: bool = Field(True, description="Keep the states in memory, else take the table's.")
    allow_losses: bool = Field(False, description="Reload although destinations in use would be dropped.")


class DialplanReloadBody(ReloadBody):
    """What to reload of the dialplan, and how."""

    allow_failures: bool = Field(False, description="Reload although test cases fail.")


def _dispatcher_form(body: Any, data: dict[str, Any], watched: Sequence[WatchedProxy]) -> ReloadForm:
    data["inherit_state"] = "y" if body.inherit_state else "n"
    data["allow_losses"] = body.allow_losses
    return DispatcherReloadForm(data, watched, losses=losses(watched))


def _dialplan_form(body: Any, data: dict[str, Any], watched: Sequence[WatchedProxy]) -> ReloadForm:
    data["allow_failures"] = body.allow_failures
    failing = sum(not each.passes for each in run_cases(all_cases()))
    return DialplanReloadForm(data, watched, failing=failing)


_FORMS: dict[str, tuple[type[ReloadBody], Callable[..., ReloadForm]]] = {
    "dispatcher": (DispatcherReloadBody, _dispatcher_form),
    "dialplan": (DialplanReloadBody, _dialplan_form),
}


def reload_as_json(run: ReloadRun, *, whole: bool = True) -> dict[str, Any]:
    """A reload, with its results if it is requested `whole`."""
    lines = reload_selectors.result_lines(run) if whole else []
    shown = {
        "id": run.pk,
        "module": run.module,
        "started_at": moment(run.started_at),
        "actor": run.actor,
        "reason": run.reason,
        "inherit_state": run.inherit_state,
        "first": run.first.name if run.first else None,
    }
    if not whole:
        return shown
    results = [
        {
            "proxy": line.result.proxy.name,
            "outcome": line.outcome.value,
            "message": line.result.message,
            "ended_at": moment(line.result.ended_at),
            "took_ms": line.result.took_ms,
            "loaded": line.result.loaded,
            "discarded": line.result.discarded,
            "differs": line.result.differs,
            "problem": line.result.read_back_problem,
            "clean": line.is_clean,
        }
        for line in lines
    ]
    return shown | {
        "is_open": any(line.is_under_way for line in lines),
        "clean": bool(lines) and all(line.is_clean for line in lines),
        "results": results,
    }


def _reload(request: HttpRequest, body: ReloadBody, how: RunQuery, module: str) -> HttpResponse:
    watched = watched_proxies()
    form = _FORMS[module][1](body, _chosen(body.proxies, body.first, body.reason), watched)
    if not form.is_valid():
        raise _invalid(form)
    if how.dry_run:
        chosen = {proxy.pk for proxy in form.proxies()}
        effect = _reload_effect(module, [each for each in watched if each.proxy.pk in chosen])
        return dry_answer(request, how, effect)

    def begin(store: Callable[[ReloadRun], None]) -> RunHandle[ReloadRun]:
        return reloads.start(form.proxies(), form.request(), caller_of(request).actor, store)

    return started_run(request, how, begin, partial(_find_reload, module), reload_as_json, f"{module}-reload")


def _find_reload(module: str, run_id: int) -> ReloadRun:
    run = ReloadRun.objects.select_related("first").filter(pk=min(run_id, MAX_INT), module=module).first()
    if run is None:
        raise not_found("There is no such reload.")
    return run


def _reload_effect(module: str, watched: Sequence[WatchedProxy]) -> dict[str, Any]:
    if module not in _COMPARES:
        return {"proxies": [{"proxy": each.proxy.name} for each in watched]}
    return {"proxies": [_changes_as_json(each) for each in compare(watched)]}


_COMPARES = {"dispatcher"}
"""Modules of which MI lists what a proxy holds."""


def _changes_as_json(changes: ProxyChanges) -> dict[str, Any]:
    kinds = {"added": changes.added, "changed": changes.changed, "removed": changes.removed}
    return {
        "proxy": changes.watched.proxy.name,
        "is_known": changes.is_known,
        "not_compared": changes.not_compared,
        "breaking": changes.breaking.finding.text if changes.breaking else "",
        "warnings": [each.finding.text for each in changes.warnings],
    } | {
        name: {
            "count": kind.count,
            "shown": [{"setid": each.setid, "uri": each.uri, "row_id": each.row_id} for each in kind.shown],
        }
        for name, kind in kinds.items()
    }


# States.


class DestinationInMemory(StrictBody):
    """A destination that only proxies hold, not the table."""

    setid: int = Field(ge=0, le=MAX_INT, description="The set.")
    uri: str = Field(min_length=1, max_length=192, description="The URI.")


class StateBody(StrictBody):
    """Which state, of which destinations, on which proxies."""

    state: Literal["active", "inactive", "probing"] = Field(description="The state to set.")
    destinations: list[int] = Field([], max_length=MOST_AT_ONCE, description="Ids of rows.")
    in_memory: list[DestinationInMemory] = Field(
        [], max_length=MOST_AT_ONCE, description="Destinations that only proxies hold."
    )
    proxies: list[int] | None = Field(
        None, max_length=1_000, description="Ids of proxies; left out: all that are enabled."
    )
    only_these: bool = Field(False, description="Although other proxies share the table.")
    reason: str = Field("", max_length=255, description="Kept with the run.")


def state_run_as_json(run: StateRun, *, whole: bool = True) -> dict[str, Any]:
    """A setting of states, with its results if it is requested `whole`."""
    shown = {
        "id": run.pk,
        "state": run.state,
        "started_at": moment(run.started_at),
        "actor": run.actor,
        "reason": run.reason,
        "undoes": run.undoes_id,
    }
    if not whole:
        return shown
    now = timezone.now()
    found = list(run.results.select_related("proxy")[:MOST_RESULTS])
    outcomes = [each.known_outcome(now) for each in found]
    good = {StateOutcome.DONE, StateOutcome.THROUGH}
    return shown | {
        "is_open": StateOutcome.WAITING in outcomes,
        "clean": bool(found)
        and all(
            outcome in good and each.state_after in ("", each.state_requested)
            for each, outcome in zip(found, outcomes, strict=True)
        ),
        "results": [
            {
                "proxy": each.proxy.name,
                "setid": each.setid,
                "uri": each.uri,
                "outcome": outcome.value,
                "message": each.message,
                "before": each.state_before,
                "requested": each.state_requested,
                "after": each.state_after,
                "ended_at": moment(each.ended_at),
            }
            for each, outcome in zip(found, outcomes, strict=True)
        ],
    }


@router.post(
    "/state-runs",
    summary="Set states",
    description="Sets the state of destinations in proxies' memory, and reads them back.",
    operation_id="set_states",
    url_name="state-runs",
    tags=["state runs"],
    **declared(
        OPERATE,
        "dispatcher",
        by_set=True,
        answer=StatesStarted,
        status=202,
        writes=True,
        example={"state": "inactive", "destinations": [1], "reason": "Maintenance"},
    ),
)
def set_states(request: HttpRequest, body: StateBody, how: Query[RunQuery]) -> HttpResponse:
    """Set states on proxies."""
    caller = caller_of(request)
    watched = watched_proxies()
    data = _chosen(body.proxies, None, body.reason) | {"state": body.state, "only_these": body.only_these}
    form = StateForm(data, watched)
    if not form.is_valid():
        raise _invalid(form)
    rows = _rows(body)
    for row in rows:
        caller.require_set(row.setid)
    if how.dry_run:
        return dry_answer(request, how, _states_effect(rows, form, watched))

    def begin(store: Callable[[StateRun], None]) -> RunHandle[StateRun]:
        return states.begin(rows, form.chosen_state(), form.proxies(), caller.actor, body.reason, store=store)

    return started_run(request, how, begin, _find_states, state_run_as_json, "state-run")


def _rows(body: StateBody) -> list[Destination]:
    rows = list(
        Destination.objects.filter(pk__in=set(body.destinations)).order_by("setid", "-priority", "id")
    )
    missing = set(body.destinations) - {row.pk for row in rows}
    if missing:
        raise refused("destinations", "not_found", f"There is no destination {min(missing)}.")
    rows += [Destination(setid=each.setid, destination=each.uri) for each in body.in_memory]
    if not rows:
        raise refused("destinations", "required", "Name at least one destination.")
    return rows


def _states_effect(
    rows: Sequence[Destination], form: StateForm, watched: Sequence[WatchedProxy]
) -> dict[str, Any]:
    proxies = {proxy.pk for proxy in form.proxies()}
    chosen = [each for each in watched if each.proxy.pk in proxies]
    state = form.chosen_state()
    goes = state is not KnownState.ACTIVE
    return {
        "destinations": [
            {
                "setid": line.row.setid,
                "uri": line.row.destination,
                "states": {on.proxy.name: on.state for on in line.states},
            }
            for line in chosen_lines(rows, chosen)
        ],
        "emptied": [
            {"setid": each.setid, "proxy": each.proxy.name}
            for each in (emptied_sets(rows, form.proxies(), watched) if goes else ())
        ],
        "calls": impact_as_json(impact.of_state(rows, state, chosen)),
    }


def _find_states(run_id: int) -> StateRun:
    run = StateRun.objects.filter(pk=min(run_id, MAX_INT)).first()
    if run is None:
        raise not_found("There is no such run.")
    return run


@router.get(
    "/state-runs",
    summary="List state runs",
    description="The newest first, without their results.",
    operation_id="list_state_runs",
    url_name="state-runs",
    tags=["state runs"],
    **declared(VIEW, "dispatcher", answer=page_of(StateRunOut)),
)
def list_state_runs(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The state runs."""
    return answered_page(
        StateRun.objects.all(), query, partial(state_run_as_json, whole=False), newest_first=True
    )


@router.get(
    "/state-runs/{int:run_id}",
    summary="Get a state run",
    description="With a result for each destination on each proxy.",
    operation_id="get_state_run",
    url_name="state-run",
    tags=["state runs"],
    **declared(VIEW, "dispatcher", answer=StateRunOut),
)
def get_state_run(request: HttpRequest, run_id: int, query: Query[WaitQuery]) -> HttpResponse:
    """One state run."""
    return answered(awaited(partial(_find_states, run_id), state_run_as_json, query.wait))


class UndoBody(StrictBody):
    """Why states are put back."""

    reason: str = Field("", max_length=200, description="Kept with the run.")


@router.post(
    "/state-runs/{int:run_id}/undo",
    summary="Undo a state run",
    description="Puts back the states before it, where nothing else changed them since. Done once.",
    operation_id="undo_state_run",
    url_name="state-run-undo",
    tags=["state runs"],
    **declared(
        OPERATE, "dispatcher", answer=StatesStarted, status=202, writes=True, example={"reason": "Too early"}
    ),
)
def undo_state_run(request: HttpRequest, run_id: int, body: UndoBody, how: Query[RunQuery]) -> HttpResponse:
    """Undo a run."""
    run = _find_states(run_id)
    page = state_results.run_page(run, watched_proxies())
    if page.undone_by is None and not (page.undo and page.undo.back):
        raise ProblemError(409, "nothing_to_undo", "Nothing can be put back: see the run.")
    if how.dry_run:
        plan = page.undo
        effect = {"back": dict(plan.back), "left": dict(plan.left)} if plan else {"back": {}, "left": {}}
        return dry_answer(request, how, effect)

    def begin(store: Callable[[StateRun], None]) -> RunHandle[StateRun]:
        return states.undo(run, caller_of(request).actor, body.reason or "Undo", store=store)

    return started_run(request, how, begin, _find_states, state_run_as_json, "state-run")


# What both have in common.


def _chosen(proxies: Sequence[int] | None, first: int | None, reason: str) -> dict[str, Any]:
    """The fields of the pages' forms."""
    chosen = proxies if proxies is not None else list(proxies_for_all().values_list("pk", flat=True))
    return {"proxy": [str(pk) for pk in chosen], "first": str(first or ""), "reason": reason}


def _invalid(form: Any) -> ProblemError:
    names = {"proxy": "proxies"}
    found = [each | {"field": names.get(each["field"], each["field"])} for each in form_findings(form)]
    return invalid(found, "Nothing was sent.")


def dry_answer(request: HttpRequest, how: RunQuery, effect: Mapping[str, Any]) -> HttpResponse:
    """What a run would do. Raises ProblemError for an Idempotency-Key that is none, as the run itself."""
    answers_of(request, how)
    return answered({"data": None, "effect": effect, "dry_run": True})


def started_run(
    request: HttpRequest,
    how: RunQuery,
    begin: Callable[[Callable[[Any], None]], RunHandle[Any]],
    find: Callable[[int], Any],
    as_json: Callable[[Any], dict[str, Any]],
    url_name: str,
) -> HttpResponse:
    """Begin a run, or find the one that this request began before; wait, and answer 202."""
    answers = answers_of(request, how)
    handle = None
    run_id = _former_run(answers)
    if run_id is None:
        try:
            handle = begin(lambda run: answers.store(_answer({"id": run.pk}, url_name)))
        except IntegrityError:
            run_id = _former_run(answers)
            if run_id is None:
                raise
    if handle is not None:
        run_id = handle.run.pk
        handle.ended.wait(how.wait if handle.is_new else 0)
    found = awaited(partial(find, run_id or 0), as_json, 0 if handle and handle.is_new else how.wait)
    response = _answer(found, url_name)
    if handle is None:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _former_run(answers: AnswerStore) -> int | None:
    former = answers.former()
    return None if former is None else int(former.headers["Location"].rpartition("/")[2])


def _answer(run: dict[str, Any], url_name: str) -> HttpResponse:
    location = reverse(f"api:{url_name}", args=[run["id"]])
    body = {"data": run, "effect": None, "dry_run": False}
    return answered(body, 202, headers={"Location": location})


def awaited(find: Callable[[], Any], as_json: Callable[[Any], dict[str, Any]], wait: float) -> dict[str, Any]:
    """The run once it is over, or as it is after so many seconds."""
    until = time.monotonic() + wait
    while True:
        run = as_json(find())
        if not run["is_open"] or time.monotonic() >= until:
            return run
        time.sleep(LOOKED_EVERY_S)


def _add_reloads(module: str, label: str) -> None:
    def reload(request: HttpRequest, body: ReloadBody, how: Query[RunQuery]) -> HttpResponse:
        return _reload(request, body, how, module)

    def list_reloads(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
        runs = ReloadRun.objects.filter(module=module).select_related("first")
        return answered_page(runs, query, partial(reload_as_json, whole=False), newest_first=True)

    def get_reload(request: HttpRequest, run_id: int, query: Query[WaitQuery]) -> HttpResponse:
        return answered(awaited(partial(_find_reload, module, run_id), reload_as_json, query.wait))

    reload.__annotations__["body"] = _FORMS[module][0]
    path, tags = f"/{module}/reloads", [f"{module} reloads"]
    router.post(
        path,
        summary=f"Reload the {label.lower()}",
        description="Has proxies load the table, then reads back what they hold.",
        operation_id=f"reload_{module}",
        url_name=f"{module}-reloads",
        tags=tags,
        **declared(
            OPERATE, module, answer=ReloadStarted, status=202, writes=True, example={"reason": "New gateway"}
        ),
    )(reload)
    router.get(
        path,
        summary="List reloads",
        description="The newest first, without their results.",
        operation_id=f"list_{module}_reloads",
        url_name=f"{module}-reloads",
        tags=tags,
        **declared(VIEW, module, answer=page_of(ReloadRunOut)),
    )(list_reloads)
    router.get(
        f"{path}/{{int:run_id}}",
        summary="Get a reload",
        description="With a result for each proxy.",
        operation_id=f"get_{module}_reload",
        url_name=f"{module}-reload",
        tags=tags,
        **declared(VIEW, module, answer=ReloadRunOut),
    )(get_reload)


for _each in all_modules():
    _add_reloads(_each.name, _each.label)
