"""JSON-RPC 2.0 as OpenSIPS speaks it: one request with an id, one reply with the same id."""

import codecs
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeAlias

from efcp.mi.errors import NotMiError, RefusedError
from efcp.mi.shape import INT_RANGE, JsonValue

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
        raise BadReplyError("it is JSON, but not a JSON-RPC 2.0 reply")
    if ("error" in value) == ("result" in value):
        raise BadReplyError("it must hold either a result or an error")
    return value


def json_value(body: bytes) -> JsonValue:
    """The JSON value in `body`, read strictly. Raises BadReplyError, and RecursionError for a deep one."""
    text = as_text(body)
    try:
        value: JsonValue = _DECODER.decode(text)
        if _SURROGATE_ESCAPE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadReplyError("it holds half a character (a lone surrogate)") from None
    except json.JSONDecodeError as error:
        raise BadReplyError(f"it is not valid JSON ({error.msg} at character {error.pos})") from None
    except ValueError:  # by json's own limit, the only one left
        raise BadReplyError("a number in it has too many digits") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise BadReplyError(f"it holds {name}, which is no JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise BadReplyError("a number in it is too large")
    return number


def _without_duplicates(members: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(members)
    if len(found) != len(members):
        raise BadReplyError("a name occurs twice in one of its objects")
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
