"""The keys of a request that algorithms hash (ds_hash_... in dispatch.c), and the hash (ds_get_hash)."""

from dataclasses import dataclass

from dispatcher.routing.environment import Environment
from efcp.sip.message import Message
from efcp.sip.uri import SipUri, parse

_BLANKS = " \t\r\n"
_UNSET = "<null>"
_SHORTEST_WITH_DOMAIN = 3

_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of a request that algorithms hash.

    `auth_user` is the digest username of Proxy-Authorization, or else of Authorization; None without such a
    header. `hash_value` is what `hash_pvar` gives; None is an unset variable, which the proxy prints.
    """

    request_uri: str = ""
    from_uri: str = ""
    to_uri: str = ""
    call_id: str = ""
    auth_user: str | None = None
    hash_value: str | None = None

    @property
    def call_id_key(self) -> bytes:
        """The key of algorithm 0."""
        return _bytes(self.call_id.strip(_BLANKS))

    @property
    def auth_key(self) -> bytes | None:
        """The key of algorithm 5: the username up to an `@`; None where there is none to hash.

        A username of one or two characters is never split (digest_parser.c: parse_username).
        """
        whole = self.auth_user or ""
        user = whole.partition("@")[0] if len(_bytes(whole)) >= _SHORTEST_WITH_DOMAIN else whole
        return _bytes(user.strip(_BLANKS)) if user else None

    @property
    def hash_value_key(self) -> bytes:
        """The key of algorithm 7, empty where the proxy refuses to hash."""
        return _bytes((_UNSET if self.hash_value is None else self.hash_value).strip(_BLANKS))


def request_of(message: Message, hash_value: str | None = None) -> Request:
    """What of a whole request decides; a header that it lacks counts as empty."""
    return Request(
        request_uri=message.request_uri,
        from_uri=message.from_uri or "",
        to_uri=message.to_uri or "",
        call_id=message.call_id or "",
        auth_user=message.auth_user,
        hash_value=hash_value,
    )


def uri_keys(text: str, environment: Environment, *, user_only: bool) -> tuple[bytes, bytes]:
    """The two keys of a URI: its user, and its host with a port that is not the transport's default.

    A transport whose module is not loaded has the default port 0, so that every port is part of the key.
    Raises UriError for what the proxy does not parse.
    """
    uri = parse(text.strip(_BLANKS))
    return _bytes(uri.user), b"" if user_only else _bytes(_host_key(uri, environment))


def _host_key(uri: SipUri, environment: Environment) -> str:
    if uri.port_text is None:
        return uri.host
    transport = uri.effective_transport
    nowhere = not uri.port and transport == "other"
    if nowhere or (uri.port or 0) == environment.default_port(transport):
        return uri.host
    # The key is cut from the URI's text by length alone: of a tel: number with a port, whose host is empty
    # but begins at the number, that is the beginning of the number.
    shown = f"{uri.host or uri.user}:{uri.port_text}"
    return shown[: len(uri.host) + 1 + len(uri.port_text)]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def hash_of(*keys: bytes) -> int:
    """The proxy's hash of one or two keys: 1 to 2**32 - 1, never 0.

    Each key is read in words of four bytes, the rest as one shorter word. Bytes count as signed, as they do
    on x86: recorded selections with UTF-8 in the Call-ID and in `hash_pvar` show it.
    """
    total = 0
    for key in keys:
        whole = len(key) - len(key) % 4
        for start in range(0, whole, 4):
            total += _mixed(_word(key[start : start + 4]))
        total += _mixed(_word(key[whole:]))
    total &= _MASK
    total = (total + (total >> 11) + (total >> 13) + (total >> 23)) & _MASK
    return total or 1


def _word(part: bytes) -> int:
    word = 0
    for byte in part:
        word = (word << 8) + (byte - 256 if byte > 127 else byte)
    return word & _MASK


def _mixed(word: int) -> int:
    return word ^ (word >> 3)
