"""The list page as values: bands of one set each, a line per destination, a cell per proxy."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from dispatcher import selectors
from dispatcher.drift import ColumnDifference, differing_columns
from dispatcher.listing import ListQuery
from dispatcher.models import Destination
from dispatcher.routing.loading import loaded_weight
from dispatcher.secrets import mask_weight
from dispatcher.services import Values
from efcp.proxies.models import KnownDestination, Proxy
from efcp.sip.uri import uri_key

MAX_PROXY_COLUMNS = 12
MAX_WEIGHT_SUM = 0xFFFF


@dataclass(frozen=True, slots=True)
class Watched:
    """An enabled proxy, and whether what is known of its memory is fresh; `seen_at` is the last good answer."""

    proxy: Proxy
    fresh: bool
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class LiveCell:
    """One destination on one proxy: what the chip says, and what differs.

    `state` is "active", "probing", "inactive", "absent" (the proxy does not hold it) or "unknown" (never
    seen). Where `fresh` is False, the proxy does not answer and `state` is as old as `seen_at`.
    """

    proxy: str
    state: str
    fresh: bool
    since: datetime | None = None
    since_is_exact: bool = True
    seen_at: datetime | None = None
    first_hits: int | None = None
    changed: tuple[ColumnDifference, ...] = ()

    @property
    def not_loaded(self) -> bool:
        """Whether the proxy answers and does not hold the destination."""
        return self.fresh and self.state == "absent"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table, with its state on every proxy. Shares are percentages, None where unknowable."""

    id: int
    values: Values
    weight: str
    share_now: float | None
    share_after: float | None
    live: tuple[LiveCell, ...]
    duplicate: bool

    @property
    def not_loaded(self) -> bool:
        """Whether some answering proxy lacks the destination."""
        return any(cell.not_loaded for cell in self.live)

    @property
    def changed(self) -> tuple[ColumnDifference, ...]:
        """The columns that differ from the first answering proxy which holds other values."""
        return next((cell.changed for cell in self.live if cell.changed), ())

    @property
    def differs(self) -> bool:
        """Whether table and memory differ on some answering proxy."""
        return self.not_loaded or bool(self.changed)


@dataclass(frozen=True, slots=True)
class GoneLine:
    """A destination that a proxy holds although the table has no such row."""

    setid: int
    uri: str
    description: str
    live: tuple[LiveCell, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """One set, or the part of it that is on this page."""

    setid: int
    name: str
    rows: int
    active: int
    weight_sum: int
    lines: tuple[Line, ...]
    gone: tuple[GoneLine, ...] = ()

    @property
    def overflows(self) -> bool:
        """Whether the weights sum above 16 bits, so that the proxy's shares are wrong."""
        return self.weight_sum > MAX_WEIGHT_SUM


@dataclass(frozen=True, slots=True)
class ListPage:
    """Everything that the list page shows."""

    query: ListQuery
    bands: tuple[Band, ...]
    lines: tuple[Line, ...]
    watched: tuple[Watched, ...]
    reference: str
    set_names: dict[int, str]
    total: int
    pages: int

    @property
    def first(self) -> int:
        """The number of the first row shown, from 1."""
        return (self.query.page - 1) * self.query.size + 1

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return min(self.total, self.query.page * self.query.size)


def build(query: ListQuery, watched: Sequence[Watched]) -> ListPage:
    """Read the page that `query` asks for. The number of queries does not depend on the table's size."""
    proxies = [each.proxy for each in watched[:MAX_PROXY_COLUMNS]]
    reference = next((each.proxy for each in watched if each.fresh), None)
    rows = selectors.matching(query, proxies)
    total = rows.count()
    pages = max(1, ceil(total / query.size))
    start = (min(query.page, pages) - 1) * query.size
    shown = list(selectors.ordered(rows, query)[start : start + query.size])
    setids = {row.setid for row in shown} or ({query.setid} if query.setid is not None else set())
    totals = selectors.set_totals(setids, reference)
    memory_totals = selectors.memory_totals(setids, reference)
    known = _by_destination(selectors.known_destinations(shown, proxies))
    occurrences = _occurrences(shown, totals)
    names = selectors.set_names()

    def line(row: Destination) -> Line:
        values = Values.of(row)
        occurrence, duplicate = occurrences[row.pk]
        held = known.get((row.setid, uri_key(row.destination)), {})
        cells = tuple(_cell(each, held.get(each.proxy.pk, ()), occurrence, values) for each in watched)
        in_reference = held.get(reference.pk, ()) if reference else ()
        mine = in_reference[occurrence] if occurrence < len(in_reference) else None
        return Line(
            id=row.pk,
            values=values,
            weight=mask_weight(values.weight),
            share_now=_share_now(mine, memory_totals.get(row.setid)) if reference else None,
            share_after=_share_after(values, mine, totals[row.setid]),
            live=cells,
            duplicate=duplicate,
        )

    lines = tuple(line(row) for row in shown)
    bands = _bands(lines, totals, names, _gone_lines(setids, watched, query, query.page >= pages)) if query.by_set else ()
    return ListPage(
        query=query,
        bands=bands,
        lines=lines,
        watched=tuple(watched[:MAX_PROXY_COLUMNS]),
        reference=reference.name if reference else "",
        set_names=names,
        total=total,
        pages=pages,
    )


def _by_destination(
    known: Sequence[KnownDestination],
) -> dict[tuple[int, str], dict[int, tuple[KnownDestination, ...]]]:
    """Known destinations by set and URI key, then by proxy, in the proxy's order."""
    found: dict[tuple[int, str], dict[int, list[KnownDestination]]] = defaultdict(lambda: defaultdict(list))
    for destination in known:
        found[destination.setid, destination.uri_key][destination.proxy_id].append(destination)
    return {key: {proxy: tuple(held) for proxy, held in of.items()} for key, of in found.items()}


def _occurrences(
    shown: Sequence[Destination], totals: dict[int, selectors.SetTotals]
) -> dict[int, tuple[int, bool]]:
    """For each row: which occurrence of its set and URI it is, and whether there are several.

    Only a set that holds duplicates is read whole, since the other one may be on another page.
    """
    doubled = [total.setid for total in totals.values() if total.distinct < total.rows]
    ids: dict[tuple[int, str], list[int]] = defaultdict(list)
    for pk, setid, destination in selectors.identities_in_order(doubled) if doubled else ():
        ids[setid, uri_key(destination)].append(pk)
    found = {}
    for row in shown:
        same = ids.get((row.setid, uri_key(row.destination)), [row.pk])
        found[row.pk] = (same.index(row.pk) if row.pk in same else 0, len(same) > 1)
    return found


def _cell(each: Watched, held: Sequence[KnownDestination], occurrence: int, values: Values) -> LiveCell:
    if each.seen_at is None:
        return LiveCell(each.proxy.name, "unknown", fresh=False)
    if occurrence >= len(held):
        return LiveCell(each.proxy.name, "absent", each.fresh, seen_at=each.seen_at)
    mine = held[occurrence]
    return LiveCell(
        each.proxy.name,
        mine.state,
        each.fresh,
        since=mine.since,
        since_is_exact=mine.since_is_exact,
        seen_at=each.seen_at,
        first_hits=mine.first_hits,
        changed=differing_columns(values, mine) if each.fresh else (),
    )


def _share_now(mine: KnownDestination | None, totals: selectors.MemoryTotals | None) -> float:
    """The percentage of calls that the destination gets now, by the weighted algorithms."""
    if mine is None or mine.state != "active" or totals is None:
        return 0.0
    return _percentage(mine.weight or 0, totals.active_weight, totals.active)


def _share_after(values: Values, mine: KnownDestination | None, totals: selectors.SetTotals) -> float | None:
    """The percentage after a reload that inherits states; None where the sums of weights overflow 16 bits."""
    if totals.weight > MAX_WEIGHT_SUM:
        return None
    active = mine.state == "active" if mine is not None else values.state not in (1, 2)
    if not active:
        return 0.0
    return _percentage(loaded_weight(values.weight), totals.active_weight, totals.active)


def _percentage(weight: int, active_weight: int, active: int) -> float:
    """A pick that hits an inactive destination is made again among the active ones, so they share all calls.

    Where all weights are 0 the calls go by index, in equal parts.
    """
    if active_weight:
        return 100 * weight / active_weight
    return 100 / active if active else 0.0


def _bands(
    lines: Sequence[Line],
    totals: dict[int, selectors.SetTotals],
    names: dict[int, str],
    gone: dict[int, tuple[GoneLine, ...]],
) -> tuple[Band, ...]:
    """The lines grouped by set, in their order; a set of which only the memory knows follows at the end."""
    by_set: dict[int, list[Line]] = {}
    for line in lines:
        by_set.setdefault(line.values.setid, []).append(line)
    empty = selectors.SetTotals(0, 0, 0, 0, 0, 0)
    return tuple(
        Band(
            setid=setid,
            name=names.get(setid, ""),
            rows=totals.get(setid, empty).rows,
            active=totals.get(setid, empty).active,
            weight_sum=totals.get(setid, empty).weight,
            lines=tuple(by_set.get(setid, ())),
            gone=gone.get(setid, ()),
        )
        for setid in [*by_set, *(setid for setid in gone if setid not in by_set)]
    )


def _gone_lines(
    setids: set[int], watched: Sequence[Watched], query: ListQuery, last_page: bool
) -> dict[int, tuple[GoneLine, ...]]:
    """What the fresh proxies still hold of these sets although the table lost it."""
    if query.q or query.state is not None or query.live is not None:
        return {}
    fresh = [each for each in watched if each.fresh]
    by_uri: dict[tuple[int, str], dict[int, KnownDestination]] = defaultdict(dict)
    whole_sets = last_page and query.setid is None
    for held in selectors.gone_from_table(setids, [each.proxy for each in fresh], whole_sets=whole_sets):
        by_uri[held.setid, held.uri_key][held.proxy_id] = held
    lines: dict[int, list[GoneLine]] = defaultdict(list)
    for (setid, _key), by_proxy in by_uri.items():
        first = next(iter(by_proxy.values()))
        cells = tuple(_gone_cell(each, by_proxy.get(each.proxy.pk)) for each in watched)
        lines[setid].append(GoneLine(setid, first.uri, first.description or "", cells))
    return {setid: tuple(found) for setid, found in lines.items()}


def _gone_cell(each: Watched, held: KnownDestination | None) -> LiveCell:
    if held is None:
        return LiveCell(each.proxy.name, "absent", each.fresh, seen_at=each.seen_at)
    return LiveCell(
        each.proxy.name, held.state, each.fresh, held.since, held.since_is_exact, each.seen_at, held.first_hits
    )
