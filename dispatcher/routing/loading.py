"""Rows to sets, as the proxy's loader does it (dispatch.c: ds_load_data, add_dest2list, reindex_dests).

What the loader drops, cuts or builds wrong is done here too, with findings.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dispatcher.routing.addresses import NextHop, addresses_of, listener_of, next_hop_of, parse_socket
from dispatcher.routing.destinations import DestinationState, LoadedDestination
from dispatcher.routing.environment import Environment, Resolve
from dispatcher.routing.findings import (
    RowCode,
    RowEffect,
    RowFinding,
    RowFindings,
)
from dispatcher.routing.rows import DestinationRow
from efcp.releases import RELEASE_3_6
from efcp.sip.uri import SipUri, UriError, parse

__all__ = ["Environment", "LoadBrokenError", "LoadedDestination", "LoadedSets", "Resolve", "load", "load_row"]

MAX_16 = 0xFFFF
_MAX_32 = 0xFFFFFFFF
_MAX_HOST = 254
_NO_DIGITS_WEIGHT = 1


@dataclass(frozen=True, slots=True)
class LoadedSets:
    """The sets in ds_list's order, each with its destinations in order of preference."""

    sets: dict[int, tuple[LoadedDestination, ...]]
    discarded: int
    findings: tuple[RowFinding, ...]

    @property
    def count(self) -> int:
        """How many destinations were loaded."""
        return sum(len(destinations) for destinations in self.sets.values())


class LoadBrokenError(Exception):
    """A row that makes the whole reload fail with MI error 500; the proxy then keeps its old table."""

    def __init__(self, finding: RowFinding) -> None:
        super().__init__(finding.text)
        self.finding = finding


def load(rows: Iterable[DestinationRow], environment: Environment) -> LoadedSets:
    """Load `rows` in their order; raise LoadBrokenError where the proxy gives up."""
    sets: dict[int, list[LoadedDestination]] = {}
    findings: list[RowFinding] = []
    discarded = 0
    for row in rows:
        destination = load_row(row, environment, findings)
        if destination is None:
            discarded += 1
            continue
        _insert(sets.setdefault(row.setid, []), row.priority, destination)
    # The loader puts each new set in front of the others.
    ordered = {setid: tuple(sets[setid]) for setid in reversed(sets)}
    findings.extend(_overflows(ordered))
    return LoadedSets(ordered, discarded, tuple(findings))


def _insert(members: list[LoadedDestination], priority: int, destination: LoadedDestination) -> None:
    """Put the destination after the last one of no lower priority: 16 bits kept of those, all of its own."""
    index = len(members)
    while index > 0 and members[index - 1].priority < priority:
        index -= 1
    members.insert(index, destination)


def load_row(
    row: DestinationRow, environment: Environment, findings: list[RowFinding]
) -> LoadedDestination | None:
    """Load one row, None where it is dropped; its findings are added to `findings`.

    Raises LoadBrokenError.
    """
    found = RowFindings(row.id, findings)
    text = _column(row.destination)
    if not text:
        raise LoadBrokenError(
            RowFinding(
                RowCode.EMPTY_DESTINATION,
                RowEffect.RELOAD_FAILS,
                "destination",
                "Empty: this row would make the whole reload fail.",
                row.id,
            )
        )
    socket = _socket(_column(row.socket), environment, found)
    weight = _weight(_column(row.weight), environment, found)
    uri = _uri(text, found)
    if uri is None:
        return None
    addresses = addresses_of(uri, environment, found)
    if addresses is None:
        return None
    next_hop = _next_hop(text, uri, found)
    return LoadedDestination(
        setid=_set(row, found),
        uri=text,
        next_hop=next_hop.text,
        undefined_bytes=next_hop.undefined_bytes,
        host=uri.host,
        state=_state(row, environment, found),
        probe_always=_probe_always(row, found),
        weight=weight,
        priority=_priority(row, found),
        socket=socket,
        attrs=_column(row.attrs),
        description=_column(row.description),
        addresses=addresses,
        row_id=row.id,
    )


def _column(text: str | None) -> str:
    return (text or "").rstrip(" ")


def _socket(text: str, environment: Environment, found: RowFindings) -> str | None:
    if not text:
        return None
    listener = listener_of(text, environment.listeners)
    if listener is not None:
        return listener
    name = parse_socket(text)
    if name is None or not name.is_possible:
        found.add(
            RowCode.SOCKET_IGNORED,
            RowEffect.MISLOADED,
            "socket",
            f"{text} is not a valid socket (example: udp:10.0.0.2:5060): the proxy ignores it.",
        )
    else:
        found.add(
            RowCode.SOCKET_IGNORED,
            RowEffect.SURPRISE,
            "socket",
            f"{text} is not a known socket of the proxy: unless it listens there, it ignores this"
            " and picks a socket itself.",
        )
    return None


def _weight(text: str, environment: Environment, found: RowFindings) -> int:
    """The weight kept: the leading digits where the text is no number and the release still takes it."""
    if text.startswith("fs://"):
        return _NO_DIGITS_WEIGHT
    digits = text[: next((i for i, character in enumerate(text) if character not in "0123456789"), len(text))]
    number = int(digits or "0") if text else _NO_DIGITS_WEIGHT
    # The proxy reads into 32 bits and keeps 16 of them.
    weight = number & _MAX_32 & MAX_16
    if not text or digits != text:
        _note_bad_weight(text, weight, environment, found)
    elif number > MAX_16:
        found.add(
            RowCode.WEIGHT_CUT,
            RowEffect.MISLOADED,
            "weight",
            f"Weights have 16 bits: the proxy would load {weight}.",
        )
    return weight


def _note_bad_weight(text: str, weight: int, environment: Environment, found: RowFindings) -> None:
    if environment.release.refuses_bad_weights:
        raise LoadBrokenError(
            RowFinding(
                RowCode.BAD_WEIGHT,
                RowEffect.RELOAD_FAILS,
                "weight",
                f"{text!r} is not a number: this row would make the whole reload fail.",
                found.row_id,
            )
        )
    found.add(
        RowCode.BAD_WEIGHT,
        RowEffect.MISLOADED,
        "weight",
        f"{text!r} is not a number: OpenSIPS before {RELEASE_3_6} loads it as {weight},"
        " newer releases reject the whole reload.",
    )


def _uri(text: str, found: RowFindings) -> SipUri | None:
    try:
        uri = parse(text)
    except UriError as error:
        found.add(
            RowCode.BAD_URI,
            RowEffect.DROPPED,
            "destination",
            f"The proxy would reject this row: {_marked(text, error)}",
        )
        return None
    if len(uri.host.encode()) > _MAX_HOST:
        found.add(
            RowCode.BAD_URI,
            RowEffect.DROPPED,
            "destination",
            "The host is longer than 254 bytes.",
        )
        return None
    if uri.scheme == "tel":
        found.add(
            RowCode.NOT_SIP,
            RowEffect.DROPPED,
            "destination",
            "A tel: URI has no host to send to.",
        )
        return None
    if uri.scheme.startswith("urn:"):
        found.add(
            RowCode.NOT_SIP,
            RowEffect.MISLOADED,
            "destination",
            f"Not a SIP URI: the proxy reads the service {uri.host} as a host.",
        )
    return uri


def _marked(text: str, error: UriError) -> str:
    if error.position is None or error.position >= len(text):
        return error.reason
    return f"{error.reason} (at character {error.position + 1}: {text[error.position]!r})"


def _next_hop(text: str, uri: SipUri, found: RowFindings) -> NextHop:
    next_hop = next_hop_of(text, uri)
    if next_hop.is_broken:
        found.add(
            RowCode.BROKEN_NEXT_HOP,
            RowEffect.MISLOADED,
            "destination",
            "Together with parameters, a user part or headers give a wrong next hop: remove one of them.",
        )
    elif next_hop.text != text:
        found.add(
            RowCode.PARTS_CUT,
            RowEffect.SURPRISE,
            "destination",
            "The next hop ignores the user part and headers.",
        )
    if "," in next_hop.text:
        found.add(
            RowCode.COMMA,
            RowEffect.MISLOADED,
            "destination",
            "The script cuts the URI at the comma: the proxy would send elsewhere.",
        )
    return next_hop


def _set(row: DestinationRow, found: RowFindings) -> int:
    if row.setid < 0:
        found.add(
            RowCode.NEGATIVE_SET,
            RowEffect.MISLOADED,
            "setid",
            "A negative set loads but can never be selected.",
        )
    return row.setid


def _state(row: DestinationRow, environment: Environment, found: RowFindings) -> DestinationState:
    if not environment.persistent_state:
        return DestinationState.ACTIVE
    if row.state not in {0, 1, 2}:
        found.add(
            RowCode.UNKNOWN_STATE,
            RowEffect.MISLOADED,
            "state",
            f"The proxy loads state {row.state} as active.",
        )
        return DestinationState.ACTIVE
    return DestinationState(row.state)


def _probe_always(row: DestinationRow, found: RowFindings) -> bool:
    if row.probe_mode not in {0, 1}:
        found.add(
            RowCode.UNKNOWN_PROBE_MODE,
            RowEffect.MISLOADED,
            "probe_mode",
            f"The proxy loads probe mode {row.probe_mode} as 0.",
        )
    return row.probe_mode == 1


def _priority(row: DestinationRow, found: RowFindings) -> int:
    if not 0 <= row.priority <= MAX_16:
        found.add(
            RowCode.PRIORITY_CUT,
            RowEffect.MISLOADED,
            "priority",
            f"Priorities have 16 bits: the proxy would load {row.priority & MAX_16}.",
        )
    return row.priority & MAX_16


def _overflows(sets: dict[int, tuple[LoadedDestination, ...]]) -> Iterator[RowFinding]:
    for setid, destinations in sets.items():
        total = sum(destination.weight for destination in destinations)
        if total > MAX_16:
            yield RowFinding(
                RowCode.WEIGHTS_OVERFLOW,
                RowEffect.SURPRISE,
                "weight",
                f"The weights of set {setid} add up to {total:,}, more than 16 bits: call shares are wrong.",
            )
