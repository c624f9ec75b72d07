"""JSON-RPC 2.0 as the proxy's MI core takes and answers it (mi/mi.c); strange requests included."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from efcp.sandbox.parameters import MiRefusalError, whole

Params = dict[str, object] | list[object] | None
Call = Callable[[str, Params], Any]
"""Carries out a method and returns the result; raises MiRefusalError for an error object."""

_PARSE_ERROR = {"code": -32700, "message": "Parse error"}


def _refuse_constant(name: str) -> None:
    """NaN and the like are no JSON, though Python reads them."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class Unanswered(Enum):
    """Why a request gets no JSON: it has no id, or an id that can't be repeated."""

    NOTIFICATION = "notification"
    UNPRINTABLE = "unprintable"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    params: Params


def answer(body: bytes, call: Call) -> bytes | Unanswered:
    """The JSON that answers `body`, or why there is none.

    A request without an id is carried out all the same. What follows the first JSON value does not count.
    """
    try:
        parsed, _rest = _DECODER.raw_decode(body.decode(errors="replace").lstrip())
    except (ValueError, RecursionError):
        return _encode({"error": _PARSE_ERROR, "id": None})
    members = _members(parsed)
    request_id = members.get("id")
    if isinstance(request_id, bool | list | dict):
        return Unanswered.UNPRINTABLE
    if isinstance(request_id, int | float):
        request_id = whole(request_id)
    try:
        request = _read(members)
    except MiRefusalError as refusal:
        return _encode({"error": refusal.as_object(), "id": request_id})
    told = _told(call, request)
    return _encode(told | {"id": request_id}) if "id" in members else Unanswered.NOTIFICATION


def _members(parsed: object) -> dict[str, Any]:
    """What an object holds, by names in lower case: cJSON looks members up in either case."""
    return {name.lower(): value for name, value in parsed.items()} if isinstance(parsed, dict) else {}


def _read(members: dict[str, Any]) -> _Request:
    method = members.get("method")
    params = members.get("params")
    if members.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise MiRefusalError(-32600, "Invalid Request")
    if "params" in members and not isinstance(params, dict | list):
        raise MiRefusalError(-32600, "Invalid Request")
    return _Request(method, params)


def _told(call: Call, request: _Request) -> dict[str, Any]:
    try:
        return {"result": call(request.method, request.params)}
    except MiRefusalError as refusal:
        return {"error": refusal.as_object()}


def _encode(told: dict[str, Any]) -> bytes:
    written = json.dumps({"jsonrpc": "2.0"} | told, separators=(",", ":"), ensure_ascii=False)
    return written.encode(errors="replace")
