"""Where a row of the table and a destination in a proxy's memory differ.

The table is what was asked for, the memory is what is true. State is no difference: the proxy keeps its own.
`probe_mode` can't be compared, since ds_list does not tell it.
"""

from dataclasses import dataclass
from typing import Protocol

from dispatcher.routing.sockets import listener_of
from dispatcher.secrets import mask_weight
from dispatcher.services import Values
from dispatcher.shares import number_of


class InMemory(Protocol):
    """What ds_list told of a destination; the last three are None where it was asked without `full`."""

    @property
    def uri(self) -> str: ...

    @property
    def socket(self) -> str: ...

    @property
    def attrs(self) -> str: ...

    @property
    def weight(self) -> int | None: ...

    @property
    def priority(self) -> int | None: ...

    @property
    def description(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """One column that differs, with both values as text for people."""

    column: str
    table: str
    memory: str

    def __str__(self) -> str:
        return f"{self.column} {self.memory or 'empty'} → {self.table or 'empty'}"


def differing_columns(row: Values, memory: InMemory) -> tuple[ColumnDifference, ...]:
    """The columns in which `row`, loaded as the proxy loads it, would differ from `memory`."""
    pairs = [
        ("destination", row.destination.rstrip(" "), memory.uri),
        ("socket", _socket_as_listed(row.socket or "", memory.socket), memory.socket),
        ("attrs", row.attrs or "", memory.attrs),
    ]
    if memory.weight is not None and not row.weight.lower().startswith("fs://"):
        pairs.append(("weight", str(number_of(row.weight)), str(memory.weight)))
    if memory.priority is not None:
        pairs.append(("priority", str(row.priority & 0xFFFF), str(memory.priority)))
    if memory.description is not None:
        pairs.append(("description", row.description or "", memory.description))
    return tuple(
        ColumnDifference(column, mask_weight(table), held) for column, table, held in pairs if table != held
    )


def _socket_as_listed(socket: str, listed: str) -> str:
    """`listed` if the table's `socket` means that listener, else `socket`.

    Protocol and port may be left out in the table, and case does not count (reference: Loading).
    """
    return listener_of(socket, [listed]) or socket if listed else socket
