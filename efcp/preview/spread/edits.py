"""A change of one destination that is not saved: another weight or initial state, a new one, or none."""

from dataclasses import dataclass, replace

from dispatcher.routing.rows import DestinationRow
from efcp.sip.uri import uri_key

GONE = "gone"
STATES = {"active": 0, "inactive": 1, "probing": 2}


@dataclass(frozen=True, slots=True)
class UnsavedEdit:
    """What is changed of the destination `uri` of a set; an empty weight or state stays as it is.

    A destination that the set does not hold is added; with the state GONE it is taken out.
    """

    setid: int
    uri: str
    weight: str = ""
    state: str = ""

    def __call__(self, rows: list[DestinationRow]) -> list[DestinationRow]:
        """The rows with the change made."""
        key = uri_key(self.uri)
        mine = [row for row in rows if uri_key(row.destination or "") == key]
        if self.state == GONE:
            return [row for row in rows if row not in mine]
        if not mine:
            return [*rows, self._changed(DestinationRow(self.setid, self.uri))]
        return [self._changed(row) if row in mine else row for row in rows]

    def _changed(self, row: DestinationRow) -> DestinationRow:
        changed = replace(row, weight=self.weight) if self.weight else row
        return replace(changed, state=STATES[self.state]) if self.state else changed
