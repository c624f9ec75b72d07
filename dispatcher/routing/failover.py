"""What a call carries in AVPs from ds_select_dst to ds_next_dst and ds_mark_dst (dispatch.c)."""

from dataclasses import dataclass, field

from dispatcher.routing.selection import SelectFlag, Selection


@dataclass(slots=True)
class Route:
    """The AVPs of one call.

    `addresses` begins with the destination in use: for a first choice its URI, for a destination of a
    failover list its next hop, so that ds_mark_dst does not find one whose URI has a user part or headers.
    `sockets` are those of the failover list alone. `setid` is the set of the latest selection.
    """

    setid: int | None = None
    addresses: list[str] = field(default_factory=list)
    sockets: list[str | None] = field(default_factory=list)

    def take(self, selection: Selection, flags: SelectFlag) -> None:
        """Note a selection. Without the flag f nothing is kept; without a, earlier ones are forgotten."""
        self.setid = selection.setid
        if SelectFlag.FAILOVER not in flags:
            return
        if SelectFlag.APPEND not in flags:
            self.addresses.clear()
            self.sockets.clear()
        others = [selection.destinations[index] for index in selection.failover]
        self.addresses[:0] = [selection.destination.uri, *(each.next_hop for each in others)]
        self.sockets[:0] = [each.socket for each in others]

    def next_hop(self) -> tuple[str, str | None] | None:
        """Turn to the next destination: its next hop and socket; None when there is none (ds_next_dst)."""
        if not self.addresses:
            return None
        del self.addresses[0]
        if not self.addresses:
            return None
        return self.addresses[0], self.sockets.pop(0) if self.sockets else None
