"""What the loader makes of a row's destination and socket: next hop, addresses, listener.

Sources: add_dest2list in dispatch.c, sip_resolvehost in resolve.c and parse_phostport in socket_info.h.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.routing.environment import Environment
from dispatcher.routing.findings import RowCode, RowEffect, RowFindings
from efcp.sip import address
from efcp.sip.address import ipv6
from efcp.sip.uri import SipUri

_COLUMN = "destination"
_MAX_ADDRESSES = 32


Name = tuple[str, int | None, str]
"""Host, port or None, transport: what `Environment.resolve` is asked."""


_PLAIN_NAME = re.compile(
    r"sip:(?P<host>[a-z](?:[a-z0-9-]*\.)*[a-z0-9-]*[a-z][a-z0-9-]*)"
    r"(?::(?P<port>[1-9][0-9]{0,3}))?(?:;transport=(?P<transport>udp|tcp|tls))?"
)

PROTOCOLS = frozenset(
    {"udp", "tcp", "tls", "sctp", "ws", "wss", "bin", "bins", "hep_udp", "hep_tcp", "smpp", "msrp", "msrps"}
    | {"bond", "ipsec"}
)
"""All protocols that a socket can name; the last two from 4.0 on."""
_BRACKETED_COLON = re.compile(r"\[[^\[\]]*\]")
_MAX_PORT = 65535
_BITS_16 = 0xFFFF


@dataclass(frozen=True, slots=True)
class NextHop:
    """What the proxy sends to. `undefined_bytes` more follow `text`: whatever was in its memory."""

    text: str
    undefined_bytes: int = 0
    is_broken: bool = False


def next_hop_of(text: str, uri: SipUri) -> NextHop:
    """The next hop of the URI `text`, taken apart as `uri`.

    Without user part, password and headers it is the URI itself. Else host, port and parameters are copied
    one by one, where the loader forgets the semicolon before the parameters, and writes these over the port.
    """
    if not (uri.user or uri.password or uri.headers):
        return NextHop(text)
    start = f"{uri.scheme}:{uri.host}"
    if not uri.parameters:
        return NextHop(f"{start}:{uri.port_text}" if uri.port_text else start)
    if not uri.port_text:
        return NextHop(start + uri.parameters, is_broken=True)
    rest_of_port = uri.port_text[len(uri.parameters.encode()) :]
    return NextHop(
        text=f"{start}:{uri.parameters}{rest_of_port}",
        undefined_bytes=len(uri.port_text) - len(rest_of_port),
        is_broken=True,
    )


def plain_name(destination: str) -> Name | None:
    """The name in a destination so ordinary that it needs no parser; None for any other."""
    found = _PLAIN_NAME.fullmatch(destination)
    if found is None:
        return None
    return found["host"], int(found["port"]) if found["port"] else None, found["transport"] or "udp"


def name_of(uri: SipUri) -> Name | None:
    """The name that a load of this URI looks up; None where it looks none up, or drops the row without."""
    numeric = address.ipv4(uri.host) or address.ipv6(uri.host) or address.c_library_ipv4(uri.host)
    if numeric or not uri.host or uri.scheme == "tel" or _looks_up_nothing(uri):
        return None
    return uri.host, uri.port, uri.effective_transport


def _looks_up_nothing(uri: SipUri) -> bool:
    """Whether the proxy drops the name unseen: no port, and a transport for which it has no service."""
    return not uri.port and (uri.transport == "other" or (uri.secure and uri.effective_transport != "tls"))


def addresses_of(uri: SipUri, environment: Environment, found: RowFindings) -> tuple[str, ...] | None:
    """The addresses with the port, as ds_list prints them; None where the proxy drops the destination.

    They are empty where the environment does not know any.
    """
    transport = uri.effective_transport
    port = uri.port or environment.default_port(transport)
    numeric = address.ipv4(uri.host) or address.ipv6(uri.host)
    hosts = (numeric,) if numeric else _named(uri, environment, found)
    if hosts is None:
        return None
    if numeric and ":" not in numeric and numeric != uri.host:
        _note_read_as(uri.host, numeric, found)
    _note_transport(uri, environment, found)
    return tuple(f"{address.ipv6(host) or host}:{port}" for host in hosts[:_MAX_ADDRESSES])


def _named(uri: SipUri, environment: Environment, found: RowFindings) -> tuple[str, ...] | None:
    """The addresses of a host that the proxy itself takes for a name."""
    transport = uri.effective_transport
    if _looks_up_nothing(uri):
        found.add(
            RowCode.UNKNOWN_TRANSPORT,
            RowEffect.DROPPED,
            _COLUMN,
            "For this transport the proxy resolves no name without a port: it would reject the destination.",
        )
        return None
    # What the proxy takes for a name goes to the C library, which may still see a number in it.
    if read_as := address.c_library_ipv4(uri.host):
        _note_read_as(uri.host, read_as, found)
        return (read_as,)
    resolved = environment.resolve(uri.host, uri.port, transport) if uri.host else ()
    if resolved is None:
        found.add(
            RowCode.NAME_NOT_LOOKED_UP,
            RowEffect.SURPRISE,
            _COLUMN,
            f"No DNS answer for {uri.host}. A proxy that gets none either rejects the destination.",
        )
        return ()
    if not resolved:
        found.add(
            RowCode.UNKNOWN_NAME,
            RowEffect.DROPPED,
            _COLUMN,
            f"{uri.host} does not resolve: the proxy would reject the destination.",
        )
        return None
    return tuple(resolved)


def _note_read_as(host: str, numeric: str, found: RowFindings) -> None:
    found.add(
        RowCode.SHORT_ADDRESS,
        RowEffect.SURPRISE,
        _COLUMN,
        f"{host} is read as the address {numeric}.",
    )


def _note_transport(uri: SipUri, environment: Environment, found: RowFindings) -> None:
    transport = uri.effective_transport
    if transport == "other":
        found.add(
            RowCode.UNKNOWN_TRANSPORT,
            RowEffect.SURPRISE,
            _COLUMN,
            "Unknown transport: nothing can be sent there.",
        )
    elif transport != "udp" and transport not in environment.transports:
        port_note = "." if uri.port else ", and the port becomes 0."
        found.add(
            RowCode.NO_DEFAULT_PORT,
            RowEffect.SURPRISE,
            _COLUMN,
            f"The proxy needs the module proto_{transport}; without it nothing is sent there{port_note}",
        )


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


def parse_socket(text: str) -> SocketName | None:
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
    named = parse_socket(text)
    if named is None:
        return None
    for listener in listeners:
        own = parse_socket(listener)
        if own is not None and _means(named, own):
            return listener
    return None


def _means(named: SocketName, own: SocketName) -> bool:
    if named.protocol not in {None, own.protocol}:
        return False
    # The proxy keeps 16 bits of the port that it looks for; 0 stands for any.
    port = (named.port or 0) & _BITS_16
    if port not in {0, own.port}:
        return False
    # An empty host equals the empty advertised name of a listener without one, in all three releases.
    if not named.host:
        return True
    return named.host.strip("[]") == own.host.strip("[]") or (
        (address := ipv6(named.host)) is not None and address == ipv6(own.host)
    )
