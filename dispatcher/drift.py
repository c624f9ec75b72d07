"""Where a row of the table and a destination in a proxy's memory differ.

The table is the request, the memory is the truth. State is no difference: the proxy keeps its own.
`probe_mode`, which ds_list lacks, is compared with what the proxy is known to have loaded.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from dispatcher.loaded import NOT_KNOWN, LoadedColumns, weight_to_keep
from dispatcher.routing.addresses import listener_of
from dispatcher.routing.rows import DestinationRow
from dispatcher.secrets import mask_weight
from dispatcher.shares import number_of
from efcp.proxies.models import KnownDestination

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """One column that differs, with both values as text for people."""

    column: str
    table: str
    memory: str

    @property
    def label(self) -> str:
        """The column's name for people."""
        return self.column.replace("_", " ")

    def __str__(self) -> str:
        return f"{self.label} {self.memory or 'empty'} → {self.table or 'empty'}"


def differing_columns(
    row: DestinationRow,
    memory: KnownDestination,
    loaded: LoadedColumns = NOT_KNOWN,
    listeners: Collection[str] = (),
) -> tuple[ColumnDifference, ...]:
    """The columns in which `row`, loaded as the proxy loads it, would differ from what the proxy holds.

    That is `memory`, and `loaded` for what ds_list lacks; what neither has is no difference.
    `listeners` are sockets that the proxy is known to listen on.
    """
    pairs = [
        ("destination", row.destination.rstrip(" "), memory.uri),
        ("socket", _socket_as_listed(row.socket or "", memory.socket, loaded, listeners), memory.socket),
        ("attrs", row.attrs or "", memory.attrs),
        _weight(row.weight, memory, loaded),
        ("priority", str(_cut(row.priority)), _first(memory.priority, _known(loaded.priority, _cut))),
        ("description", row.description or "", _first(memory.description, loaded.description)),
        ("probe_mode", _probe_mode(row.probe_mode), _known(loaded.probe_mode, _probe_mode)),
    ]
    return tuple(
        ColumnDifference(column, mask_weight(table), listed)
        for column, table, listed in pairs
        if listed is not None and table != listed
    )


def ignored_socket(
    row: DestinationRow,
    memory: KnownDestination,
    loaded: LoadedColumns = NOT_KNOWN,
    listeners: Collection[str] = (),
) -> str:
    """The row's socket where the proxy holds none and that is no difference, else empty.

    A proxy ignores a socket that it does not listen on (reference: Loading).
    """
    socket = row.socket or ""
    if not socket or memory.socket or _socket_as_listed(socket, "", loaded, listeners):
        return ""
    return socket


def _socket_as_listed(socket: str, listed: str, loaded: LoadedColumns, listeners: Collection[str]) -> str:
    """`listed` if the proxy would list the table's `socket` as that, else `socket`.

    Protocol and port may be left out in the table, and case does not count. A proxy that holds none although
    it loaded this socket ignores it, and so may one of which it is not known whether it listens on it.
    """
    if listed:
        return listener_of(socket, [listed]) or socket
    if loaded.socket is not None:
        return "" if loaded.socket == socket else socket
    return socket if listener_of(socket, listeners) else ""


def _weight(weight: str, memory: KnownDestination, loaded: LoadedColumns) -> tuple[str, str, str | None]:
    """The weight as the table and the proxy have it; for an `fs://` URL the proxy lists what it measured."""
    former, is_url = loaded.weight, weight.lower().startswith("fs://")
    if is_url or (former is not None and former.startswith("fs://")):
        unchanged = former is None or former == weight_to_keep(weight)
        return "weight", weight, None if unchanged else _without_digest(former or "")
    listed = None if memory.weight is None else str(memory.weight)
    return "weight", str(number_of(weight)), listed or (former and str(number_of(former)))


def _without_digest(weight: str) -> str:
    return "another fs:// URL" if weight.startswith("fs://") else weight


def _first(listed: int | str | None, loaded: int | str | None) -> str | None:
    known = loaded if listed is None else listed
    return None if known is None else str(known)


def _known(value: int | None, as_loaded: Callable[[int], T]) -> T | None:
    return None if value is None else as_loaded(value)


def _cut(priority: int) -> int:
    return priority & 0xFFFF


def _probe_mode(value: int) -> str:
    """As the proxy loads it: any other value than 1 is 0."""
    return str(int(value == 1))
