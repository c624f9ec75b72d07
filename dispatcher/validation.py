"""What is wrong, or surprising, about a row before it is saved.

An error stops the save: a proxy would drop the row, break its reload over it, cut a value or build a wrong
next hop (`must` in the recorded acceptance vectors). A warning does not: it says what the proxy will do.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dispatcher.names import Resolver
from dispatcher.shares import MAX_WEIGHT, number_of

_TEXT_FIELDS = ("destination", "socket", "weight", "attrs", "description")
_FS_WEIGHT = re.compile(r"fs://(?:[^@:/\s]*:[^@\s]*@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")
_SOCKET = re.compile(
    r"(?:(?P<protocol>[A-Za-z_]+):)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(?::(?P<port>\d{1,10}))?\Z"
)
_PROTOCOLS = frozenset(
    {"udp", "tcp", "tls", "sctp", "ws", "wss", "bin", "bins", "hep_udp", "hep_tcp", "hep_tls"}
)


class Severity(StrEnum):
    """Whether a finding stops the save."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say at one field."""

    field: str
    severity: Severity
    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class SetOfRow:
    """Sums over the rows of a set as they stand in the table: count, loaded weights, active ones."""

    rows: int
    weight: int
    active: int


@dataclass(frozen=True, slots=True)
class FormEnvironment:
    """What the checks need to know of the world, handed in.

    `look_up` is None where names are not to be looked up. `unstorable` tells the characters of a text that
    the column lacks; `duplicate` the id of another row with this set and URI, given the row's own id.
    """

    look_up: Resolver | None
    known_sockets: Callable[[], Sequence[str]]
    unstorable: Callable[[str, str], str]
    set_of: Callable[[int], SetOfRow]
    duplicate: Callable[[int, str, int | None], int | None]


def check(
    values: Mapping[str, Any], environment: FormEnvironment, before: Mapping[str, Any] | None = None
) -> Iterator[Finding]:
    """Yield what is to be said of `values`, by column; a column that is missing was refused already.

    `before` is the row as it stands, with its `id`, where one is edited.
    """
    unstorable = list(_characters(values, environment))
    yield from unstorable
    spoilt = {finding.field for finding in unstorable}
    if "destination" in values and "destination" not in spoilt:
        pass
    if "weight" in values and "weight" not in spoilt:
        yield from _weight(values["weight"])
    if values.get("socket") and "socket" not in spoilt:
        yield from _socket(values["socket"], environment)
    if "setid" in values:
        yield from _set(values, environment, before)


def _characters(values: Mapping[str, Any], environment: FormEnvironment) -> Iterator[Finding]:
    for field in _TEXT_FIELDS:
        text = values.get(field) or ""
        control = next((character for character in text if unicodedata.category(character) == "Cc"), None)
        if control is not None:
            yield Finding(field, Severity.ERROR, f"Holds a control character (U+{ord(control):04X}).")
        elif lacking := environment.unstorable(field, text):
            listed = " ".join(lacking)
            yield Finding(field, Severity.ERROR, f"The column's character set has no {listed}")


def _weight(weight: str) -> Iterator[Finding]:
    text = weight.rstrip(" ")
    if text[:5].lower() == "fs://":
        if not _FS_WEIGHT.match(text):
            yield Finding("weight", Severity.ERROR, "An fs:// URL looks like fs://user:password@host:port.")
        return
    if not (text.isascii() and text.isdigit()):
        yield Finding(
            "weight",
            Severity.ERROR,
            "Not a whole number. From OpenSIPS 3.6 on it would break the proxy's whole reload; 3.4 takes 0 or 1.",
        )
    elif int(text) > MAX_WEIGHT:
        yield Finding(
            "weight",
            Severity.ERROR,
            f"At most 65535: the proxy keeps 16 bits, and would load it as {int(text) & MAX_WEIGHT}.",
        )
    elif int(text) == 0:
        yield Finding(
            "weight",
            Severity.WARNING,
            "Weight 0 gets no calls by weight, only as failover, or where all weights of the set are 0.",
        )


def _socket(socket: str, environment: FormEnvironment) -> Iterator[Finding]:
    parts = _SOCKET.match(socket.strip())
    port = parts["port"] if parts else None
    if parts is None or (parts["protocol"] and parts["host"] == ""):
        yield Finding(
            "socket", Severity.ERROR, "A socket looks like udp:10.0.0.2:5060; the proxy would ignore this."
        )
    elif port is not None and not 0 < int(port) <= MAX_WEIGHT:
        yield Finding(
            "socket",
            Severity.ERROR,
            "The port is not between 1 and 65535; the proxy would ignore the socket.",
        )
    elif parts["protocol"] and parts["protocol"].lower() not in _PROTOCOLS:
        yield Finding(
            "socket",
            Severity.WARNING,
            f"No proxy knows a protocol {parts['protocol']}: the socket is ignored.",
        )
    elif not any(means_socket(socket, known) for known in environment.known_sockets()):
        yield Finding(
            "socket",
            Severity.WARNING,
            "No known proxy lists this socket. One that does not listen there ignores it and chooses by itself.",
        )


def means_socket(socket: str, listed: str) -> bool:
    """Tell whether a table's `socket` means the listener that a proxy lists as `listed`.

    Protocol and port may be left out in the table, and case does not count (acceptance vectors, `socket`).
    """
    wanted = socket.strip().lower()
    full = listed.lower()
    protocol, _, address = full.partition(":")
    host = address.rpartition(":")[0]
    return wanted in {full, address, f"{protocol}:{host}", host}


def _set(
    values: Mapping[str, Any], environment: FormEnvironment, before: Mapping[str, Any] | None
) -> Iterator[Finding]:
    own_id = before["id"] if before else None
    setid = values["setid"]
    if values.get("destination"):
        other = environment.duplicate(setid, values["destination"].rstrip(" "), own_id)
        if other is not None:
            yield Finding(
                "destination", Severity.ERROR, f"Row {other} has the same set and URI already.", "duplicate"
            )
    others = _without(environment.set_of(setid), before if before and before["setid"] == setid else None)
    yield from _shares(values, others)
    yield from _who_takes_calls(values, others)
    if before and "state" in values and values["state"] != before["state"]:
        yield Finding(
            "state",
            Severity.WARNING,
            "A proxy that holds this destination keeps its own state, also on a reload. To change it now, set"
            " the live state instead.",
        )


def _without(total: SetOfRow, before: Mapping[str, Any] | None) -> SetOfRow:
    """The sums over the other rows of the set."""
    if before is None:
        return total
    return SetOfRow(
        rows=max(0, total.rows - 1),
        weight=max(0, total.weight - number_of(before["weight"])),
        active=max(0, total.active - (before["state"] == 0)),
    )


def _shares(values: Mapping[str, Any], others: SetOfRow) -> Iterator[Finding]:
    if "weight" not in values:
        return
    own = number_of(values["weight"])
    total = others.weight + own
    if total <= MAX_WEIGHT:
        return
    yield Finding(
        "weight",
        Severity.WARNING,
        f"The set's weights would sum to {total}. The proxy counts to 65535 and starts again at 0, so the"
        " shares are wrong for every destination after that point in the set.",
        "overflow",
    )


def _who_takes_calls(values: Mapping[str, Any], others: SetOfRow) -> Iterator[Finding]:
    if others.rows == 0:
        yield Finding(
            "setid", Severity.WARNING, "The set's only destination: when it fails, no other takes its calls."
        )
    if values.get("state", 0) != 0 and others.active == 0:
        yield Finding("state", Severity.WARNING, "No destination of this set would take calls.")
