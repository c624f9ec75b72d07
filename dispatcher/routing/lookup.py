"""From a destination's host to addresses, as the loader does it (resolve.c: sip_resolvehost)."""

import re

from dispatcher.routing.environment import Environment
from dispatcher.routing.findings import Code, Effect, RowFindings
from efcp.sip import address
from efcp.sip.uri import SipUri

_COLUMN = "destination"
_MAX_ADDRESSES = 32


Name = tuple[str, int | None, str]
"""Host, port or None, transport: what `Environment.resolve` is asked."""


_PLAIN_NAME = re.compile(
    r"sip:(?P<host>[a-z](?:[a-z0-9-]*\.)*[a-z0-9-]*[a-z][a-z0-9-]*)"
    r"(?::(?P<port>[1-9][0-9]{0,3}))?(?:;transport=(?P<transport>udp|tcp|tls))?"
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

    They are empty where the environment does not tell whether there are any.
    """
    transport = uri.effective_transport
    port = uri.port or environment.default_port(transport)
    numeric = address.ipv4(uri.host) or address.ipv6(uri.host)
    hosts = (numeric,) if numeric else _named(uri, environment, found)
    if hosts is None:
        return None
    if numeric and ":" not in numeric and numeric != uri.host:
        _say_read_as(uri.host, numeric, found)
    _say_transport(uri, environment, found)
    return tuple(f"{address.ipv6(host) or host}:{port}" for host in hosts[:_MAX_ADDRESSES])


def _named(uri: SipUri, environment: Environment, found: RowFindings) -> tuple[str, ...] | None:
    """The addresses of a host that the proxy itself takes for a name."""
    transport = uri.effective_transport
    if _looks_up_nothing(uri):
        found.add(
            Code.UNKNOWN_TRANSPORT,
            Effect.DROPPED,
            _COLUMN,
            "The proxy looks up no name without a port for this transport: it would drop the destination.",
        )
        return None
    # What the proxy takes for a name goes to the C library, which may still see a number in it.
    if read_as := address.c_library_ipv4(uri.host):
        _say_read_as(uri.host, read_as, found)
        return (read_as,)
    resolved = environment.resolve(uri.host, uri.port, transport) if uri.host else ()
    if resolved is None:
        found.add(
            Code.NAME_NOT_LOOKED_UP,
            Effect.SURPRISE,
            _COLUMN,
            f"No answer about the name {uri.host}. A proxy that gets none either drops the destination.",
        )
        return ()
    if not resolved:
        found.add(
            Code.UNKNOWN_NAME,
            Effect.DROPPED,
            _COLUMN,
            f"The name {uri.host} does not resolve: the proxy would drop the destination.",
        )
        return None
    return tuple(resolved)


def _say_read_as(host: str, numeric: str, found: RowFindings) -> None:
    found.add(Code.SHORT_ADDRESS, Effect.SURPRISE, _COLUMN, f"{host} is taken as the address {numeric}.")


def _say_transport(uri: SipUri, environment: Environment, found: RowFindings) -> None:
    transport = uri.effective_transport
    if transport == "other":
        found.add(
            Code.UNKNOWN_TRANSPORT,
            Effect.SURPRISE,
            _COLUMN,
            "The proxy knows no such transport: nothing can be sent there.",
        )
    elif transport != "udp" and transport not in environment.transports:
        port_note = "." if uri.port else ", and the port is taken as 0."
        found.add(
            Code.NO_DEFAULT_PORT,
            Effect.SURPRISE,
            _COLUMN,
            f"Needs the module proto_{transport} in the proxy: without it nothing is sent there{port_note}",
        )
