"""Which of the proxy's own listeners a table's `socket` means (socket_info.c, parse_phostport)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

PROTOCOLS = frozenset(
    {"udp", "tcp", "tls", "sctp", "ws", "wss", "ipsec", "smpp", "bin", "bins", "msrp", "msrps"}
    | {"hep_udp", "hep_tcp", "hep_tls"}
)
_SPECIFICATION = re.compile(
    r"(?:(?P<protocol>[A-Za-z_]+):)?(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>\d+))?\Z"
)
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class SocketName:
    """A socket as written: protocol and port are None where left out."""

    protocol: str | None
    host: str
    port: int | None


def parse(text: str) -> SocketName | None:
    """Read `[protocol:]host[:port]`; None for what the proxy does not understand, and so ignores."""
    match = _SPECIFICATION.match(text.strip(" "))
    if match is None:
        return None
    protocol = match["protocol"].lower() if match["protocol"] else None
    if protocol is not None and protocol not in PROTOCOLS:
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port <= _MAX_PORT:
        return None
    return SocketName(protocol, match["host"].lower(), port)


def listener_of(text: str, listeners: Iterable[str]) -> str | None:
    """The first of `listeners` ("udp:127.0.0.1:5060") that `text` means, None for none."""
    wanted = parse(text)
    if wanted is None:
        return None
    for listener in listeners:
        own = parse(listener)
        if (
            own is not None
            and own.host == wanted.host
            and wanted.protocol in {None, own.protocol}
            and wanted.port in {None, own.port}
        ):
            return listener
    return None
