"""What every operation does with a request and its answer: limits, JSON, versions, pages."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac
from ninja import Field, Schema
from ninja.operation import PathView
from ninja.parser import Parser

from efcp.accounts.tokens import MARK
from efcp.api.problems import ProblemError, problem_of, refused
from efcp.audit.edit_tokens import token_of

LARGEST_BODY = 1_000_000
"""Bytes of an ordinary body; an operation may take more."""
DEEPEST = 20
"""Arrays and objects within each other."""
LONGEST_ADDRESS = 8_000
MOST_ROWS = 1_000
_TOKEN_FIELDS = {"token", "access_token", "api_key", "apikey", "authorization", "bearer"}
_SALT = "efcp.api.etag"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

View = Callable[..., HttpResponse]


# Requests.


class BoundedParser(Parser):
    """Reads JSON up to a size and a depth, each name once, and no numbers that JSON does not have."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The body. Raises ProblemError: 400, 413 or 415."""
        if request.content_type != "application/json":
            raise ProblemError(415, "content_type", "Send application/json.")
        return read_json(request.body)


def read_json(body: bytes) -> Any:
    """What a JSON text says. Raises ProblemError (400)."""
    try:
        text = body.decode()
        _check_depth(text)
        found = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse_constant, parse_float=_number
        )
        if _SURROGATE.search(text):
            json.dumps(found, ensure_ascii=False).encode()  # raises where one is alone
        return found
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, "json", f"The body is not JSON as expected: {error}"[:300]) from None


def _check_depth(text: str) -> None:
    depth = 0
    for each in re.finditer(r'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', text):
        bracket = each[0]
        if bracket in "[{":
            depth += 1
            if depth > DEEPEST:
                raise ValueError(f"more than {DEEPEST} arrays and objects within each other.")
        elif bracket in "]}":
            depth -= 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice.")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number.")


def _number(text: str) -> int | float:
    """JSON does not tell 1.0 from 1."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def guarded(path_view: PathView, view: View, largest: int = LARGEST_BODY) -> View:
    """The view of some operations: what no operation may get is refused, and every failure is a problem."""
    known = {method: _query_names(each) for each in path_view.operations for method in each.methods}

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            _refuse_token_in_address(request)
            _refuse_unknown(request, known.get(request.method or ""))
            if int(request.META.get("CONTENT_LENGTH") or 0) > largest:
                raise ProblemError(413, "too_large", f"A body has at most {largest:,} bytes.")
            response = view(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - logged there
            return problem_of(request, error).response()
        if response.status_code == 405:
            headers = {"Allow": response.headers["Allow"]}
            return ProblemError(405, "method", "This address has no such method.", headers=headers).response()
        return response

    answer.login_required = False  # type: ignore[attr-defined]
    answer.csrf_exempt = True  # type: ignore[attr-defined]
    return answer


def _query_names(operation: Any) -> frozenset[str]:
    return frozenset(
        name
        for model in operation.models
        if model.__ninja_param_source__ == "query"
        for name in model.__ninja_flatten_map__
    )


def _refuse_token_in_address(request: HttpRequest) -> None:
    address = request.get_full_path()
    if len(address) > LONGEST_ADDRESS:
        raise ProblemError(414, "address", "The address is too long.")
    named = _TOKEN_FIELDS & {name.lower() for name in request.GET}
    if named or re.search(rf"{MARK}[0-9a-f]{{12}}_", address):
        raise ProblemError(
            400,
            "token_in_address",
            "Logs keep addresses: revoke this token, and send the next one as the header Authorization.",
        )


def _refuse_unknown(request: HttpRequest, known: frozenset[str] | None) -> None:
    if known is None:
        return
    unknown = sorted(set(request.GET) - known)
    if unknown:
        raise refused(unknown[0][:100], "unknown_parameter", "The query has no such parameter.")
    repeated = [name for name, values in request.GET.lists() if len(values) > 1]
    if repeated:
        raise refused(repeated[0], "repeated_parameter", "The query has it more than once.")


# Versions.


def etag_of(version: Any) -> str:
    """The ETag of what a resource holds, secrets included: a keyed digest."""
    text = json.dumps(version, sort_keys=True, default=str)
    return f'"{salted_hmac(_SALT, text, algorithm="sha256").hexdigest()[:32]}"'


def version_of(stored: Model) -> str:
    """The ETag of a row of the panel's own tables: of what its edit token is made of."""
    return etag_of([stored._meta.label, stored.pk, token_of(stored)])


def require_version(
    request: HttpRequest, current: Mapping[str, Any], requested: Mapping[str, Any] | None
) -> None:
    """Raise ProblemError unless If-Match names the version of `current`, a resource with its `etag`.

    428 without the header; 412 with both versions where somebody changed it.
    """
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise ProblemError(
            428, "version_required", "Send the ETag of the version that you saw in the header If-Match."
        )
    if given != "*" and not any(
        constant_time_compare(each.strip(), current["etag"]) for each in given.split(",")[:20]
    ):
        raise changed(current, requested)


def changed(current: Mapping[str, Any] | None, requested: Mapping[str, Any] | None) -> ProblemError:
    """412: somebody changed the resource."""
    detail = "Somebody changed it since; nothing was written."
    target = {name: value for name, value in requested.items() if name != "etag"} if requested else None
    return ProblemError(412, "changed", detail, current=current, requested=target)


# Answers.


def moment(at: datetime | None) -> str | None:
    """A moment as RFC 3339 has it, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def answered(data: Any, status: int = 200, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer in JSON."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return HttpResponse(text, status=status, content_type="application/json", headers=dict(headers or {}))


def _plain(value: Any) -> Any:
    return moment(value) if isinstance(value, datetime) else str(value)


def answered_resource(
    request: HttpRequest, data: dict[str, Any], fields: str = "", status: int = 200
) -> HttpResponse:
    """One resource, which has an `etag`; 304 where the client has this version."""
    etag = data["etag"]
    known = [each.strip() for each in request.headers.get("If-None-Match", "").split(",")]
    if status == 200 and etag in known:
        return HttpResponse(status=304, headers={"ETag": etag})
    return answered(sparse(data, fields), status, headers={"ETag": etag})


class FieldsQuery(Schema):
    """Which fields an answer has."""

    fields: str = Field(
        "",
        max_length=500,
        description="Only these fields, separated by commas; `id` and `etag` are always there.",
        examples=["setid,destination"],
    )


class PageQuery(FieldsQuery):
    """One page of a list."""

    limit: int = Field(100, ge=1, le=MOST_ROWS, description="Most items of a page.")
    cursor: str = Field("", max_length=100, description="`next` of the page before; empty: from the start.")


def sparse(data: dict[str, Any], fields: str) -> dict[str, Any]:
    """The requested fields. Raises ProblemError for one that is not there."""
    if not fields:
        return data
    requested = {each.strip() for each in fields.split(",")} - {""}
    unknown = sorted(requested - data.keys())
    if unknown:
        raise refused("fields", "unknown_field", f"There is no field {unknown[0][:100]}.")
    return {name: value for name, value in data.items() if name in requested or name in {"id", "etag"}}


def cursor_of(position: int) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode().rstrip("=")


def position_of(cursor: str) -> int | None:
    """The position of a cursor; None at the start. Raises ProblemError."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        position = int(re.fullmatch(r"after:(-?[0-9]{1,19})", text)[1])  # type: ignore[index]
    except (ValueError, TypeError):
        raise refused("cursor", "cursor", "This is no cursor of a page.") from None
    if cursor_of(position) != cursor or abs(position) >= 2**63:
        raise refused("cursor", "cursor", "This is no cursor of a page.")
    return position


def answered_page(
    rows: QuerySet[Any],
    page: PageQuery,
    as_json: Callable[[Any], dict[str, Any]],
    *,
    newest_first: bool = False,
) -> HttpResponse:
    """A page of rows in the order of their ids, read from the id where the page before ended."""
    position = position_of(page.cursor)
    if position is not None:
        rows = rows.filter(**{"pk__lt" if newest_first else "pk__gt": position})
    found: list[Model] = list(rows.order_by("-pk" if newest_first else "pk")[: page.limit + 1])
    following = cursor_of(found[page.limit - 1].pk) if len(found) > page.limit else None
    return answered_items([as_json(each) for each in found[: page.limit]], page.fields, following)


def answered_items(
    items: Iterable[dict[str, Any]], fields: str = "", following: str | None = None
) -> HttpResponse:
    """A whole list, or one page of it."""
    return answered({"items": [sparse(each, fields) for each in items], "next": following})
