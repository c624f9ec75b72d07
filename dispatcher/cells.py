"""One destination on one proxy, as the list shows it: its state, and what differs from the table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dispatcher.drift import ColumnDifference, differing_columns
from dispatcher.loaded import LoadedTable, listeners_of, loaded_tables
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.proxies.models import KnownDestination
from efcp.proxies.probing import Check, live_check
from efcp.proxies.selectors import WatchedProxy
from efcp.sip.uri import uri_key

_WORDS = {
    "active": "Active",
    "probing": "Probing",
    "inactive": "Inactive",
    "absent": "Not in memory",
    "unknown": "Unknown",
}
_LAST_KNOWN = "Last known: {}"


@dataclass(frozen=True, slots=True)
class LiveCell:
    """One destination on one proxy: what the chip says, and what differs.

    `state` is "active", "probing", "inactive", "absent" (not in the proxy's memory) or "unknown" (the proxy
    never answered). `since` is when it began, if known. Where `fresh` is False, the proxy does not answer
    and `state` is the last known, as of `answered_at`, which a fresh cell lacks. It is not `compared` where
    the proxy's partition loads another table. `check` is whether the proxy probes an active one. `absence`
    is why it is not in the proxy's memory, if known.
    """

    proxy: str
    state: str
    fresh: bool
    since: datetime | None = None
    since_is_exact: bool = True
    answered_at: datetime | None = None
    changed: tuple[ColumnDifference, ...] = ()
    check: Check | None = None
    compared: bool = True
    absence: str = ""

    @property
    def word(self) -> str:
        """The state as a word; marked as last known for a silent proxy."""
        word = _WORDS[self.state]
        return word if self.fresh or self.state == "unknown" else _LAST_KNOWN.format(word.lower())

    @property
    def look(self) -> str:
        """The look of its chip."""
        return f"{self.state} chip-{self.check.look}" if self.check else self.state

    @property
    def not_loaded(self) -> bool:
        """Whether the proxy answers and does not hold the destination."""
        return self.fresh and self.compared and self.state == "absent"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What rows of the table are compared with: what each proxy loaded and listens on, by proxy id.

    The proxies of `separate` load a table of their own.
    """

    loaded: dict[int, LoadedTable]
    listeners: dict[int, frozenset[str]]
    separate: dict[int, str]

    @classmethod
    def of(
        cls, watched: Sequence[WatchedProxy], rows: Sequence[Destination], separate: dict[int, str]
    ) -> "Comparison":
        """What the shown rows are compared with; the sockets of proxies are read only if a row has one."""
        fresh = [each for each in watched if each.fresh]
        with_socket = any(row.socket for row in rows)
        listeners = listeners_of([each.proxy for each in fresh]) if with_socket else {}
        return cls(loaded_tables(fresh), listeners, separate)

    def modes_unknown(self, watched: Sequence[WatchedProxy]) -> tuple[tuple[str, str], ...]:
        """The names of the proxies of which it is not known what they loaded, and why."""
        return tuple(
            (each.proxy.name, self.loaded[each.proxy.pk].why)
            for each in watched
            if each.proxy.pk in self.loaded
            and each.proxy.pk not in self.separate
            and self.loaded[each.proxy.pk].why
        )

    def cell(
        self, each: WatchedProxy, listed: Sequence[KnownDestination], occurrence: int, row: Destination
    ) -> "LiveCell":
        """The cell of a row on one proxy."""
        pk = each.proxy.pk
        compared = pk not in self.separate
        if occurrence >= len(listed):
            return replace(
                cell_of(each, None, compared=compared), absence=self._absence(each, occurrence, row)
            )
        destination = listed[occurrence]
        if not (each.fresh and compared):
            return cell_of(each, destination, compared=compared)
        loaded = self.loaded[pk].columns_of((row.setid, destination.uri_key, occurrence), row.pk)
        listeners = self.listeners.get(pk, frozenset())
        return cell_of(
            each, destination, differing_columns(DestinationRow.of(row), destination, loaded, listeners)
        )

    def _absence(self, each: WatchedProxy, occurrence: int, row: Destination) -> str:
        """Why a proxy does not hold a row: known where it is known which rows it loaded."""
        table = self.loaded.get(each.proxy.pk)
        if table is None or table.rows is None or each.proxy.pk in self.separate:
            return ""
        if (row.setid, uri_key(row.destination.rstrip(" ")), occurrence) in table.rows:
            return f"{each.proxy.name} skipped it at the last load"
        return f"{each.proxy.name} has not reloaded since it was added"


def cell_of(
    each: WatchedProxy,
    known: KnownDestination | None,
    changed: tuple[ColumnDifference, ...] = (),
    *,
    compared: bool = True,
) -> LiveCell:
    """The cell of a proxy whose memory has `known`, or nothing; unknown where it never answered."""
    if not each.known:
        return LiveCell(each.proxy.name, "unknown", fresh=False)
    answered_at = None if each.fresh else each.answered_at
    return LiveCell(
        proxy=each.proxy.name,
        state=known.state if known else "absent",
        fresh=each.fresh,
        since=known.since if known else None,
        since_is_exact=known.since_is_exact if known else True,
        answered_at=answered_at,
        changed=changed,
        check=live_check(each, known) if known else None,
        compared=compared,
    )


MAX_NAMES = 12
"""Proxies that a group names."""

_ORDER = ("probing", "inactive", "absent", "unknown", "active")


@dataclass(frozen=True, slots=True)
class StateGroup:
    """Proxies that hold a destination alike, by the one that does so for the longest time."""

    cell: LiveCell
    count: int
    names: tuple[str, ...]

    @property
    def further(self) -> int:
        """How many proxies are not named."""
        return self.count - len(self.names)


def state_groups(cells: Sequence[LiveCell]) -> tuple[StateGroup, ...]:
    """The cells of all proxies by what they say: states that take no calls first, then what is not live."""
    alike: dict[tuple[bool, int, str], list[LiveCell]] = {}
    for cell in cells:
        is_active = cell.fresh and cell.state == "active"
        key = (is_active, _ORDER.index(cell.state), f"{cell.word} {cell.check}")
        alike.setdefault(key, []).append(cell)
    return tuple(_group(alike[key]) for key in sorted(alike))


def _group(cells: Sequence[LiveCell]) -> StateGroup:
    dated = [cell for cell in cells if cell.since is not None]
    oldest = min(dated, key=lambda cell: str(cell.since), default=cells[0])
    return StateGroup(oldest, len(cells), tuple(cell.proxy for cell in cells[:MAX_NAMES]))
