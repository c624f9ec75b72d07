"""Rows to sets, as the proxy's loader does it (dispatch.c: ds_load_data, add_dest2list, reindex_dests).

What the loader drops, cuts or builds wrong is done here too, and told as findings.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from dispatcher.routing import sockets
from dispatcher.routing.findings import Code, Effect, Finding
from dispatcher.routing.rows import Row
from efcp.sip import address
from efcp.sip.uri import SipUri, UriError, parse

MAX_16 = 0xFFFF
_MAX_HOST = 254
_DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "sctp": 5060, "ws": 80, "wss": 443}

Resolve = Callable[[str, int | None, str], Sequence[str] | None]
"""Addresses of (host, port or None, transport) as text; empty for no such name, None where nobody asked."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the loader needs to know of the proxy.

    `listeners` are its sockets as ds_list shows them ("udp:127.0.0.1:5060"); `transports` the protocol
    modules that it has loaded; `version` its release ("3.4", "3.6", "4.0"); without `persistent_state` the
    column `state` is not read.
    """

    resolve: Resolve
    listeners: tuple[str, ...] = ()
    transports: frozenset[str] = frozenset({"udp"})
    version: str = "3.4"
    persistent_state: bool = True

    @property
    def refuses_bad_weights(self) -> bool:
        """Whether a weight that is no number breaks the whole reload (from 3.6 on)."""
        major, _, minor = self.version.partition(".")
        return (int(major), int(minor.partition(".")[0] or 0)) >= (3, 6)

    def default_port(self, transport: str) -> int:
        """The port of `transport`, 0 where its module is not loaded."""
        return _DEFAULT_PORTS.get(transport, 0) if transport in self.transports else 0


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination as it stands in the proxy's memory after loading.

    `state` is 0 active, 1 inactive, 2 probing. `next_hop` is what the proxy sends to; the last
    `undefined_bytes` characters of a wrongly built one are whatever the memory held, and left out here.
    `addresses` are as ds_list prints them, with the port.
    """

    setid: int
    uri: str
    next_hop: str
    undefined_bytes: int
    host: str
    state: int
    probe_always: bool
    weight: int
    priority: int
    socket: str | None
    attrs: str
    description: str
    addresses: tuple[str, ...]
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The sets in ds_list's order, each with its destinations in order of preference."""

    sets: dict[int, tuple[Destination, ...]]
    discarded: int
    findings: tuple[Finding, ...]

    @property
    def count(self) -> int:
        """How many destinations were loaded."""
        return sum(len(destinations) for destinations in self.sets.values())


class LoadBrokenError(Exception):
    """A row that makes the whole reload fail with MI error 500; the proxy then keeps its old table."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def load(rows: Iterable[Row], environment: Environment) -> Loaded:
    """Load `rows` in their order; raise LoadBrokenError where the proxy gives up."""
    sets: dict[int, list[tuple[int, Destination]]] = {}
    findings: list[Finding] = []
    discarded = 0
    for row in rows:
        destination = load_row(row, environment, findings)
        if destination is None:
            discarded += 1
            continue
        _insert(sets.setdefault(row.setid, []), row.priority, destination)
    # A new set is put in front of the others; within a set the loader sorts upwards and then turns it round.
    ordered = {
        setid: tuple(destination for _priority, destination in reversed(sets[setid]))
        for setid in reversed(sets)
    }
    findings.extend(_overflows(ordered))
    return Loaded(ordered, discarded, tuple(findings))


def _insert(members: list[tuple[int, Destination]], priority: int, destination: Destination) -> None:
    """Put the destination before the first one of no lower priority: 16 bits kept of those, all of its own."""
    index = 0
    while index < len(members) and members[index][1].priority < priority:
        index += 1
    members.insert(index, (priority, destination))


def load_row(row: Row, environment: Environment, findings: list[Finding]) -> Destination | None:
    """Load one row, None where it is dropped; what is to be said of it is added to `findings`.

    Raises LoadBrokenError.
    """

    def found(code: Code, effect: Effect, column: str, text: str) -> None:
        findings.append(Finding(code, effect, column, text, row.id))

    if not row.destination:
        raise LoadBrokenError(
            Finding(
                Code.EMPTY_DESTINATION,
                Effect.RELOAD_FAILS,
                "destination",
                "Empty: the proxy's whole reload would fail over it.",
                row.id,
            )
        )
    socket = _socket(row, environment, found)
    weight = _weight(row, environment, found)
    text = row.destination.rstrip(" ")
    uri = _uri(text, found)
    if uri is None:
        return None
    addresses = _addresses(uri, environment, found)
    if addresses is None:
        return None
    next_hop, undefined_bytes = _next_hop(text, uri, found)
    return Destination(
        setid=_set(row, found),
        uri=text,
        next_hop=next_hop,
        undefined_bytes=undefined_bytes,
        host=uri.host,
        state=_state(row, environment, found),
        probe_always=_probe_always(row, found),
        weight=weight,
        priority=_priority(row, found),
        socket=socket,
        attrs=row.attrs or "",
        description=row.description or "",
        addresses=addresses,
        row_id=row.id,
    )


Report = Callable[[Code, Effect, str, str], None]


def _socket(row: Row, environment: Environment, found: Report) -> str | None:
    if not row.socket:
        return None
    listener = sockets.listener_of(row.socket, environment.listeners)
    if listener is None:
        understood = sockets.parse(row.socket) is not None
        found(
            Code.SOCKET_IGNORED,
            Effect.SURPRISE if understood else Effect.MISLOADED,
            "socket",
            f"The proxy does not listen on {row.socket}: it ignores the socket and chooses by itself."
            if understood
            else f"{row.socket} is no socket such as udp:10.0.0.2:5060: the proxy ignores it.",
        )
    return listener


def _weight(row: Row, environment: Environment, found: Report) -> int:
    text = (row.weight or "").rstrip(" ")
    if text.startswith("fs://"):
        return 1
    digits = text[: next((i for i, c in enumerate(text) if not "0" <= c <= "9"), len(text))]
    if digits != text or not text:
        if environment.refuses_bad_weights:
            raise LoadBrokenError(
                Finding(
                    Code.BAD_WEIGHT,
                    Effect.RELOAD_FAILS,
                    "weight",
                    f"The weight {text!r} is no number: the proxy's whole reload would fail over it.",
                    row.id,
                )
            )
        weight = _number_16(digits, found) if text else 1
        found(
            Code.BAD_WEIGHT,
            Effect.MISLOADED,
            "weight",
            f"The weight {text!r} is no number: OpenSIPS before 3.6 loads it as {weight}, later ones fail.",
        )
        return weight
    return _number_16(text, found)


def _number_16(digits: str, found: Report) -> int:
    number = int(digits or "0") & 0xFFFFFFFF
    if int(digits or "0") > MAX_16:
        found(
            Code.WEIGHT_CUT,
            Effect.MISLOADED,
            "weight",
            f"The proxy keeps 16 bits of a weight: it would load {number & MAX_16}.",
        )
    return number & MAX_16


def _uri(text: str, found: Report) -> SipUri | None:
    try:
        uri = parse(text)
    except UriError as error:
        found(Code.BAD_URI, Effect.DROPPED, "destination", f"The proxy would drop it: {_marked(text, error)}")
        return None
    if uri.scheme not in {"sip", "sips"}:
        found(Code.NOT_SIP, Effect.DROPPED, "destination", f"A {uri.scheme}: URI names no host to send to.")
        return None
    if len(uri.host) > _MAX_HOST:
        found(Code.BAD_URI, Effect.DROPPED, "destination", "The host is longer than 254 characters.")
        return None
    if "," in uri.parameters or "," in uri.host:
        found(
            Code.COMMA,
            Effect.MISLOADED,
            "destination",
            "A comma ends the URI where the script uses it: the proxy would send to something else.",
        )
    return uri


def _marked(text: str, error: UriError) -> str:
    if error.position is None or error.position >= len(text):
        return error.reason
    return f"{error.reason} (at character {error.position + 1}: {text[error.position]!r})"


def _addresses(uri: SipUri, environment: Environment, found: Report) -> tuple[str, ...] | None:
    transport = uri.transport or ("tls" if uri.scheme == "sips" else "udp")
    port = uri.port or environment.default_port(transport)
    numeric = address.ipv4(uri.host) or address.ipv6(uri.host)
    if numeric is not None:
        if numeric not in {uri.host, uri.host.strip("[]")} and ":" not in numeric:
            _say_read_as(uri.host, numeric, found)
        _say_transport(uri, environment, found)
        return (f"{numeric}:{port}",)
    read_as = address.c_library_ipv4(uri.host)
    if read_as is not None:
        _say_read_as(uri.host, read_as, found)
    if not uri.port and (uri.transport == "other" or (uri.scheme == "sips" and transport != "tls")):
        found(
            Code.UNKNOWN_TRANSPORT,
            Effect.DROPPED,
            "destination",
            "The proxy can't look up a name without a port for this transport: it would drop the destination.",
        )
        return None
    resolved = (read_as,) if read_as else environment.resolve(uri.host, uri.port, transport)
    if resolved is None:
        found(
            Code.NAME_NOT_LOOKED_UP,
            Effect.SURPRISE,
            "destination",
            f"No answer about the name {uri.host}. A proxy that gets none either drops the destination.",
        )
        resolved = ("0.0.0.0",)  # noqa: S104 - a placeholder that is never bound
    if not resolved:
        found(
            Code.UNKNOWN_NAME,
            Effect.DROPPED,
            "destination",
            f"The name {uri.host} does not resolve: the proxy would drop the destination.",
        )
        return None
    _say_transport(uri, environment, found)
    return tuple(f"{address.ipv6(each) or each}:{port}" for each in resolved)


def _say_read_as(host: str, numeric: str, found: Report) -> None:
    found(Code.SHORT_ADDRESS, Effect.SURPRISE, "destination", f"{host} is taken as the address {numeric}.")


def _say_transport(uri: SipUri, environment: Environment, found: Report) -> None:
    if uri.transport == "other":
        found(
            Code.UNKNOWN_TRANSPORT,
            Effect.SURPRISE,
            "destination",
            "The proxy knows no such transport: nothing can be sent there.",
        )
        return
    transport = uri.transport or ("tls" if uri.scheme == "sips" else "udp")
    if transport != "udp" and transport not in environment.transports:
        found(
            Code.NO_DEFAULT_PORT,
            Effect.SURPRISE,
            "destination",
            f"Needs the module proto_{transport} in the proxy; without it nothing can be sent there"
            + ("." if uri.port else ", and the port is taken as 0."),
        )


def _next_hop(text: str, uri: SipUri, found: Report) -> tuple[str, int]:
    """What the proxy will send to, and how many undefined bytes follow it.

    Where user or headers have to be cut, the loader copies host, port and parameters one by one; it forgets
    the semicolon before parameters, and to step over the port before it copies them.
    """
    if not uri.user and not uri.password and not uri.headers:
        return text, 0
    start = f"{uri.scheme}:{uri.host}"
    if not uri.parameters:
        if uri.user or uri.password or uri.headers:
            found(
                Code.PARTS_CUT,
                Effect.SURPRISE,
                "destination",
                "The user part and headers are cut from the next hop.",
            )
        return f"{start}:{uri.port_text}" if uri.port_text else start, 0
    found(
        Code.BROKEN_NEXT_HOP,
        Effect.MISLOADED,
        "destination",
        "With a user part or headers beside parameters the proxy builds a wrong next hop: leave one of them out.",
    )
    if not uri.port_text:
        return start + uri.parameters, 0
    port_rest = uri.port_text[len(uri.parameters) :]
    return f"{start}:{uri.parameters}{port_rest}", len(uri.port_text) - len(port_rest)


def _set(row: Row, found: Report) -> int:
    if row.setid < 0:
        found(
            Code.NEGATIVE_SET, Effect.MISLOADED, "setid", "A negative set loads, but can never be selected."
        )
    return row.setid


def _state(row: Row, environment: Environment, found: Report) -> int:
    if not environment.persistent_state:
        return 0
    if row.state not in {0, 1, 2}:
        found(
            Code.UNKNOWN_STATE, Effect.MISLOADED, "state", f"The proxy loads the state {row.state} as active."
        )
        return 0
    return row.state


def _probe_always(row: Row, found: Report) -> bool:
    if row.probe_mode not in {0, 1}:
        found(
            Code.UNKNOWN_PROBE_MODE,
            Effect.MISLOADED,
            "probe_mode",
            f"The proxy loads the probe mode {row.probe_mode} as 0.",
        )
    return row.probe_mode == 1


def _priority(row: Row, found: Report) -> int:
    if not 0 <= row.priority <= MAX_16:
        found(
            Code.PRIORITY_CUT,
            Effect.MISLOADED,
            "priority",
            f"The proxy keeps 16 bits of a priority: it would load {row.priority & MAX_16}.",
        )
    return row.priority & MAX_16


def _overflows(sets: dict[int, tuple[Destination, ...]]) -> Iterable[Finding]:
    for setid, destinations in sets.items():
        total = sum(destination.weight for destination in destinations)
        if total > MAX_16:
            yield Finding(
                Code.WEIGHTS_OVERFLOW,
                Effect.MISLOADED,
                "weight",
                f"The weights of set {setid} sum to {total}; the proxy counts in 16 bits, so shares are wrong.",
            )


def with_state(destination: Destination, state: int) -> Destination:
    """The same destination in another state."""
    return replace(destination, state=state)
