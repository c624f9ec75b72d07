"""The API's operations under /cp/api/v1/, its description, and the page about it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from efcp.api import desired, groups, people, previews, proxies, records, runs, tables, tokens, webhooks
from efcp.api.exchange import LARGEST_BODY, BoundedParser, answered, guarded
from efcp.api.problems import CONTENT_TYPE, not_found, problem_of
from efcp.api.reference import reference_page

BASE = "/cp/api/v1"
LARGER_BODIES = dict.fromkeys(("plan", "apply"), desired.LARGEST_BODY)
"""Bytes of a body by the name of an address."""
PATH_PARAMETERS = {"row_id": "Its id.", "run_id": "The run's id.", "number": "The set or the dialplan."}
DESCRIPTION = """What the panel's pages do, for programs: by the same code and with the same checks.

Send a token as `Authorization: Bearer …`; users create them in the panel under their name, "API tokens".
A change or deletion needs the ETag of the version that you saw as `If-Match`. `dry_run=true` on a write
answers with what would happen. A POST with an `Idempotency-Key` can be repeated safely. Lists come in pages:
follow `next`. Errors are problem details (RFC 9457)."""


def _answer_error(request: HttpRequest, error: Any) -> HttpResponse:
    return problem_of(request, error).response()


def _assembled() -> NinjaAPI:
    found = NinjaAPI(
        title="EFCP",
        version="1",
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        urls_namespace="api",
        parser=BoundedParser(),
    )
    # django-ninja answers these itself, in a form of its own, unless each is named.
    for kind in (Exception, Http404, HttpError, ValidationError):
        found.add_exception_handler(kind, _answer_error)
    for part in (tables, groups, proxies, runs, people, records, previews, desired, webhooks, tokens):
        found.add_router("", part.router)
    return found


api = _assembled()


@cache
def description() -> dict[str, Any]:
    """The OpenAPI description of every operation."""
    schema = dict(api.get_openapi_schema(path_prefix=BASE))
    for operations in schema["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                parameter.setdefault("description", PATH_PARAMETERS.get(parameter["name"], ""))
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    response["content"] = {CONTENT_TYPE: response["content"]["application/json"]}
    return schema


@require_safe
@login_not_required
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3.1 description; it says nothing of this installation."""
    return answered(description())


@csrf_exempt
@login_not_required
def no_such_address(request: HttpRequest) -> HttpResponse:
    """A problem for an address that does not exist."""
    return not_found("There is no such address.").response()


def _guarded_patterns() -> Iterator[URLPattern]:
    for bound in api._get_bound_routers():
        for address, path_view in bound.path_operations.items():
            route = address.replace("{", "<").replace("}", ">").lstrip("/")
            largest = LARGER_BODIES.get(path_view.url_name or "", LARGEST_BODY)
            yield path(route, guarded(path_view, path_view.get_view(), largest), name=path_view.url_name)


app_name = "api"
urlpatterns = [
    path("", reference_page, name="reference"),
    path("openapi.json", openapi, name="openapi"),
    *_guarded_patterns(),
    re_path("", no_such_address),
]
