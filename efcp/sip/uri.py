"""SIP URIs as OpenSIPS reads them (parser/parse_uri.c of 3.4 to 4.0), its leniencies included.

The proxy accepts much that RFC 3261 does not, and refuses a few things that it does: what matters to the
panel is what the proxy will do with the text of a table's column.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_MIN_LENGTH = 5
_MAX_PORT = 65535
_MAX_INT = 2**31 - 1
_TRANSPORT = re.compile(r"transport=(?P<value>.+)\Z", re.IGNORECASE | re.ASCII | re.DOTALL)
# RFC 8599: these take a value, and the parser insists on one.
_NEEDS_VALUE = re.compile(r"pn-(?:prid|param|purr)", re.IGNORECASE | re.ASCII)
_EMERGENCY_SERVICE = "urn:nena:service"
_URNS = ("urn:service", _EMERGENCY_SERVICE)
_KNOWN_TRANSPORTS = frozenset({"udp", "tcp", "tls", "sctp", "ws", "wss"})


class UriError(ValueError):
    """A text that the proxy does not take as a URI: why, for people, and at which character (from 0)."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


@dataclass(frozen=True, slots=True)
class SipUri:
    """A URI taken apart. `scheme` is in lower case; the other parts are as they were written.

    Besides sip and sips it can be tel, whose number is the user and whose host is empty, or urn:service and
    urn:nena:service, whose service the proxy takes for a host.

    `host` keeps the brackets of an IPv6 reference. `port_text` is None without a colon; `port` is None where
    none is given, or 0. `transport` is the transport parameter in lower case, "other" for a value that the
    proxy does not know, "" for none.
    """

    scheme: str
    user: str = ""
    password: str = ""
    host: str = ""
    port_text: str | None = None
    port: int | None = None
    parameters: str = ""
    headers: str = ""
    transport: str = ""

    @property
    def effective_transport(self) -> str:
        """The transport that the proxy uses: without a parameter it is tls for sips, else udp."""
        return self.transport or ("tls" if self.secure else "udp")

    @property
    def secure(self) -> bool:
        """Whether it is a sips URI."""
        return self.scheme == "sips"


def uri_key(uri: str) -> str:
    """The URI as the proxy compares destinations: ASCII letters in lower case, all else as it is."""
    return uri.lower() if uri.isascii() else uri.translate(_ASCII_LOWER)


def same_uri(one: str, other: str) -> bool:
    """Whether a proxy takes two columns `destination` for one URI; spaces at the end do not count."""
    return uri_key(one.rstrip(" ")) == uri_key(other.rstrip(" "))


def parse(text: str) -> SipUri:
    """Read `text` as the proxy does; raise UriError for what it refuses."""
    scheme, start = _scheme(text)
    parser = _UriParser(text, start)
    parser.run()
    return parser.finish(scheme)


def host_of(text: str) -> str:
    """The host of a URI in lower case; empty for a text that the proxy does not take as one."""
    try:
        return parse(text).host.lower()
    except UriError:
        return ""


def _scheme(text: str) -> tuple[str, int]:
    if len(text) < _MIN_LENGTH:
        raise UriError("Too short for a URI.")
    # The parser folds case by setting a bit in each of the first four bytes, the colon's included.
    head = "".join(chr(ord(character) | 0x20) for character in text[:4] if character.isascii())
    if head == "sip:":
        return "sip", 4
    if head == "sips" and text[4] == ":":
        return "sips", 5
    if head == "tel:":
        return "tel", 4
    for urn in _URNS:
        if head == "urn:" and text[3:].startswith(f"{urn[3:]}:"):
            return urn, len(urn) + 1
    raise UriError("Must begin with sip: or sips:.", 0)


class _State(Enum):
    INIT = auto()
    USER = auto()
    PASSWORD = auto()
    PASSWORD_ALPHA = auto()
    HOST = auto()
    HOST_REST = auto()
    HOST6 = auto()
    HOST6_END = auto()
    PORT = auto()
    PARAMETERS = auto()
    HEADERS = auto()


@dataclass(slots=True)
class _UriParser:
    """One pass over the characters. What stands before an `@` may turn out to be the user until the end."""

    text: str
    start: int
    state: _State = _State.INIT
    user: str = ""
    password: str = ""
    host: str = ""
    host_start: int = -1
    port_text: str | None = None
    digits: int = 0
    port: int = 0
    parameters: str = ""
    headers: str = ""
    transport: str = ""
    parameter_start: int = 0
    colon_at: int = -1
    found_user: bool = False
    headers_wrong: bool = False

    def run(self) -> None:
        """Read every character."""
        for position in range(self.start, len(self.text)):
            _STEPS[self.state](self, self.text[position], position)

    def finish(self, scheme: str) -> SipUri:
        """Judge the state at the end of the text, and give the result."""
        _ENDS.get(self.state, _UriParser._end_at_null_host)(self)
        host, user = self.host, self.user
        if scheme == "tel":
            host, user = "", host
        elif scheme == _EMERGENCY_SERVICE:
            user = ""
        return SipUri(
            scheme=scheme,
            user=user,
            password=self.password,
            host=host,
            port_text=self.port_text,
            port=self.port or None,
            parameters=self.parameters,
            headers=self.headers,
            transport=self.transport,
        )

    def _bad(self, position: int, what: str = "Unexpected character.") -> UriError:
        return UriError(what, position)

    def _piece(self, end: int) -> str:
        return self.text[self.start : end]

    def _in_init(self, character: str, position: int) -> None:
        if character == "[":
            self.state = _State.HOST6
        elif character in "]:@":
            raise self._bad(position)
        else:
            self.state = _State.USER

    def _in_user(self, character: str, position: int) -> None:
        if character == "@":
            self.user = self._piece(position)
            self._begin_host(position)
        elif character == ":":
            self.user = self._piece(position)
            self._go(_State.PASSWORD, position)
        elif character in ";?":
            self._host_ends(position)
            self._go(_State.PARAMETERS if character == ";" else _State.HEADERS, position)
        elif character in "[]":
            raise self._bad(position)

    def _in_password(self, character: str, position: int) -> None:
        if character == "@":
            self.password = self._piece(position)
            self.digits = 0
            self._begin_host(position)
        elif character in ";?":
            self._user_was_host(position)
            self._go(_State.PARAMETERS if character == ";" else _State.HEADERS, position)
        elif "0" <= character <= "9":
            if self.digits < _MAX_INT // 10:
                self.digits = self.digits * 10 + int(character)
        elif character in "[]:":
            raise self._bad(position)
        else:
            self.digits = 0
            self.state = _State.PASSWORD_ALPHA

    def _in_password_alpha(self, character: str, position: int) -> None:
        if character == "@":
            self.password = self._piece(position)
            self._begin_host(position)
        elif character in ";?":
            raise self._bad(position, "The port is not a number.")
        elif character in "[]:":
            raise self._bad(position)

    def _in_host(self, character: str, position: int) -> None:
        if character == "[":
            self.state = _State.HOST6
        elif character in ":;?&@":
            raise self._bad(position, "The host is empty.")
        else:
            self.state = _State.HOST_REST

    def _in_host_rest(self, character: str, position: int) -> None:
        if not self._ends_host(character, position) and character in "&@":
            raise self._bad(position)

    def _in_host6(self, character: str, position: int) -> None:
        if character == "]":
            self.state = _State.HOST6_END
        elif character in "[&@;?":
            raise self._bad(position, "The IPv6 address has no closing bracket.")

    def _in_host6_end(self, character: str, position: int) -> None:
        if not self._ends_host(character, position):
            raise self._bad(position, "Only a port may follow the IPv6 address.")

    def _ends_host(self, character: str, position: int) -> bool:
        after = {":": _State.PORT, ";": _State.PARAMETERS, "?": _State.HEADERS}.get(character)
        if after is None:
            return False
        self._host_ends(position)
        self._go(after, position)
        return True

    def _in_port(self, character: str, position: int) -> None:
        if "0" <= character <= "9":
            self.digits = self.digits * 10 + int(character)
            if self.digits > _MAX_PORT:
                raise self._bad(position, "The port is above 65535.")
        elif character in ";?":
            self._port_ends(position)
            self._go(_State.PARAMETERS if character == ";" else _State.HEADERS, position)
        else:
            raise self._bad(position, "The port is not a number.")

    def _in_parameters(self, character: str, position: int) -> None:
        self._require_value(character, position)
        if character == "@":
            self._was_user(position)
        elif character in ";?":
            self._parameter_ends(position, at_end=False)
            self.parameter_start = position + 1
            if self.colon_at >= 0:
                self.found_user, self.colon_at = True, -1
            if character == "?":
                self.parameters = self._piece(position)
                self._go(_State.HEADERS, position)
        elif character == ":":
            self._maybe_password(position)

    def _in_headers(self, character: str, position: int) -> None:
        if character == "@":
            self._was_user(position)
        elif character == ";":
            if self.found_user or self.colon_at >= 0:
                raise self._bad(position)
            self.headers_wrong = True
        elif character == ":":
            self._maybe_password(position)
        elif character == "?" and self.colon_at >= 0:
            self.found_user, self.colon_at = True, -1

    def _end_user(self) -> None:
        self._host_ends(len(self.text))

    def _end_password(self) -> None:
        if self.digits > _MAX_PORT:
            raise UriError("The port is above 65535.", self.start)
        self._user_was_host(len(self.text))

    def _end_password_alpha(self) -> None:
        raise UriError("The port is not a number.", self.start)

    def _end_host_rest(self) -> None:
        self._host_ends(len(self.text))

    def _end_host6_end(self) -> None:
        self._host_ends(len(self.text))

    def _end_port(self) -> None:
        self._port_ends(len(self.text))

    def _end_parameters(self) -> None:
        name = self.text[self.parameter_start :]
        if (needs := _NEEDS_VALUE.match(name)) and len(name) <= needs.end() + 1:
            raise UriError(f"The parameter {name} has no value.", self.parameter_start)
        self._parameter_ends(len(self.text), at_end=True)
        self.parameters = self._piece(len(self.text))

    def _end_headers(self) -> None:
        self.headers = self._piece(len(self.text))
        if self.headers_wrong:
            raise UriError("A header can't contain a semicolon.", self.start)

    def _end_at_null_host(self) -> None:
        raise UriError("The host is empty or not closed.", len(self.text))

    def _go(self, state: _State, position: int) -> None:
        self.state = state
        self.start = position + 1
        self.parameter_start = position + 1

    def _begin_host(self, position: int) -> None:
        self.found_user = True
        self._go(_State.HOST, position)

    def _host_ends(self, position: int) -> None:
        self.host = self._piece(position)
        self.host_start = self.start

    def _user_was_host(self, position: int) -> None:
        """`sip:host:5060`: what looked like user and password is host and port."""
        self._port_ends(position)
        self.host, self.user = self.user, ""
        self.found_user = True

    def _port_ends(self, position: int) -> None:
        """Note the port: 16 bits of it, which only a port before parameters or headers can exceed."""
        self.port_text = self._piece(position)
        self.port = self.digits & _MAX_PORT

    def _maybe_password(self, position: int) -> None:
        if self.found_user:
            return
        if self.colon_at >= 0:
            self.found_user, self.colon_at = True, -1
        else:
            self.colon_at = position

    def _was_user(self, position: int) -> None:
        """An `@` after parameters or headers: all of it so far was the user, and the host begins now."""
        if self.found_user:
            raise self._bad(position)
        end = self.colon_at if self.colon_at >= 0 else position
        self.user = self.text[self.host_start : end]
        self.password = self.text[self.colon_at + 1 : position] if self.colon_at >= 0 else ""
        self.host = self.parameters = self.headers = self.transport = ""
        # The proxy forgets the port here, yet goes on counting from its digits where another one follows.
        self.port_text, self.port = None, 0
        self.headers_wrong = False
        self._begin_host(position)

    def _require_value(self, character: str, position: int) -> None:
        name = self.text[self.parameter_start : position]
        if character != "=" and _NEEDS_VALUE.fullmatch(name):
            raise self._bad(position, f"The parameter {name} needs a value.")

    def _parameter_ends(self, position: int, *, at_end: bool) -> None:
        """Note the transport; an empty value counts as an unknown one unless the whole URI ends there."""
        parameter = self.text[self.parameter_start : position]
        if match := _TRANSPORT.match(parameter):
            value = match["value"].lower()
            self.transport = value if value in _KNOWN_TRANSPORTS else "other"
        elif parameter.lower() == "transport=" and not at_end:
            self.transport = "other"


_STEPS: dict[_State, Callable[[_UriParser, str, int], None]] = {
    _State.INIT: _UriParser._in_init,
    _State.USER: _UriParser._in_user,
    _State.PASSWORD: _UriParser._in_password,
    _State.PASSWORD_ALPHA: _UriParser._in_password_alpha,
    _State.HOST: _UriParser._in_host,
    _State.HOST_REST: _UriParser._in_host_rest,
    _State.HOST6: _UriParser._in_host6,
    _State.HOST6_END: _UriParser._in_host6_end,
    _State.PORT: _UriParser._in_port,
    _State.PARAMETERS: _UriParser._in_parameters,
    _State.HEADERS: _UriParser._in_headers,
}
_ENDS: dict[_State, Callable[[_UriParser], None]] = {
    _State.USER: _UriParser._end_user,
    _State.PASSWORD: _UriParser._end_password,
    _State.PASSWORD_ALPHA: _UriParser._end_password_alpha,
    _State.HOST_REST: _UriParser._end_host_rest,
    _State.HOST6_END: _UriParser._end_host6_end,
    _State.PORT: _UriParser._end_port,
    _State.PARAMETERS: _UriParser._end_parameters,
    _State.HEADERS: _UriParser._end_headers,
}
