"""Which of the proxy's own listeners a table's `socket` means (socket_info.h: parse_phostport)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from efcp.sip.address import ipv6

PROTOCOLS = frozenset(
    {"udp", "tcp", "tls", "sctp", "ws", "wss", "bin", "bins", "hep_udp", "hep_tcp", "smpp", "msrp", "msrps"}
    | {"bond", "ipsec"}
)
"""All protocols that a socket can name; the last two from 4.0 on."""
_BRACKETED_COLON = re.compile(r"\[[^\[\]]*\]")
_MAX_PORT = 65535
_BITS_16 = 0xFFFF


@dataclass(frozen=True, slots=True)
class SocketName:
    """A socket as written: protocol and port are None where left out. The host is in lower case."""

    protocol: str | None
    host: str
    port: int | None

    @property
    def is_possible(self) -> bool:
        """Whether any listener could be meant: the proxy reads more than that."""
        return bool(self.host) and (self.port is None or self.port <= _MAX_PORT)


def parse(text: str) -> SocketName | None:
    """Read `[protocol:]host[:port]`; None for what the proxy does not understand, and so ignores.

    With a single colon, what follows it is the port if it is a number; else what stands before is the
    protocol. A port of 0 counts as none. Spaces at the end don't count, as in the table.
    """
    text = text.rstrip(" ")
    colons = _outer_colons(text)
    if colons is None or not text or text.endswith(":"):
        return None
    if not colons:
        return SocketName(None, text.lower(), None)
    if len(colons) == 1:
        before, after = text[: colons[0]], text[colons[0] + 1 :]
        if _is_number(after):
            return SocketName(None, before.lower(), int(after) or None)
        return _with_protocol(before, after, None)
    first, second = colons
    port = text[second + 1 :]
    return _with_protocol(text[:first], text[first + 1 : second], int(port)) if _is_number(port) else None


def _outer_colons(text: str) -> list[int] | None:
    """Where colons stand outside of brackets; None for brackets that don't match, or more than two colons."""
    outside = _BRACKETED_COLON.sub(lambda match: "x" * len(match[0]), text)
    if "[" in outside or "]" in outside or outside.count(":") > 2:
        return None
    return [index for index, character in enumerate(outside) if character == ":"]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _with_protocol(protocol: str, host: str, port: int | None) -> SocketName | None:
    if protocol.lower() not in PROTOCOLS:
        return None
    return SocketName(protocol.lower(), host.lower(), port or None)


def listener_of(text: str, listeners: Iterable[str]) -> str | None:
    """The first of `listeners` ("udp:127.0.0.1:5060") that `text` means, None for none."""
    wanted = parse(text)
    if wanted is None:
        return None
    for listener in listeners:
        own = parse(listener)
        if own is not None and _means(wanted, own):
            return listener
    return None


def _means(wanted: SocketName, own: SocketName) -> bool:
    if wanted.protocol not in {None, own.protocol}:
        return False
    # The proxy keeps 16 bits of the port that it looks for; 0 stands for any.
    port = (wanted.port or 0) & _BITS_16
    if port not in {0, own.port}:
        return False
    # An empty host equals the empty advertised name of a listener without one: seen in all three releases.
    if not wanted.host:
        return True
    return wanted.host.strip("[]") == own.host.strip("[]") or (
        (address := ipv6(wanted.host)) is not None and address == ipv6(own.host)
    )
