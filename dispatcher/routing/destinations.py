"""A destination as it stands in the proxy's memory."""

from dataclasses import dataclass

from dispatcher.routing.states import State


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination after loading.

    `next_hop` is what the proxy sends to; the last `undefined_bytes` bytes of a wrongly built one are
    whatever the memory held, and left out here. `addresses` are as ds_list prints them, with the port; none
    where the name was not looked up. `weight` and `priority` are what the proxy keeps: 16 bits.
    """

    setid: int
    uri: str
    next_hop: str
    undefined_bytes: int
    host: str
    state: State
    probe_always: bool
    weight: int
    priority: int
    socket: str | None
    attrs: str
    description: str
    addresses: tuple[str, ...]
    row_id: int | None = None
