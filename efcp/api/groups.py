"""Sets and dialplans with their names, and the test cases of dialplans."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, Query, Router, Schema

from dialplan.cases import services as cases
from dialplan.cases.forms import CaseForm
from dialplan.cases.running import CheckedCase, run_cases
from dialplan.cases.selectors import case_of
from dialplan.models import Rule, SavedCase
from dialplan.table import DIALPLAN_NAMES
from dispatcher.models import Destination
from dispatcher.table import SET_NAMES
from efcp.accounts.roles import ADMINISTER, VIEW
from efcp.api.authentication import caller_of
from efcp.api.exchange import (
    PageQuery,
    answered_items,
    answered_resource,
    changed,
    cursor_of,
    etag_of,
    position_of,
    require_version,
    version_of,
)
from efcp.api.operations import StrictBody, declared, page_of, written
from efcp.api.problems import ProblemError, form_findings, invalid, not_found, refused
from efcp.api.writes import (
    Work,
    WriteQuery,
    answered_write,
    carry_out,
    carry_out_deletion,
    conflicts_as_412,
)
from efcp.audit.edit_tokens import StaleFormError, token_of
from efcp.editing.names import GroupNameForm, GroupNames
from efcp.editing.table import MAX_INT
from efcp.modules.registry import module_named

router = Router()


class GroupOut(Schema):
    """A set or a dialplan."""

    id: int = Field(description="Its number: setid or dpid.")
    etag: str = Field(description="The version of its name, for If-Match.")
    name: str | None = Field(None, description="Its name in the panel; empty without one.")
    rows: int | None = Field(None, description="How many rows the table has of it.")


class NameBody(StrictBody):
    """A name."""

    name: str = Field(max_length=64, description="The name; empty removes it.")


@dataclass(frozen=True, slots=True)
class GroupResource:
    """The groups of a table's rows as a resource."""

    names: GroupNames
    model: type[Model]
    noun: str
    plural: str
    module: str

    @property
    def is_by_set(self) -> bool:
        """Whether a token that is limited to sets is good for some of them only."""
        return module_named(self.module).has_sets

    def as_json(self, number: int, name: str, rows: int) -> dict[str, Any]:
        """A group."""
        return {"id": number, "etag": etag_of([self.plural, number, name]), "name": name, "rows": rows}

    def one(self, number: int) -> dict[str, Any]:
        """The group of that number; one without name and rows is there, too. Raises ProblemError."""
        if number > MAX_INT:
            raise not_found(f"There is no {self.noun} {number}.")
        rows = self.model._default_manager.filter(**{self.names.key: number}).count()
        return self.as_json(number, self.names.stored(number).name, rows)

    def page(self, query: PageQuery, sets: list[int]) -> HttpResponse:
        """The groups that have rows or a name, by number."""
        position = position_of(query.cursor)
        rows = self.model._default_manager.all()
        names = self.names.all()
        if position is not None:
            rows = rows.filter(**{f"{self.names.key}__gt": position})
            names = {number: name for number, name in names.items() if number > position}
        if sets:
            rows = rows.filter(**{f"{self.names.key}__in": sets})
            names = {number: name for number, name in names.items() if number in sets}
        grouped = rows.order_by(self.names.key).values(self.names.key).annotate(count=Count("pk"))
        counts = {each[self.names.key]: each["count"] for each in grouped[: query.limit + 1]}
        numbers = sorted(counts.keys() | names.keys())[: query.limit + 1]
        following = cursor_of(numbers[query.limit - 1]) if len(numbers) > query.limit else None
        items = [
            self.as_json(each, names.get(each, ""), counts.get(each, 0)) for each in numbers[: query.limit]
        ]
        return answered_items(items, query.fields, following)


def _add_operations(resource: GroupResource) -> None:
    noun, plural = resource.noun, resource.plural
    place: dict[str, Any] = {"module": resource.module, "by_set": True}

    def list_groups(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
        return resource.page(query, caller_of(request).sets if resource.is_by_set else [])

    def get_group(request: HttpRequest, number: int) -> HttpResponse:
        _check_set(request, resource, number)
        return answered_resource(request, resource.one(number))

    def name_group(request: HttpRequest, number: int, body: NameBody, how: Query[WriteQuery]) -> HttpResponse:
        _check_set(request, resource, number)
        return carry_out(request, how, lambda: _prepared_name(request, resource, number, body, how))

    router.get(
        f"/{plural}",
        summary=f"List {plural}",
        description="Those that have rows or a name, by number.",
        operation_id=f"list_{plural}",
        url_name=plural,
        tags=[plural],
        **declared(VIEW, answer=page_of(GroupOut), **place),
    )(list_groups)
    router.get(
        f"/{plural}/{{int:number}}",
        summary=f"Get a {noun}",
        description="With the version of its name as ETag.",
        operation_id=f"get_{noun}",
        url_name=noun,
        tags=[plural],
        **declared(VIEW, answer=GroupOut, **place),
    )(get_group)
    router.patch(
        f"/{plural}/{{int:number}}",
        summary=f"Name a {noun}",
        description="Only the panel shows the name; proxies know the number.",
        operation_id=f"name_{noun}",
        url_name=noun,
        tags=[plural],
        **declared(
            ADMINISTER,
            answer=written(GroupOut),
            writes=True,
            versioned=True,
            example={"name": "Media gateways"},
            **place,
        ),
    )(name_group)


def _check_set(request: HttpRequest, resource: GroupResource, number: int) -> None:
    if resource.is_by_set:
        caller_of(request).require_set(number)


def _prepared_name(
    request: HttpRequest, resource: GroupResource, number: int, body: NameBody, how: WriteQuery
) -> Work:
    current = resource.one(number)
    require_version(request, current, current | {"name": body.name})
    form = GroupNameForm({"name": body.name})
    if not form.is_valid():
        raise invalid(form_findings(form))
    token = token_of(resource.names.stored(number))

    def work() -> HttpResponse:
        with conflicts_as_412(lambda: resource.one(number), current | {"name": body.name}):
            resource.names.rename(number, form.cleaned_data["name"], caller_of(request).actor, token)
        return answered_write(resource.one(number), how)

    return work


_add_operations(GroupResource(SET_NAMES, Destination, "set", "sets", "dispatcher"))
_add_operations(GroupResource(DIALPLAN_NAMES, Rule, "dialplan", "dialplans", "dialplan"))


# Test cases.


class CaseOut(Schema):
    """A test case of a dialplan, and whether it passes on the table as it is."""

    id: int = Field(description="The case's id.")
    etag: str = Field(description="Its version, for If-Match.")
    dpid: int | None = Field(None, description="The dialplan.")
    input: str | None = Field(None, description="What is translated.")
    expected: str | None = Field(None, description="What must come out; null for nothing.")
    passes: bool | None = Field(None, description="Whether exactly that comes out.")
    words: str | None = Field(None, description="What comes out, in words.")


class CaseBody(StrictBody):
    """A test case."""

    dpid: int = Field(ge=0, le=MAX_INT, description="The dialplan.")
    input: str = Field(min_length=1, max_length=500, description="What is translated.")
    expected: str | None = Field(None, max_length=500, description="What must come out; null for nothing.")


class ExpectationBody(StrictBody):
    """What must come of a case's input."""

    expected: str | None = Field(max_length=500, description="What must come out; null for nothing.")


class CasePageQuery(PageQuery):
    """Which cases are requested."""

    dpid: int | None = Field(None, ge=0, le=MAX_INT, description="Only this dialplan.")


def _case_as_json(checked: CheckedCase) -> dict[str, Any]:
    case = checked.case
    return {
        "id": case.pk,
        "etag": version_of(case),
        "dpid": case.dpid,
        "input": case.input,
        "expected": case.expected,
        "passes": checked.passes,
        "words": "" if checked.passes else checked.words,
    }


def _run(case: SavedCase) -> dict[str, Any]:
    [checked] = run_cases([case])
    return _case_as_json(checked)


def _find_case(row_id: int) -> SavedCase:
    case = SavedCase.objects.filter(pk=min(row_id, MAX_INT)).first()
    if case is None:
        raise not_found("There is no such test case.")
    return case


@router.get(
    "/cases",
    summary="List test cases",
    description="Each with what it gives on the table as it is.",
    operation_id="list_cases",
    url_name="cases",
    tags=["test cases"],
    **declared(VIEW, "dialplan", answer=page_of(CaseOut)),
)
def list_cases(request: HttpRequest, query: Query[CasePageQuery]) -> HttpResponse:
    """The test cases."""
    found = SavedCase.objects.all()
    position = position_of(query.cursor)
    if position is not None:
        found = found.filter(pk__gt=position)
    if query.dpid is not None:
        found = found.filter(dpid=query.dpid)
    rows = list(found.order_by("pk")[: query.limit + 1])
    following = cursor_of(rows[query.limit - 1].pk) if len(rows) > query.limit else None
    in_runs = sorted(rows[: query.limit], key=lambda case: (case.dpid, case.pk))
    items = sorted(map(_case_as_json, run_cases(in_runs)), key=lambda each: int(each["id"]))
    return answered_items(items, query.fields, following)


@router.get(
    "/cases/{int:row_id}",
    summary="Get a test case",
    description="With its version as ETag.",
    operation_id="get_case",
    url_name="case",
    tags=["test cases"],
    **declared(VIEW, "dialplan", answer=CaseOut),
)
def get_case(request: HttpRequest, row_id: int) -> HttpResponse:
    """One test case."""
    return answered_resource(request, _run(_find_case(row_id)))


@router.post(
    "/cases",
    summary="Add a test case",
    description="A dialplan has one case for an input.",
    operation_id="add_case",
    url_name="cases",
    tags=["test cases"],
    **declared(
        ADMINISTER,
        "dialplan",
        answer=written(CaseOut),
        status=201,
        writes=True,
        example={"dpid": 1, "input": "030123456", "expected": "+4930123456"},
    ),
)
def add_case(request: HttpRequest, body: CaseBody, how: Query[WriteQuery]) -> HttpResponse:
    """Add a test case."""

    def prepare() -> Work:
        _check_case(body.input, body.expected)
        if case_of(body.dpid, body.input) is not None:
            raise _exists()
        return _saving(request, how, body.dpid, body.input, body.expected, "", 201, _exists)

    return carry_out(request, how, prepare)


@router.patch(
    "/cases/{int:row_id}",
    summary="Change a test case",
    description="What must come out.",
    operation_id="change_case",
    url_name="case",
    tags=["test cases"],
    **declared(
        ADMINISTER,
        "dialplan",
        answer=written(CaseOut),
        writes=True,
        versioned=True,
        example={"expected": "+4930123456"},
    ),
)
def change_case(
    request: HttpRequest, row_id: int, body: ExpectationBody, how: Query[WriteQuery]
) -> HttpResponse:
    """Change a test case."""

    def prepare() -> Work:
        case = _find_case(row_id)
        current = _run(case)
        require_version(request, current, current | {"expected": body.expected})
        _check_case(case.input, body.expected)

        def stale() -> ProblemError:
            return changed(_run(_find_case(row_id)), current | {"expected": body.expected})

        return _saving(request, how, case.dpid, case.input, body.expected, token_of(case), 200, stale)

    return carry_out(request, how, prepare)


@router.delete(
    "/cases/{int:row_id}",
    summary="Delete a test case",
    description="It is not run any more.",
    operation_id="delete_case",
    url_name="case",
    tags=["test cases"],
    **declared(ADMINISTER, "dialplan", answer=written(CaseOut), writes=True, versioned=True),
)
def delete_case(request: HttpRequest, row_id: int, how: Query[WriteQuery]) -> HttpResponse:
    """Delete a test case."""

    def delete(case: SavedCase, token: str) -> None:
        cases.delete(case, caller_of(request).actor, token)

    return carry_out_deletion(request, how, lambda: _find_case(row_id), _run, delete)


def _check_case(text: str, expected: str | None) -> None:
    form = CaseForm({"input": text, "expected": expected or "", "nothing": expected is None})
    if not form.is_valid():
        raise invalid(form_findings(form))


def _exists() -> ProblemError:
    return refused("input", "exists", "The dialplan has a test case of this input: change that.")


def _saving(
    request: HttpRequest,
    how: WriteQuery,
    dpid: int,
    text: str,
    expected: str | None,
    token: str,
    status: int,
    stale: Callable[[], ProblemError],
) -> Work:
    def work() -> HttpResponse:
        try:
            case = cases.save(dpid, text, expected, caller_of(request).actor, token)
        except cases.TooManyCasesError as error:
            raise refused("dpid", "too_many", str(error)) from None
        except StaleFormError:
            raise stale() from None
        location = reverse("api:case", args=[case.pk]) if status == 201 else ""
        return answered_write(_run(case), how, status, location=location)

    return work
