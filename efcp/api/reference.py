"""The page about the API: every operation of the description, with a form that tries it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from efcp.accounts.roles import VIEW


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A parameter, or a field of a body or an answer; `place` is path, query, header or empty."""

    name: str
    kind: str
    text: str
    place: str = ""
    required: bool = False
    value: str = ""


@dataclass(frozen=True, slots=True)
class OperationCard:
    """One operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    permission: str
    parameters: tuple[FieldLine, ...]
    body: tuple[FieldLine, ...]
    answer: tuple[FieldLine, ...]
    statuses: tuple[tuple[str, str], ...]
    example: str

    @property
    def curl(self) -> str:
        """A command line that calls it."""
        parts = [f"curl -X {self.method} -H 'Authorization: Bearer …'"]
        parts += [
            f"-H '{each.name}: …'" for each in self.parameters if each.place == "header" and each.required
        ]
        if self.example:
            quoted = self.example.replace("'", "'\\''")
            parts.append(f"-H 'Content-Type: application/json' -d '{quoted}'")
        return " ".join([*parts, f"'…{self.path}'"])


def cards(description: Mapping[str, Any]) -> dict[str, list[OperationCard]]:
    """The operations by the resource that they are about."""
    found: dict[str, list[OperationCard]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append(_card(description, path, method, operation))
    return found


def _card(
    description: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> OperationCard:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    good = min(status for status in operation["responses"] if int(status) < 300)
    answer = operation["responses"][good].get("content", {}).get("application/json", {})
    example = body.get("example")
    return OperationCard(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        text=operation.get("description", ""),
        permission=operation["x-permission"].removeprefix("efcp."),
        parameters=tuple(_parameter(each) for each in operation.get("parameters", ())),
        body=tuple(_fields(description, body.get("schema", {}))),
        answer=tuple(_fields(description, answer.get("schema", {}))),
        statuses=tuple((str(status), each["description"]) for status, each in operation["responses"].items()),
        example=json.dumps(example, ensure_ascii=False, indent=2) if example is not None else "",
    )


def _parameter(parameter: Mapping[str, Any]) -> FieldLine:
    schema = parameter["schema"]
    return FieldLine(
        parameter["name"],
        _kind(schema),
        parameter.get("description", ""),
        parameter["in"],
        parameter.get("required", False),
    )


def _fields(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[FieldLine]:
    """The fields of an object; those of the items of a page are there too, with the list before them."""
    schema = _resolved(description, schema)
    for name, field in schema.get("properties", {}).items():
        inner = _resolved(description, field)
        yield FieldLine(
            name, _kind(inner), field.get("description", ""), required=name in schema.get("required", ())
        )
        items = _resolved(description, inner.get("items", {}))
        if name in {"items", "data"}:
            part = items if name == "items" else inner
            for each in _fields(description, part):
                yield FieldLine(f"{name}.{each.name}", each.kind, each.text)


def _resolved(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    reference = (options[0] if len(options) == 1 else schema).get("$ref")
    if reference is None:
        return schema
    found: Mapping[str, Any] = description["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    return str(schema.get("type", "object" if "properties" in schema or "$ref" in schema else "any"))


@cache
def _all_cards() -> dict[str, list[OperationCard]]:
    from efcp.api.urls import description

    return cards(description())


@require_safe
@permission_required(VIEW, raise_exception=True)
def reference_page(request: HttpRequest) -> HttpResponse:
    """Every operation, and a form that tries it with a token that is typed there and kept nowhere."""
    return render(request, "api/reference.html", {"resources": _all_cards()})
