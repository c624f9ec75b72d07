"""Which rows a preview uses: the database's table, or a proxy's memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from dispatcher.environment import known_sockets, not_looked_up
from dispatcher.loaded import listeners_of
from dispatcher.models import Destination
from dispatcher.routing.environment import Environment
from dispatcher.routing.findings import RowFinding
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.rows import DestinationRow
from dispatcher.secrets import mask_weight
from dispatcher.table_names import stored_names
from efcp.clock import in_words
from efcp.proxies.models import KnownDestination, KnownState
from efcp.proxies.selectors import WatchedProxy
from efcp.releases import OLDEST, Release

MAX_ROWS = 5_000
"""Of one set: loading more takes longer than a page may."""

NO_WEIGHTS = "The proxy's list is too large to include weights: every weight counts as 1 here."

_STATES = {KnownState.ACTIVE: 0, KnownState.INACTIVE: 1, KnownState.PROBING: 2}

T = TypeVar("T")
Edit = Callable[[list[DestinationRow]], list[DestinationRow]]
"""A change of a set's rows that is not saved."""


class SourceKind(StrEnum):
    """Where the destinations come from."""

    MEMORY = "memory"
    TABLE = "table"


class NoPreviewError(Exception):
    """A set of which nothing can be worked out; the message says why."""


class TooManyRowsError(NoPreviewError):
    """A set of more than MAX_ROWS rows."""


class UnknownMemoryError(NoPreviewError):
    """The memory of a proxy that never answered."""


@dataclass(frozen=True, slots=True)
class Source:
    """The rows that count; `proxy` gives the release and the live states, None where no proxy is known.

    TABLE is what `proxy` would hold after a reload that inherits states; without a proxy the initial states
    count. MEMORY needs a proxy. `edit` is a change that stands beside the table.
    """

    which: SourceKind
    proxy: WatchedProxy | None
    edit: Edit | None = None

    @property
    def name(self) -> str:
        """For people."""
        if self.edit is not None:
            return "table with the unsaved edit"
        if self.proxy is None:
            return "table, initial states"
        if self.which is SourceKind.MEMORY:
            return f"live on {self.proxy.proxy.name}{_how_old(self.proxy)}"
        return f"table as loaded by {self.proxy.proxy.name}"

    @property
    def key(self) -> str:
        """For a form: `memory-3`, `table-3` or `table`."""
        return self.which.value if self.proxy is None else f"{self.which.value}-{self.proxy.proxy.pk}"


def _how_old(proxy: WatchedProxy) -> str:
    """What the name of a memory adds where it may not be the memory now."""
    if proxy.fresh:
        return ""
    if proxy.answered_at is None:
        return ", never responded"
    return f" ({in_words(proxy.now - proxy.answered_at)} ago)"


@dataclass(frozen=True, slots=True)
class Preview:
    """One set as a proxy would hold it; `findings` say what loading made of rows otherwise than written.

    Without `weights_known` the proxy's list was read without weights, and each counts as 1.
    """

    memory: ProxyMemory
    findings: tuple[RowFinding, ...] = ()
    weights_known: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of it, each thing once."""
        unknown = () if self.weights_known else (NO_WEIGHTS,)
        return (*unknown, *dict.fromkeys(each.text for each in self.findings))


def sources(watched: Sequence[WatchedProxy]) -> list[Source]:
    """What a form offers: memory and table for each proxy, those that answer first, or the plain table."""
    ordered = sorted(watched, key=lambda each: not each.fresh)
    found = [Source(which, each) for each in ordered for which in SourceKind]
    return found or [Source(SourceKind.TABLE, None)]


def set_preview(source: Source, setid: int, edit: Edit | None = None) -> Preview:
    """The set as `source` has it, with `edit`, or else its own, made to the table's rows.

    Raises NoPreviewError, and LoadBrokenError where the proxy's whole reload would fail.
    """
    if source.which is SourceKind.MEMORY and source.proxy is not None and not source.proxy.known:
        raise UnknownMemoryError(f"Unknown: {source.proxy.proxy.name} has never responded.")
    memory = ProxyMemory(_environment(source.proxy))
    if source.proxy is not None:
        known = _known(source.proxy, setid)
        memory.reload(_rows_of(known), inherit_state=False)
        if source.which is SourceKind.MEMORY:
            return Preview(memory, weights_known=all(each.weight is not None for each in known))
    change = edit or source.edit
    rows = _table_rows(setid)
    changed = change(rows) if change else rows
    names = stored_names(row.destination or "" for row in changed)
    memory.environment = replace(memory.environment, resolve=names.resolve_or_assume)
    loaded = memory.reload(changed)
    return Preview(memory, loaded.findings)


def _environment(proxy: WatchedProxy | None) -> Environment:
    version = proxy.contact.version if proxy else ""
    return Environment(
        resolve=not_looked_up,
        listeners=tuple(listeners_of([proxy.proxy])[proxy.proxy.pk] if proxy else known_sockets()),
        transports=frozenset({"udp", "tcp", "tls", "sctp", "ws", "wss"}),
        release=Release.of(version, otherwise=OLDEST),
    )


def _known(proxy: WatchedProxy, setid: int) -> list[KnownDestination]:
    """The set in the proxy's memory, in ds_list's order."""
    known = KnownDestination.objects.filter(
        proxy=proxy.proxy, partition=proxy.proxy.partition, setid=setid
    ).order_by("position")
    return _bounded(list(known[: MAX_ROWS + 1]), setid)


def _rows_of(known: Sequence[KnownDestination]) -> list[DestinationRow]:
    """Rows that load to the same."""
    return [
        DestinationRow(
            setid=each.setid,
            destination=each.uri,
            socket=each.socket or None,
            state=_STATES[KnownState(each.state)],
            weight=str(1 if each.weight is None else each.weight),
            priority=each.priority or 0,
            attrs=each.attrs,
            description=each.description,
        )
        for each in known
    ]


def _table_rows(setid: int) -> list[DestinationRow]:
    rows = Destination.objects.filter(setid=setid).order_by("id")
    # Findings quote the weight, and every viewer reads those.
    return [
        replace(DestinationRow.of(each), weight=mask_weight(each.weight))
        for each in _bounded(list(rows[: MAX_ROWS + 1]), setid)
    ]


def _bounded(rows: list[T], setid: int) -> list[T]:
    if len(rows) > MAX_ROWS:
        raise TooManyRowsError(f"Set {setid} has more than {MAX_ROWS:,} destinations.")
    return rows
