"""JSON-RPC 2.0 as the proxy's MI core takes it (mi/mi.c, mi/item.c): requests, recipes, parameters.

Hand-written rather than a JSON-RPC server library: the sandbox has to repeat what a proxy does with strange
requests (names in any case, trailing bytes, ids that can't be repeated, numbers of 32 bits that wrap),
which a correct library refuses. Recorded in `tests/vectors/mi.json.gz`.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

INVALID_PARAMS = (-32602, "Invalid params")
_INTEGER = re.compile(r"[+-]?[0-9]*", re.ASCII)

Recipe = tuple[str, ...]
"""The names of the parameters of one way to call a command, in their order."""
Given = Mapping[str, object]
"""A call's parameters by name."""


class MiRefusalError(Exception):
    """An error object instead of a result."""

    def __init__(self, code: int, message: str, data: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_object(self) -> dict[str, object]:
        """The `error` of the reply."""
        members: dict[str, object] = {"code": self.code, "message": self.message}
        return members | {"data": self.data} if self.data else members


def match(recipes: Sequence[Recipe], given: Mapping[str, object] | list[object] | None) -> Given:
    """The parameters by name, by the recipe that fits; raise MiRefusalError where none does.

    Empty parameters count as none. Named ones have to be as many as a recipe has, and hold all its names.
    """
    if not given:
        if () in recipes:
            return {}
        raise MiRefusalError(*INVALID_PARAMS, "Too few or too many parameters")
    fitting = [recipe for recipe in recipes if len(recipe) == len(given)]
    if not fitting:
        raise MiRefusalError(*INVALID_PARAMS, "Too few or too many parameters")
    if isinstance(given, list):
        if len(fitting) > 1:
            raise MiRefusalError(*INVALID_PARAMS, "Ambiguous call, use named parameters instead")
        return dict(zip(fitting[0], given, strict=True))
    if not any(set(recipe) <= set(given) for recipe in fitting):
        raise MiRefusalError(*INVALID_PARAMS, "Named parameters do not match")
    return given


def text(given: Given, name: str) -> str:
    """A parameter as text; a number counts as its digits. Raise MiRefusalError for any other type."""
    value = given[name]
    return value if isinstance(value, str) else str(_number(value, name))


def optional_text(given: Given, name: str) -> str | None:
    """A parameter as text; None where there is none, and where it is of another type."""
    value = given.get(name)
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool)
    return text(given, name) if is_text else None


def integer(given: Given, name: str) -> int:
    """A parameter as a number of 32 bits; digits in a text count. Raise MiRefusalError for anything else."""
    value = given[name]
    if not isinstance(value, str):
        return _number(value, name)
    number = read_integer(value)
    if number is None:
        raise _bad_type(name)
    return number


def yes_or_no(given: Given, name: str, *, default: bool) -> bool:
    """A parameter of one letter or digit; anything else, also no parameter at all, is the default."""
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return default
    return {"0": False, "n": False, "1": True, "y": True}.get(str(value).lower(), default)


def texts(given: Given, name: str) -> list[str]:
    """A parameter as a list of texts that is not empty; raise MiRefusalError for anything else."""
    value = given[name]
    if not isinstance(value, list):
        raise _bad_type(name)
    if not value:
        raise MiRefusalError(*INVALID_PARAMS, f"Empty array in parameter '{name}'")
    if not all(isinstance(each, str | int | float) and not isinstance(each, bool) for each in value):
        raise MiRefusalError(*INVALID_PARAMS, f"Bad type for array item in parameter '{name}'")
    return [str(each) for each in value]


def read_integer(digits: str) -> int | None:
    """The number of 32 bits in a text, None where it is none; a sign without digits is 0 (str2sint)."""
    if not digits or not _INTEGER.fullmatch(digits):
        return None
    # Python reads no more than 4,300 digits; what stands before the last 40 is beyond 32 bits anyway.
    number = int(digits.lstrip("+-")[-40:] or "0")
    return _wrapped(-number if digits.startswith("-") else number)


def whole(number: float) -> int:
    """The whole number of 32 bits that the proxy takes a JSON number for."""
    return int(max(-(1 << 31), min(number, (1 << 31) - 1)))


def _number(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad_type(name)
    return whole(value)


def _wrapped(number: int) -> int:
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def _bad_type(name: str) -> MiRefusalError:
    return MiRefusalError(*INVALID_PARAMS, f"Bad type for parameter '{name}'")


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
class _RpcRequest:
    method: str
    params: Params


def answer(body: bytes, call: Call) -> bytes | Unanswered:
    """The JSON that answers `body`, or why there is none.

    A request without an id is executed, too. What follows the first JSON value does not count.
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
    outcome = _outcome(call, request)
    return _encode(outcome | {"id": request_id}) if "id" in members else Unanswered.NOTIFICATION


def _members(parsed: object) -> dict[str, Any]:
    """What an object holds, by names in lower case: cJSON looks members up in either case."""
    return {name.lower(): value for name, value in parsed.items()} if isinstance(parsed, dict) else {}


def _read(members: dict[str, Any]) -> _RpcRequest:
    method = members.get("method")
    params = members.get("params")
    if members.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise MiRefusalError(-32600, "Invalid Request")
    if "params" in members and not isinstance(params, dict | list):
        raise MiRefusalError(-32600, "Invalid Request")
    return _RpcRequest(method, params)


def _outcome(call: Call, request: _RpcRequest) -> dict[str, Any]:
    try:
        return {"result": call(request.method, request.params)}
    except MiRefusalError as refusal:
        return {"error": refusal.as_object()}


def _encode(members: dict[str, Any]) -> bytes:
    written = json.dumps({"jsonrpc": "2.0"} | members, separators=(",", ":"), ensure_ascii=False)
    return written.encode(errors="replace")
