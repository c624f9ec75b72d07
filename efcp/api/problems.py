"""Errors as problem details (RFC 9457): title, detail, a code for programs, and findings by field."""

import json
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Literal

from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Schema
from ninja.errors import HttpError, ValidationError
from pydantic import Field

from efcp.database.failures import DatabaseFailure
from efcp.editing.findings import Finding
from efcp.editing.forms import CheckedForm
from efcp.errors import CommitStatus, outcome_of

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class FindingOut(Schema):
    """A finding about one field of what was sent."""

    field: str = Field(description="The field, empty where it is about the whole.")
    severity: Literal["error", "warning"] = Field(description="Only errors stop a write, unless `strict`.")
    code: str = Field(description="For programs; it stays the same when the text changes.")
    text: str = Field(description="For people.")


class ProblemOut(Schema):
    """Problem details (RFC 9457)."""

    type: str = Field(description="The kind of problem, as a URN.", examples=["urn:efcp:problem:invalid"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="The kind of problem, for programs.", examples=["invalid"])
    detail: str = Field(description="What went wrong this time.")
    findings: list[FindingOut] = Field([], description="What is wrong, or surprising, by field.")
    current: dict[str, Any] | None = Field(None, description="412: the resource as it is now.")
    requested: dict[str, Any] | None = Field(None, description="412: as your request would leave it.")
    written: bool | None = Field(
        None, description="503: whether the write was stored; null where it is not known. Repeat it if not."
    )


class ProblemError(Exception):
    """The request is answered with a problem; nothing was written."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        findings: Iterable[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.findings = list(findings)
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> HttpResponse:
        """The answer."""
        title = HTTPStatus(self.status).phrase
        body = {
            "type": f"urn:efcp:problem:{self.code}",
            "title": title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "findings": self.findings,
            **self.more,
        }
        text = json.dumps(body, ensure_ascii=False, default=str)
        return HttpResponse(text, status=self.status, content_type=CONTENT_TYPE, headers=self.headers)


def finding_out(finding: Finding) -> dict[str, str]:
    """A finding as the API gives it."""
    return {
        "field": finding.field,
        "severity": finding.severity.value,
        "code": finding.code,
        "text": finding.text,
    }


def form_findings(form: Any) -> list[dict[str, str]]:
    """The errors of a form of the pages, then its warnings where it has any."""
    found = [
        {
            "field": "" if field == "__all__" else field,
            "severity": "error",
            "code": str(error.code or ""),
            "text": text,
        }
        for field, errors in form.errors.as_data().items()
        for error in errors
        for text in error.messages
    ]
    warnings = form.all_warnings() if isinstance(form, CheckedForm) else []
    return found + [finding_out(each) for each in warnings]


def invalid(findings: Iterable[Mapping[str, str]], detail: str = "Nothing was saved.") -> ProblemError:
    """422: what was sent is refused, with the findings about it."""
    return ProblemError(422, "invalid", detail, findings=findings)


def refused(field: str, code: str, text: str) -> ProblemError:
    """422 with one finding."""
    return invalid([{"field": field, "severity": "error", "code": code, "text": text}])


def not_found(detail: str = "There is no such resource.") -> ProblemError:
    """404."""
    return ProblemError(404, "not_found", detail)


def problem_of(request: HttpRequest, error: Exception) -> ProblemError:
    """The problem that an exception of a view is answered with."""
    match error:
        case ProblemError():
            return error
        case ValidationError():
            return invalid(map(_schema_finding, error.errors), "The request has not the documented form.")
        case HttpError(__cause__=ProblemError() as cause):
            return cause
        case HttpError():
            return ProblemError(error.status_code, "bad_request", str(error))
        case Http404():
            return not_found()
        case DatabaseError() | InterfaceError():
            return _database_problem(request, error)
        case _:
            log.error("The API failed at %s %s", request.method, request.path, exc_info=error)
            return ProblemError(500, "server_error", "The panel failed; its log has the reason.")


def _schema_finding(error: dict[str, Any]) -> dict[str, str]:
    """A finding of pydantic's; the first parts of its place name the query or the body."""
    place = [str(each) for each in error["loc"]]
    skipped = 2 if place[0] in {"body", "form"} else 1
    return {
        "field": ".".join(place[skipped:]) or place[-1],
        "severity": "error",
        "code": str(error["type"]),
        "text": str(error["msg"]),
    }


def _database_problem(request: HttpRequest, error: DatabaseError | InterfaceError) -> ProblemError:
    failure = DatabaseFailure.of(error)
    log.warning("The database failed at %s %s: %s", request.method, request.path, error)
    outcome = outcome_of(request, failure).outcome
    written = {CommitStatus.DONE: True, CommitStatus.NOT_DONE: False}.get(outcome)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return ProblemError(503, "database", f"{failure.title}. {failure.text}", headers=headers, written=written)
