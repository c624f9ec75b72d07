"""A SIP request taken apart as OpenSIPS does it (parser/msg_parser.c, parse_fline.c, parse_to.c, digest/)."""

from collections.abc import Iterator
from dataclasses import dataclass

_BLANKS = " \t"
_VERSION = "SIP/2.0"
_COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}
_NOT_IN_A_NAME = set('()<>@,;\\"/[]?={}')
MAX_LENGTH = 65_535
"""The largest message that OpenSIPS reads, in characters here."""


class MessageError(ValueError):
    """A text that is no SIP request: why, and at which line and column (both from 1)."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Header:
    """A header field: full name in lower case, value with folds as single spaces, where that begins."""

    name: str
    value: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Message:
    """A request. Of a header that comes several times the first one counts, as for the proxy.

    The URIs stand without display name, angle brackets and header parameters; None where the header is
    absent. `auth_user` is the digest username of Proxy-Authorization, or else of Authorization.
    """

    method: str
    request_uri: str
    headers: tuple[Header, ...]
    from_uri: str | None
    to_uri: str | None
    call_id: str | None
    auth_user: str | None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the text, with its number from 1."""

    number: int
    text: str

    def error(self, reason: str, column: int) -> MessageError:
        """An error at the character `column`, counted from 0."""
        return MessageError(reason, self.number, column + 1)


def parse_message(text: str) -> Message:
    """Take a request apart; a body after the empty line is not looked at. Raises MessageError."""
    if len(text) > MAX_LENGTH:
        raise MessageError(f"longer than the {MAX_LENGTH} characters that the proxy reads", 1, 1)
    lines = _lines(text)
    first = next(lines, None)
    if first is None:
        raise MessageError("the request is empty", 1, 1)
    method, request_uri = _request_line(first)
    headers = tuple(_headers(lines))
    return Message(
        method=method,
        request_uri=request_uri,
        headers=headers,
        from_uri=_uri_of(headers, "from"),
        to_uri=_uri_of(headers, "to"),
        call_id=_call_id(headers),
        auth_user=_auth_user(headers),
    )


def _lines(text: str) -> Iterator[_Line]:
    """The lines up to the empty one; empty ones before the request are skipped, as the proxy does."""
    started = False
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not line and started:
            return
        if line:
            started = True
            yield _Line(number, line)


def _request_line(line: _Line) -> tuple[str, str]:
    method, blank, rest = line.text.partition(" ")
    if method.upper() == _VERSION:
        raise line.error("this is a reply, not a request", 0)
    if not method or not blank:
        raise line.error("a request begins with a method, a space, a URI, a space and SIP/2.0", 0)
    bad = next((place for place, letter in enumerate(method) if not _is_token(letter)), None)
    if bad is not None:
        raise line.error(f"{method[bad]!r} is not allowed in a method", bad)
    uri, blank, version = rest.partition(" ")
    if not uri:
        raise line.error("the request has no URI", len(method) + 1)
    if version.strip(_BLANKS).upper() != _VERSION:
        raise line.error(f"{_VERSION} is expected after the URI", len(method) + 1 + len(uri) + len(blank))
    return method, uri


def _is_token(letter: str) -> bool:
    return "!" <= letter <= "~" and letter not in _NOT_IN_A_NAME


def _headers(lines: Iterator[_Line]) -> Iterator[Header]:
    """The header fields; a line that begins with a blank goes on with the one before it."""
    current: _Line | None = None
    parts: list[str] = []
    for line in lines:
        if line.text[0] in _BLANKS:
            if current is None:
                raise line.error("a folded line, but no header before it", 0)
            parts.append(line.text.strip(_BLANKS))
            continue
        if current is not None:
            yield _header(current, parts)
        current, parts = line, [line.text]
    if current is not None:
        yield _header(current, parts)


def _header(line: _Line, parts: list[str]) -> Header:
    name, colon, value = parts[0].partition(":")
    if not colon:
        raise line.error("a header needs a colon after its name", len(parts[0]))
    bare = name.rstrip(_BLANKS)
    bad = next((place for place, letter in enumerate(bare) if not _is_token(letter)), None)
    if bad is not None or not bare:
        raise line.error("not a header name", bad or 0)
    whole = " ".join(part for part in (value.strip(_BLANKS), *parts[1:]) if part)
    lower = bare.lower()
    column = len(name) + 2 + len(value) - len(value.lstrip(_BLANKS))
    return Header(_COMPACT.get(lower, lower), whole, line.number, column)


def _first(headers: tuple[Header, ...], name: str) -> Header | None:
    return next((header for header in headers if header.name == name), None)


def _call_id(headers: tuple[Header, ...]) -> str | None:
    header = _first(headers, "call-id")
    if header is None:
        return None
    if not header.value:
        raise MessageError("the Call-ID is empty", header.line, header.column)
    return header.value


def _uri_of(headers: tuple[Header, ...], name: str) -> str | None:
    """The URI of the first value of a header with a name and an address (RFC 3261, 20.10)."""
    header = _first(headers, name)
    if header is None:
        return None
    place = _after_quoted(header, 0) if header.value.startswith('"') else 0
    opened = header.value.find("<", place)
    comma = header.value.find(",", place)
    if opened >= 0 and not 0 <= comma < opened:
        closed = header.value.find(">", opened)
        if closed < 0:
            raise _error_in(header, "the angle bracket is never closed", opened)
        return _given(header, header.value[opened + 1 : closed], opened + 1)
    if place:
        raise _error_in(header, "after a quoted name, the address must be in angle brackets", place)
    end = next((at for at, letter in enumerate(header.value) if letter in ";, \t"), len(header.value))
    return _given(header, header.value[:end], 0)


def _given(header: Header, uri: str, place: int) -> str:
    uri = uri.strip(_BLANKS)
    if not uri:
        raise _error_in(header, "URI expected", place)
    return uri


def _after_quoted(header: Header, place: int) -> int:
    """The place after the quoted string that begins at `place`; a backslash hides what follows it."""
    at = place + 1
    while at < len(header.value):
        if header.value[at] == "\\":
            at += 2
            continue
        if header.value[at] == '"':
            return at + 1
        at += 1
    raise _error_in(header, "the quotation mark is never closed", place)


def _error_in(header: Header, reason: str, place: int) -> MessageError:
    # The place in a folded value is counted as if it were on one line.
    return MessageError(f"{header.name}: {reason}", header.line, header.column + place)


def _auth_user(headers: tuple[Header, ...]) -> str | None:
    """The username of the first header of either name that holds digest credentials."""
    for name in ("proxy-authorization", "authorization"):
        header = _first(headers, name)
        if header is not None and header.value[:7].lower() in {"digest ", "digest\t"}:
            return _digest_username(header)
    return None


def _digest_username(header: Header) -> str | None:
    place = len("digest ")
    while place < len(header.value):
        equals = header.value.find("=", place)
        if equals < 0:
            return None
        name = header.value[place:equals].strip(" \t,").lower()
        begin = equals + 1 + len(header.value[equals + 1 :]) - len(header.value[equals + 1 :].lstrip(_BLANKS))
        if header.value.startswith('"', begin):
            end = _after_quoted(header, begin)
            value = header.value[begin + 1 : end - 1]
        else:
            comma = header.value.find(",", begin)
            end = len(header.value) if comma < 0 else comma
            value = header.value[begin:end].strip(_BLANKS)
        if name == "username":
            return value
        place = end
    return None
