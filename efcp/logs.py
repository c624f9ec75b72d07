"""The log: lines for people or JSON for programs, and one line for each request.

Each line has the time with its zone, the level, the process, the logger and, within a request, the request's
id. The line of a request names method, path without query, status, milliseconds, number of queries, user,
client address and the name of an API token, and nothing else of a person. The id comes from the header
X-Request-ID of a trusted proxy, or is made here; it is sent back, and error pages show it.

The standard library's logging does it: structlog would add a second way to write a line.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject, empty

from efcp.proxy_headers import client_address, is_trusted_proxy

log = logging.getLogger(__name__)

QUIET_PATHS = ("/cp/healthz", "/cp/readyz", "/cp/static/")
"""Successful requests of these, and answers that nothing changed, are logged at the level DEBUG only."""

_ID = re.compile(r"[A-Za-z0-9_.:/+=@-]{1,128}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class PlainFormatter(logging.Formatter):
    """One line for people: time, level, process, logger, request id, text."""

    def __init__(self) -> None:
        super().__init__("%(at)s %(levelname)s [%(process)d] %(name)s%(request)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line; that of an exception is followed by its trace."""
        record.at = _moment(record)
        record.request = f" {_request_id.get()}" if _request_id.get() else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what a line has beside its text are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The object, without line breaks."""
        fields: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname,
            "process": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if _request_id.get():
            fields["request_id"] = _request_id.get()
        fields |= getattr(record, "fields", {})
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class RequestLogMiddleware:
    """Gives each request its id, and logs it when it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; its answer has the id in X-Request-ID."""
        started = time.perf_counter()
        request_id = request_id_of(request)
        request.id = request_id  # type: ignore[attr-defined]
        token = _request_id.set(request_id)
        queries = QueryCount()
        try:
            with connection.execute_wrapper(queries):
                response = self.get_response(request)
            _log(request, response, (time.perf_counter() - started) * 1000, queries.count)
        finally:
            _request_id.reset(token)
        response["X-Request-ID"] = request_id
        return response


class QueryCount:
    """Counts the statements that a connection executes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(
        self, execute: Callable[..., Any], sql: Any, parameters: Any, many: Any, context: Any
    ) -> Any:
        """Execute one."""
        self.count += 1
        return execute(sql, parameters, many, context)


def request_id_of(request: HttpRequest) -> str:
    """The id that a trusted proxy sent, if it is a plain one, else a new one."""
    sent = request.META.get("HTTP_X_REQUEST_ID", "")
    if sent and _ID.fullmatch(sent) and is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
        return str(sent)
    return secrets.token_hex(8)


def _log(request: HttpRequest, response: HttpResponse, took_ms: float, queries: int) -> None:
    status = response.status_code
    is_quiet = status == 304 or (status < 400 and request.path.startswith(QUIET_PATHS))
    level = logging.DEBUG if is_quiet else logging.INFO
    if not log.isEnabledFor(level):
        return
    fields = {
        "method": request.method,
        "path": request.path,
        "status": status,
        "ms": round(took_ms, 1),
        "queries": queries,
        "user": _user_of(request),
        "address": client_address(request),
        "token": getattr(request, "api_token_name", ""),
    }
    text = (
        '%(method)s %(path)r %(status)d in %(ms).1f ms, %(queries)d queries, user "%(user)s" at %(address)s'
    ) + (', token "%(token)s"' if fields["token"] else "")
    log.log(level, text, fields, extra={"fields": fields})


def _user_of(request: HttpRequest) -> str:
    """The name of the signed-in user or of the token's owner, if the request had to know.

    It is not looked up for the log.
    """
    if owner := getattr(request, "api_token_owner", ""):
        return str(owner)
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject) and user.__dict__.get("_wrapped", empty) is empty:
        return ""
    return user.get_username() if user is not None else ""
