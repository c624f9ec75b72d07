"""The desired state: export, plan and apply of one YAML document."""

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema

from efcp.accounts.roles import ADMINISTER, VIEW
from efcp.api.authentication import Caller, caller_of
from efcp.api.exchange import PageQuery, answered, answered_page, moment
from efcp.api.operations import StrictBody, declared, page_of
from efcp.api.problems import FindingOut, ProblemError, finding_out, invalid, not_found, refused
from efcp.api.runs import RunQuery, WaitQuery, awaited, started_run
from efcp.api.writes import answers_of, refuse_warnings
from efcp.editing.table import MAX_INT
from efcp.operations.desired.applying import DEFAULT_REASON, ApplyRequest, apply, line_as_json
from efcp.operations.desired.document import SECTIONS, DesiredState, parse
from efcp.operations.desired.export import export
from efcp.operations.desired.models import AppliedPlan, ApplyState
from efcp.operations.desired.plan import DesiredPlan, Scope, ScopeError, read_scope
from efcp.operations.desired.planning import plan_for
from efcp.operations.desired.steps import PlanOutdatedError
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import proxies_for_all

MOST_CHARACTERS = 1_500_000
LARGEST_BODY = 2_400_000
MOST_ROWS = 2_000
"""Changed rows of one table in one call: more take too long for a request. `manage.py apply` has no limit."""
EXAMPLE = (
    "version: 1\nsets:\n  1:\n    name: Gateways\n    destinations:\n      - destination: sip:10.0.0.1:5060\n"
)

router = Router()


class ChangeOut(Schema):
    """One change of a plan."""

    section: str = Field(description="sets, dialplans, maintenance or proxies.")
    kind: str = Field(description="new, changed or gone.")
    label: str = Field(description="What is changed, for people.")
    columns: dict[str, Any] = Field(description="By column: before and after.")


class PlanOut(Schema):
    """What a document changes."""

    plan_id: str = Field(description="The same changes have the same id.")
    change_count: int = Field(description="How many changes; 0: the panel is as the document has it.")
    changes: list[ChangeOut] = Field(description="Every change.")
    warnings: list[FindingOut] = Field(description="What is surprising; it stops nothing.")
    effect: dict[str, list[dict[str, Any]]] = Field(
        description="By table: call shares that move, test cases."
    )


class AppliedPlanOut(Schema):
    """A plan that was carried out."""

    id: int = Field(description="The run's id.")
    plan_id: str | None = Field(None, description="The plan's id.")
    started_at: str | None = Field(None, description="When it was written.")
    ended_at: str | None = Field(None, description="When the reloads ended.")
    actor: str | None = Field(None, description="Who requested it.")
    reason: str | None = Field(None, description="Why.")
    change_count: int | None = Field(None, description="How many changes were written.")
    state: str | None = Field(None, description="written, reloading, done, not clean, rolled back, …")
    message: str | None = Field(None, description="More of it, for people.")
    reloads: list[dict[str, Any]] | None = Field(None, description="The reloads: module and run.")
    is_open: bool | None = Field(None, description="Whether proxies may still answer.")
    clean: bool | None = Field(None, description="Whether everything is written, and reloaded as requested.")
    changes: list[ChangeOut] = Field([], description="The changes; in lists left out.")


class ApplyStarted(Schema):
    """The answer to a request to apply a document."""

    data: AppliedPlanOut | None = Field(description="The run; null after a dry run, or without changes.")
    effect: PlanOut | None = Field(description="The plan, after a dry run or without changes.")
    dry_run: bool = Field(description="Whether nothing was written.")


class DocumentBody(StrictBody):
    """A document, and which sections of it are compared."""

    document: str = Field(max_length=MOST_CHARACTERS, description="YAML as the export has it.")
    only: list[str] = Field([], max_length=10, description="Such as sets=1,2 or proxies; empty: all of it.")


class ApplyBody(DocumentBody):
    """A document that is to be carried out."""

    plan_id: str = Field("", max_length=16, description="Refuse any other plan than the one of this id.")
    reload: bool = Field(False, description="Reload the proxies, one first; roll back if it is not clean.")
    first: int | None = Field(None, ge=1, le=MAX_INT, description="Id of the proxy that is reloaded first.")
    reason: str = Field(DEFAULT_REASON, max_length=255, description="Stored in the change log.")


class ExportQuery(Schema):
    """Which sections are exported."""

    sections: str = Field("", max_length=100, description="Such as sets,dialplans; empty: all.")


class ExportOut(Schema):
    """A document."""

    document: str = Field(description="The desired state as YAML.")


@router.get(
    "/desired-state",
    summary="Export the desired state",
    description="Tables, names, test cases, maintenance and proxies as YAML, without passwords.",
    operation_id="export_desired_state",
    url_name="desired-state",
    tags=["desired state"],
    **declared(VIEW, by_set=True, answer=ExportOut),
)
def export_desired_state(request: HttpRequest, query: Query[ExportQuery]) -> HttpResponse:
    """The document."""
    sections = [each for each in query.sections.split(",") if each] or list(SECTIONS)
    unknown = sorted(set(sections) - set(SECTIONS))
    if unknown:
        raise refused("sections", "unknown", f"There is no section {unknown[0][:50]}.")
    sets = caller_of(request).sets
    lines = export(["sets"], sets) if sets else export(sections)
    return answered({"document": "\n".join(lines) + "\n"})


@router.post(
    "/plan",
    summary="Plan a desired state",
    description="What differs between a document and the panel; nothing is written.",
    operation_id="plan_desired_state",
    url_name="plan",
    tags=["desired state"],
    **declared(VIEW, by_set=True, answer=PlanOut, example={"document": EXAMPLE, "only": ["sets=1"]}),
)
def plan_desired_state(request: HttpRequest, body: DocumentBody) -> HttpResponse:
    """The plan."""
    return answered(_plan_as_json(_plan(caller_of(request), body)))


@router.post(
    "/apply",
    summary="Apply a desired state",
    description="Writes what differs in one transaction; with `reload` it reloads proxies, one first, and"
    " puts the tables back if that one does not come back clean. 200 where nothing differs.",
    operation_id="apply_desired_state",
    url_name="apply",
    tags=["desired state"],
    **declared(
        ADMINISTER,
        by_set=True,
        answer=ApplyStarted,
        status=202,
        writes=True,
        example={"document": EXAMPLE, "only": ["sets=1"], "reload": True},
    ),
)
def apply_desired_state(request: HttpRequest, body: ApplyBody, how: Query[RunQuery]) -> HttpResponse:
    """Carry out a plan."""
    caller = caller_of(request)
    first = _first(body.first)

    def begin(store: Any) -> Any:
        plan = _plan(caller, body)
        if body.plan_id not in ("", plan.id):
            raise ProblemError(409, "other_plan", f"The plan is {plan.id} by now; nothing was written.")
        try:
            return apply(plan, ApplyRequest(body.reload, first, body.reason), caller.actor, store)
        except PlanOutdatedError as error:
            raise ProblemError(409, "changed", f"Nothing was written: {error}") from None

    if answers_of(request, how).former() is None:
        plan = _plan(caller, body)
        if how.strict:
            refuse_warnings(how, [finding_out(each) for each in plan.findings])
        if how.dry_run or not plan.lines:
            return answered({"data": None, "effect": _plan_as_json(plan), "dry_run": how.dry_run})
    return started_run(request, how, begin, _find, applied_as_json, "applied-plan")


def _first(proxy_id: int | None) -> Proxy | None:
    if proxy_id is None:
        return None
    found = proxies_for_all().filter(pk=proxy_id).first()
    if found is None:
        raise refused("first", "not_found", f"There is no enabled proxy {proxy_id}.")
    return found


def _plan(caller: Caller, body: DocumentBody) -> DesiredPlan:
    """The plan of a document. Raises ProblemError for errors, and outside of what the token is good for."""
    try:
        scope = read_scope(body.only)
    except ScopeError as error:
        raise refused("only", "scope", str(error)) from None
    desired = parse(body.document)
    _check_scope(caller, desired, scope)
    plan = plan_for(desired, scope, MOST_ROWS)
    if plan.errors:
        raise invalid(map(finding_out, plan.findings), "Nothing was written.")
    return plan


def _check_scope(caller: Caller, desired: DesiredState, scope: Scope | None) -> None:
    """Raise ProblemError where a token that is limited to sets would read or write more than these."""
    if not caller.sets:
        return
    limits = scope or dict.fromkeys(desired.sections)
    numbers = limits.get("sets")
    if limits.keys() - {"sets"} or numbers is None or not numbers <= set(caller.sets):
        named = ",".join(map(str, caller.sets))
        raise ProblemError(403, "outside_token", f"This token is good for only: sets={named}.")


def _plan_as_json(plan: DesiredPlan) -> dict[str, Any]:
    lines = plan.lines
    return {
        "plan_id": plan.id,
        "change_count": len(lines),
        "changes": [line_as_json(each) for each in lines],
        "warnings": [finding_out(each) for each in plan.findings],
        "effect": {each.repository.table.name: each.effect for each in plan.tables if each.effect},
    }


# Plans that were carried out.


def applied_as_json(applied: AppliedPlan, *, whole: bool = True) -> dict[str, Any]:
    """A plan that was carried out, with its changes if it is requested `whole`."""
    state = applied.known_state()
    shown: dict[str, Any] = {
        "id": applied.pk,
        "plan_id": applied.plan_id,
        "started_at": moment(applied.started_at),
        "ended_at": moment(applied.ended_at),
        "actor": applied.actor,
        "reason": applied.reason,
        "change_count": applied.change_count,
        "state": state.value,
        "message": applied.message,
        "reloads": applied.reloads,
        "is_open": state is ApplyState.RELOADING,
        "clean": state in {ApplyState.WRITTEN, ApplyState.DONE},
    }
    return shown | ({"changes": applied.changes} if whole else {})


def _find(run_id: int) -> AppliedPlan:
    found = AppliedPlan.objects.filter(pk=min(run_id, MAX_INT)).first()
    if found is None:
        raise not_found("There is no such run.")
    return found


@router.get(
    "/applied-plans",
    summary="List applied plans",
    description="The newest first, without their changes.",
    operation_id="list_applied_plans",
    url_name="applied-plans",
    tags=["desired state"],
    **declared(VIEW, answer=page_of(AppliedPlanOut)),
)
def list_applied_plans(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The plans that were carried out."""
    as_json = partial(applied_as_json, whole=False)
    return answered_page(AppliedPlan.objects.all(), query, as_json, newest_first=True)


@router.get(
    "/applied-plans/{int:run_id}",
    summary="Get an applied plan",
    description="How far its reloads are, and what it changed.",
    operation_id="get_applied_plan",
    url_name="applied-plan",
    tags=["desired state"],
    **declared(VIEW, answer=AppliedPlanOut),
)
def get_applied_plan(request: HttpRequest, run_id: int, query: Query[WaitQuery]) -> HttpResponse:
    """One plan that was carried out."""
    return answered(awaited(partial(_find, run_id), applied_as_json, query.wait))
