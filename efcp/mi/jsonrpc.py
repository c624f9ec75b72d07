"""JSON-RPC 2.0 as OpenSIPS speaks it, read strictly: one request with an id, one reply with the same id.

A value of another type or range than a command's result has is an error, with its place in the reply.

Hand-written rather than a JSON-RPC library or a schema validator: those accept what Python's json accepts
(NaN, duplicate names, lone surrogates, text that is not UTF-8), and a proxy does send latin1 bytes and
numbers beyond 64 bits. Strictness and the lenient text decoding both come from `tests/vectors/mi.json.gz`.
"""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn, TypeAlias

from efcp.mi.errors import NotMiError, RefusedError, WrongShapeError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

INT_RANGE = range(-(2**31), 2**31)
"""A C int, as of a set's id."""

COUNT_RANGE = range(2**63)
"""Any number that counts something."""

_TYPE_NAMES = {
    type(None): "null or missing",
    int: "a whole number that is out of place",
    bool: "true or false",
    float: "a number with a fraction",
    str: "a text",
    list: "a list",
    dict: "an object",
}


class JsonPlace(NamedTuple):
    """Where in a reply a value stands; as text, such as `result.PARTITIONS[0].name`."""

    label: str | int = "result"
    parent: "JsonPlace | None" = None

    def moved(self, by: int) -> "JsonPlace":
        """The place so many items behind this one."""
        return JsonPlace(self.label + by, self.parent) if isinstance(self.label, int) else self

    def __str__(self) -> str:
        if self.parent is None:
            return str(self.label)
        return (
            f"{self.parent}[{self.label}]" if isinstance(self.label, int) else f"{self.parent}.{self.label}"
        )


RESULT = JsonPlace()


class Shape:
    """An object of a reply. Each method raises WrongShapeError for a member that is not as asked for.

    Members that nobody asks for are left alone: a newer version may add some.
    """

    __slots__ = ("_members", "_place")

    def __init__(self, value: JsonValue, place: JsonPlace = RESULT) -> None:
        if type(value) is not dict:
            raise wrong(place, "an object", value)
        self._members = value
        self._place = place

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self._members.get(name)
        if type(value) is not str:
            raise self.wrong(name, "a text")
        return value

    def text_or_empty(self, name: str) -> str:
        """A text that is left out where it is empty."""
        value = self._members.get(name, "")
        if type(value) is not str:
            raise self.wrong(name, "a text")
        return value

    def whole(self, name: str, allowed: range) -> int:
        """A whole number in `allowed`."""
        value = self._members.get(name)
        if type(value) is not int or value not in allowed:
            raise self.wrong(name, f"a whole number from {allowed.start} to {allowed.stop - 1}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        return texts(self._members.get(name), JsonPlace(name, self._place))

    def objects(self, name: str) -> "Iterator[Shape]":
        """A list of objects."""
        return objects(self._members.get(name), JsonPlace(name, self._place))

    def values(self, name: str) -> "Iterator[tuple[JsonValue, JsonPlace]]":
        """A list of anything, each with its place."""
        value, place = self._members.get(name), JsonPlace(name, self._place)
        if type(value) is not list:
            raise wrong(place, "a list", value)
        return ((item, JsonPlace(index, place)) for index, item in enumerate(value))

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._members

    def wrong(self, name: str, expected: str) -> WrongShapeError:
        """The error for the member `name`, which is missing or not `expected`."""
        place = JsonPlace(name, self._place)
        return wrong(place, expected, self._members.get(name))


def objects(value: JsonValue, place: JsonPlace = RESULT) -> Iterator[Shape]:
    """`value` as a list of objects."""
    if type(value) is not list:
        raise wrong(place, "a list", value)
    return (Shape(item, JsonPlace(index, place)) for index, item in enumerate(value))


def texts(value: JsonValue, place: JsonPlace = RESULT) -> tuple[str, ...]:
    """`value` as a list of texts."""
    if type(value) is not list:
        raise wrong(place, "a list", value)
    found = []
    for index, item in enumerate(value):
        if type(item) is not str:
            raise wrong(JsonPlace(index, place), "a text", item)
        found.append(item)
    return tuple(found)


def require_ok(value: JsonValue) -> None:
    """Raise WrongShapeError unless `value` is the plain OK of commands that return nothing."""
    if value != "OK":
        raise wrong(RESULT, "the text “OK”", value)


def wrong(place: JsonPlace, expected: str, value: JsonValue) -> WrongShapeError:
    """The error for `value`, which is not `expected`: it names the kind, never the value."""
    return WrongShapeError(str(place), expected, f"it is {_TYPE_NAMES[type(value)]}")


Params: TypeAlias = Mapping[str, str | int] | Sequence[str | int]

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_BYTES_AS_LATIN1 = "efcp.mi.bytes-as-latin1"
_QUOTED_BYTES = 4096


class BadReplyError(Exception):
    """What is wrong with a reply, in words that follow "The answer is not MI's: "."""


def encode_request(method: str, params: Params | None, request_id: int) -> bytes:
    """The request as JSON. Without an id a proxy never answers (`no_id` in the recorded vectors).

    Raises ValueError for a NUL in a text: the proxy's C strings end there, so that another destination than
    the one that was named could be meant.
    """
    request: dict[str, object] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        values = params.values() if isinstance(params, Mapping) else params
        if any(isinstance(value, str) and "\0" in value for value in values):
            raise ValueError("A parameter of an MI request must not hold a NUL character.")
        request["params"] = dict(params) if isinstance(params, Mapping) else list(params)
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


def decode_reply(body: bytes, request_id: int, quote: Callable[[str], str]) -> JsonValue:
    """The result in a reply; `quote` makes texts of the server fit to be shown.

    Raises RefusedError where the reply is an error, NotMiError where it is no reply to the request at all.
    """
    try:
        reply = _reply(json_value(body))
        if "error" in reply:
            _require_id(reply, request_id, or_null=True)
            raise _refused(reply["error"], quote)
        _require_id(reply, request_id, or_null=False)
        return reply["result"]
    except RecursionError:
        problem = "its JSON is nested too deeply"
    except BadReplyError as bad:
        problem = str(bad)
    raise not_mi(problem, body, quote)


def not_mi(problem: str, body: bytes, quote: Callable[[str], str]) -> NotMiError:
    """The error for a reply that begins with `body`."""
    return NotMiError(
        problem, 200, "application/json", quote(body[:_QUOTED_BYTES].decode("utf-8", "replace"))
    )


def _reply(value: JsonValue) -> dict[str, JsonValue]:
    if type(value) is not dict or value.get("jsonrpc") != "2.0":
        raise BadReplyError("it is JSON but not a JSON-RPC 2.0 reply")
    if ("error" in value) == ("result" in value):
        raise BadReplyError("it must contain either a result or an error")
    return value


def json_value(body: bytes) -> JsonValue:
    """The JSON value in `body`, read strictly. Raises BadReplyError, and RecursionError for a deep one."""
    text = as_text(body)
    try:
        value: JsonValue = _DECODER.decode(text)
        if _SURROGATE_ESCAPE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadReplyError("it contains a lone surrogate") from None
    except json.JSONDecodeError as error:
        raise BadReplyError(f"it is not valid JSON ({error.msg} at character {error.pos})") from None
    except ValueError:  # by json's own limit, the only one left
        raise BadReplyError("a number in it has too many digits") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise BadReplyError(f"it contains {name}, which is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise BadReplyError("a number in it is too large")
    return number


def _without_duplicates(members: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(members)
    if len(found) != len(members):
        raise BadReplyError("an object has a duplicate name")
    return found


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_without_duplicates
)


def _require_id(reply: dict[str, JsonValue], request_id: int, *, or_null: bool) -> None:
    """An error may have a null id: then the server could not read the request's (JSON-RPC 2.0, section 5)."""
    found = reply.get("id")
    if or_null and found is None:
        return
    if type(found) is not int or found != request_id:
        raise BadReplyError("its id is not the request's")


def _refused(error: JsonValue, quote: Callable[[str], str]) -> RefusedError:
    if type(error) is not dict:
        raise BadReplyError("its error is not an object")
    code, message, data = error.get("code"), error.get("message"), error.get("data")
    if type(code) is not int or code not in INT_RANGE or type(message) is not str:
        raise BadReplyError("its error has no proper code or message")
    details = "" if data is None else data if type(data) is str else json.dumps(data)
    return RefusedError(code, quote(message), quote(details))


def as_text(octets: bytes) -> str:
    """The text that a proxy's bytes are read as: UTF-8, and what is none of it as latin1, byte by byte.

    A proxy passes on the bytes of its table, which may come from a latin1 schema, and a dialplan can cut a
    character in two.
    """
    return octets.decode("utf-8", _BYTES_AS_LATIN1)


def _bytes_as_latin1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(_BYTES_AS_LATIN1, _bytes_as_latin1)
