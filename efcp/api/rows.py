"""The rows of OpenSIPS's tables as resources, by the pages' own forms and repositories."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Query, Router, Schema
from pydantic import BaseModel, Field, create_model

from efcp.accounts.roles import ADMINISTER, VIEW
from efcp.api.authentication import Caller, caller_of
from efcp.api.exchange import (
    FieldsQuery,
    PageQuery,
    answered_page,
    answered_resource,
    changed,
    etag_of,
    require_version,
)
from efcp.api.operations import StrictBody, declared, page_of, written
from efcp.api.problems import finding_out, form_findings, invalid, not_found, refused
from efcp.api.writes import (
    Work,
    WriteQuery,
    answered_write,
    carry_out,
    gone_as_404,
    refuse_warnings,
)
from efcp.editing.forms import RowForm
from efcp.editing.repository import Repository, RowChangedError, RowGoneError, RowRefusedError
from efcp.editing.table import Column, RowT, Table

Effect = Callable[[], Any]
"""What a write did beside the row; called after it, in its transaction."""


@dataclass(frozen=True)
class RowResource(Generic[RowT]):
    """The rows of one table as a resource.

    `form` binds the pages' form to values, with the row that is edited. `matching` gives the rows that a
    list's query wants. `effect` is called before a write with the row before and after it, None where there
    is none, and whether it is a dry run. With `by_set`, tokens may be limited to groups.
    """

    repository: Repository[RowT]
    noun: str
    plural: str
    example: Mapping[str, Any]
    filters: type[PageQuery]
    matching: Callable[[Any], QuerySet[Any]]
    form: Callable[[Mapping[str, Any], RowT | None], RowForm[RowT]]
    effect: Callable[[RowT | None, RowT | None, bool], Effect]
    by_set: bool

    @property
    def table(self) -> Table[RowT]:
        """The declared table."""
        return self.repository.table

    def as_json(self, row: RowT) -> dict[str, Any]:
        """A row as the API shows it, without secrets."""
        masked = {each.name: each.mask(getattr(row, each.name)) for each in self.table.columns if each.mask}
        version = [getattr(row, each.name) for each in self.table.columns]
        etag = etag_of([self.table.name, row.id, version])
        return {"id": row.id, "etag": etag, **self._values(row), **masked}

    def _values(self, row: RowT) -> dict[str, Any]:
        return {
            each.name: bool(getattr(row, each.name) & 1) if each.is_flag else getattr(row, each.name)
            for each in self.table.columns
        }

    def find(self, row_id: int, caller: Caller) -> RowT:
        """The row. Raises ProblemError."""
        row = self.repository.find(row_id)
        if row is None:
            raise not_found(f"There is no {self.noun} {row_id}.")
        self.require_group(row, caller)
        return row

    def require_group(self, row: RowT, caller: Caller) -> None:
        """Raise ProblemError for a row of a set that the token is not good for."""
        if self.by_set:
            caller.require_set(getattr(row, self.table.key))

    def checked(
        self, given: Mapping[str, Any], stored: RowT | None, how: WriteQuery
    ) -> tuple[RowT, RowForm[RowT]]:
        """The row that the values make over the stored ones, by the pages' form. Raises ProblemError."""
        given = dict(given)
        values = {} if stored is None else self._values(stored)
        for column in self.table.columns:
            if column.mask and column.name in given:
                self._keep_secret(column, given, stored)
        form = self.form(values | given, stored)
        if not form.is_valid():
            raise invalid(form_findings(form))
        refuse_warnings(how, [finding_out(each) for each in form.all_warnings()])
        return form.row(), form

    def _keep_secret(self, column: Column, given: dict[str, Any], stored: RowT | None) -> None:
        """Take a masked secret that comes back as the stored one."""
        value = given[column.name]
        if column.mask is None or column.mask(value) != value or not any(c == "•" for c in value):
            return
        former = getattr(stored, column.name, "")
        if column.mask(former) != value:
            raise refused(column.name, "masked", "The password in it is masked: send it in full.")
        given[column.name] = former


def body_of(table: Table[Any], name: str, *, partial: bool) -> type[BaseModel]:
    """The schema of a row to add, or of the `partial` columns to change."""
    fields: dict[str, Any] = {
        column.name: (_type_of(column), _field_of(column, required=column.identity and not partial))
        for column in table.columns
    }
    fields["reason"] = (str, Field("", description="Stored in the change log.", max_length=255))
    return create_model(name, __base__=StrictBody, **fields)


def shown_as(table: Table[Any], name: str) -> type[BaseModel]:
    """The schema of a row that is answered."""
    fields: dict[str, Any] = {
        "id": (int, Field(description="The row's id.")),
        "etag": (str, Field(description="Its version, for If-Match.")),
    }
    fields |= {
        column.name: (
            _type_of(column) | None if column.width is not None else _type_of(column),
            Field(None, description=_description(column)),
        )
        for column in table.columns
    }
    return create_model(name, __base__=Schema, **fields)


def _type_of(column: Column) -> Any:
    if column.is_flag:
        return bool
    if column.width is None:
        return int
    return str | None if column.empty is None and not column.field.required else str


def _description(column: Column) -> str:
    field = column.field
    choices = "; ".join(f"{value}: {label}" for value, label in _choices(field))
    parts = (str(field.label), str(field.help_text), choices)
    return ". ".join(each.rstrip(".") for each in parts if each)


def _choices(field: forms.Field) -> list[tuple[Any, Any]]:
    choices: Any = field.choices if isinstance(field, forms.ChoiceField) else ()
    return list(choices)


def _field_of(column: Column, *, required: bool) -> Any:
    limits: dict[str, Any] = {}
    field = column.field
    if isinstance(field, forms.IntegerField):
        limits = {"minimum": field.min_value, "maximum": field.max_value}
    elif isinstance(field, forms.TypedChoiceField):
        limits = {"enum": [value for value, _label in _choices(field)]}
    elif column.width is not None:
        limits = {"maxLength": column.width}
    default: Any = ...
    if not required:
        default = field.initial if field.initial is not None else False if column.is_flag else ""
    return Field(default, description=_description(column), json_schema_extra=limits)


def add_operations(router: Router, resource: RowResource[Any]) -> None:
    """Add the five operations of a resource to a router."""
    table, noun, plural = resource.table, resource.noun, resource.plural
    name = noun.capitalize()
    item = shown_as(table, name)
    place = {"module": table.name, "by_set": resource.by_set}
    path = f"/{plural}"
    one = f"{path}/{{int:row_id}}"

    def list_rows(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
        rows = resource.matching(query)
        sets = caller_of(request).sets
        if resource.by_set and sets:
            rows = rows.filter(**{f"{table.key}__in": sets})
        return answered_page(rows, query, lambda row: resource.as_json(table.row.of(row)))

    def get_row(request: HttpRequest, row_id: int, query: Query[FieldsQuery]) -> HttpResponse:
        row = resource.find(row_id, caller_of(request))
        return answered_resource(request, resource.as_json(row), query.fields)

    def add_row(request: HttpRequest, body: BaseModel, how: Query[WriteQuery]) -> HttpResponse:
        return carry_out(request, how, lambda: _prepared_add(request, resource, body, how))

    def change_row(
        request: HttpRequest, row_id: int, body: BaseModel, how: Query[WriteQuery]
    ) -> HttpResponse:
        return carry_out(request, how, lambda: _prepared_change(request, resource, row_id, body, how))

    def delete_row(
        request: HttpRequest, row_id: int, how: Query[WriteQuery], query: Query[ReasonQuery]
    ) -> HttpResponse:
        return carry_out(request, how, lambda: _prepared_delete(request, resource, row_id, query.reason, how))

    list_rows.__annotations__["query"] = Query[resource.filters]  # type: ignore[name-defined, misc]
    add_row.__annotations__["body"] = body_of(table, f"{name}ToAdd", partial=False)
    change_row.__annotations__["body"] = body_of(table, f"{name}Changes", partial=True)
    changes = {key: value for key, value in resource.example.items() if key not in {table.key, table.title}}
    for method, address, view, title, text, declaration in (
        ("GET", path, list_rows, f"List {plural}", "In the order of their ids.", {"answer": page_of(item)}),
        ("GET", one, get_row, f"Get a {noun}", "With its version as ETag.", {"answer": item}),
        (
            "POST",
            path,
            add_row,
            f"Add a {noun}",
            "Checked as by the panel's form. Takes effect on proxies after a reload.",
            {"status": 201, "example": resource.example},
        ),
        (
            "PATCH",
            one,
            change_row,
            f"Change a {noun}",
            "Only the fields that are sent are written.",
            {"versioned": True, "example": changes},
        ),
        (
            "DELETE",
            one,
            delete_row,
            f"Delete a {noun}",
            "Proxies keep it until the next reload.",
            {"versioned": True},
        ),
    ):
        if method != "GET":
            declaration |= {"permission": ADMINISTER, "writes": True, "answer": written(item)}
        router.api_operation(
            [method],
            address,
            summary=title,
            description=text,
            operation_id=f"{view.__name__.removesuffix('_row').removesuffix('_rows')}_{noun}"
            + ("s" if view is list_rows else ""),
            url_name=f"{noun}" if address == one else plural,
            tags=[plural],
            **declared(**{"permission": VIEW, **place, **declaration}),  # type: ignore[arg-type]
        )(view)


class ReasonQuery(Schema):
    """Why something is deleted."""

    reason: str = Field("", max_length=255, description="Stored in the change log.")


def _sent(body: BaseModel) -> tuple[dict[str, Any], str]:
    """The columns that were sent, and the reason."""
    given = body.model_dump(exclude_unset=True)
    return given, given.pop("reason", "")


def _prepared_add(request: HttpRequest, resource: RowResource[Any], body: BaseModel, how: WriteQuery) -> Work:
    given, reason = _sent(body)
    defaults = body.model_dump()
    defaults.pop("reason")
    row, form = resource.checked(defaults | given, None, how)
    caller = caller_of(request)
    resource.require_group(row, caller)
    warnings = [finding_out(each) for each in form.all_warnings()]
    effect = resource.effect(None, row, how.dry_run)

    def work() -> HttpResponse:
        try:
            row_id = resource.repository.add(row, caller.actor, reason)
        except RowRefusedError as error:
            raise refused(error.column, "refused", error.text) from None
        stored = resource.repository.find(row_id)
        location = reverse(f"api:{resource.noun}", args=[row_id])
        data = resource.as_json(stored)
        return answered_write(data, how, 201, warnings=warnings, effect=effect(), location=location)

    return work


def _prepared_change(
    request: HttpRequest, resource: RowResource[Any], row_id: int, body: BaseModel, how: WriteQuery
) -> Work:
    given, reason = _sent(body)
    caller = caller_of(request)
    stored = resource.find(row_id, caller)
    current = resource.as_json(stored)
    require_version(request, current, current | given)
    row, form = resource.checked(given, stored, how)
    resource.require_group(row, caller)
    warnings = [finding_out(each) for each in form.all_warnings()]
    effect = resource.effect(stored, row, how.dry_run)

    def work() -> HttpResponse:
        try:
            with gone_as_404(RowGoneError, resource.noun):
                after = resource.repository.update(row_id, stored, row, caller.actor, reason)
        except RowRefusedError as error:
            raise refused(error.column, "refused", error.text) from None
        except RowChangedError as error:
            raise changed(resource.as_json(error.current), current | given) from None
        return answered_write(resource.as_json(after), how, warnings=warnings, effect=effect())

    return work


def _prepared_delete(
    request: HttpRequest, resource: RowResource[Any], row_id: int, reason: str, how: WriteQuery
) -> Work:
    caller = caller_of(request)
    stored = resource.find(row_id, caller)
    require_version(request, resource.as_json(stored), None)
    effect = resource.effect(stored, None, how.dry_run)

    def work() -> HttpResponse:
        try:
            with gone_as_404(RowGoneError, resource.noun):
                resource.repository.delete(row_id, stored, caller.actor, reason)
        except RowChangedError as error:
            raise changed(resource.as_json(error.current), None) from None
        return answered_write(None, how, effect=effect())

    return work
