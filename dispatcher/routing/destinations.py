"""A destination as it stands in the proxy's memory."""

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """The state of a destination, with the numbers of the column `state`. Only active ones are selected."""

    ACTIVE = 0
    INACTIVE = 1
    PROBING = 2


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

    @property
    def is_active(self) -> bool:
        """Whether calls can be sent there."""
        return self.state == State.ACTIVE
