"""The list page as values: bands of one set each, a line per destination, a cell per proxy."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatcher import selectors
from dispatcher.drift import ColumnDifference, differing_columns
from dispatcher.listing import ListQuery, Sort
from dispatcher.models import Destination, InitialState
from dispatcher.name_facts import NameNote, name_facts
from dispatcher.secrets import mask_weight
from dispatcher.services import Values
from dispatcher.shares import MAX_WEIGHT, number_of, percent_text, percentage
from efcp.proxies.ages import in_words
from efcp.proxies.models import KnownDestination, Proxy, State
from efcp.proxies.probing import Check, live_check
from efcp.proxies.selectors import WatchedProxy, live_states
from efcp.proxies.set_counts import SameCount, SetOnProxy, StateCount, same_counts, set_counts
from efcp.sip.uri import uri_key

MAX_PROXY_COLUMNS = 12
LARGE_SET = 5_000
"""A set of more rows is not searched for what only the memory holds: without an index that takes too long."""
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

    `state` is "active", "probing", "inactive", "absent" (the proxy does not hold it) or "unknown" (never
    seen); it has lasted for `age`, as far as is known. Where `fresh` is False, the proxy does not answer and
    `state` is the last known, as of `seen_at`, which was `seen_age` ago; a fresh cell has no `seen_at`.
    `check` tells of an active one whether the proxy probes it.
    """

    proxy: str
    state: str
    fresh: bool
    since: datetime | None = None
    since_is_exact: bool = True
    age: str = ""
    seen_at: datetime | None = None
    seen_age: str = ""
    changed: tuple[ColumnDifference, ...] = ()
    check: Check | None = None

    @property
    def word(self) -> str:
        """The state as a word for people; what a silent proxy said last is told as such."""
        word = _WORDS[self.state]
        return word if self.fresh or self.state == "unknown" else _LAST_KNOWN.format(word.lower())

    @property
    def since_iso(self) -> str:
        """Since when, for a script to read."""
        return self.since.isoformat() if self.since else ""

    @property
    def seen_iso(self) -> str:
        """When the proxy gave its last good answer, for a script to read."""
        return self.seen_at.isoformat() if self.seen_at else ""

    @property
    def not_loaded(self) -> bool:
        """Whether the proxy answers and does not hold the destination."""
        return self.fresh and self.state == "absent"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table, with its state on every proxy. Shares are percentages, None where unknowable.

    `left_out` says why no load would take the row, `name_note` what is to be said of the name in it.
    """

    id: int
    values: Values
    weight: str
    share_now: float | None
    share_after: float | None
    live: tuple[LiveCell, ...]
    duplicate: bool
    left_out: str = ""
    name_note: NameNote | None = None

    @property
    def initial_state(self) -> str:
        """The column `state` as a word."""
        return InitialState(self.values.state).label if self.values.state in InitialState else "Active"

    @property
    def share_text(self) -> str:
        """The share of calls: now, and after a reload where that differs."""
        if self.share_after is None:
            return "wrong"
        after = percent_text(self.share_after)
        if self.share_now is None or percent_text(self.share_now) == after:
            return f"{after} %"
        return f"{percent_text(self.share_now)} → {after} %"

    @property
    def bar_now(self) -> str:
        """The length of the bar, of 100, for the share now (after a reload, where no proxy answers)."""
        return f"{self.share_after or 0 if self.share_now is None else self.share_now:.1f}"

    @property
    def bar_after(self) -> str:
        """The length of the bar, of 100, for the share after a reload."""
        return f"{self.share_after or 0:.1f}"

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
    """One set, or the part of it that is on this page.

    `counts` tell how many of its destinations take calls on which proxies, the worst first.
    """

    setid: int
    name: str
    rows: int
    weight_sum: int
    lines: tuple[Line, ...]
    counts: tuple[SameCount, ...]
    gone: tuple[GoneLine, ...] = ()

    @property
    def overflows(self) -> bool:
        """Whether the weights sum above 16 bits, so that the proxy's shares are wrong."""
        return self.weight_sum > MAX_WEIGHT


@dataclass(frozen=True, slots=True)
class ListPage:
    """Everything that the list page shows; `sort_urls` has the query string for each order, by column."""

    query: ListQuery
    sort_urls: dict[str, str]
    bands: tuple[Band, ...]
    lines: tuple[Line, ...]
    watched: tuple[WatchedProxy, ...]
    reference: str
    set_names: dict[int, str]
    total: int
    pages: int

    @property
    def previous_url(self) -> str:
        """The query string of the page before."""
        return self.query.with_page(min(self.query.page, self.pages + 1) - 1)

    @property
    def next_url(self) -> str:
        """The query string of the page after."""
        return self.query.with_page(self.query.page + 1)

    @property
    def first(self) -> int:
        """The number of the first row shown, from 1."""
        return (self.query.page - 1) * self.query.size + 1

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return min(self.total, self.query.page * self.query.size)


def build(query: ListQuery, watched: Sequence[WatchedProxy]) -> ListPage:
    """Read the page that `query` asks for. The number of queries does not depend on the table's size."""
    proxies = [each.proxy for each in watched[:MAX_PROXY_COLUMNS] if each.fresh]
    reference = next((each.proxy for each in watched if each.fresh), None)
    page = selectors.page_of(selectors.matching(query, proxies), query)
    shown = page.rows
    setids = {row.setid for row in shown} or ({query.setid} if query.setid is not None else set())
    after = selectors.after_reload(setids, reference)
    totals = after.totals
    facts = name_facts((row.destination for row in shown), watched)
    known = live_states((row.setid, uri_key(row.destination)) for row in shown)
    occurrences = _occurrences(shown, totals)
    names = selectors.set_names()
    gone = (
        _gone_lines(_comparable(totals, setids), watched, query, query.page >= page.pages)
        if query.by_set
        else {}
    )
    counts = set_counts(watched, {*setids, *gone})

    def line(row: Destination) -> Line:
        values = Values.of(row)
        occurrence, duplicate = occurrences[row.pk]
        held = known.get((row.setid, uri_key(row.destination)), {})
        cells = tuple(_cell(each, held.get(each.proxy.pk, ()), occurrence, values) for each in watched)
        in_reference = held.get(reference.pk, ()) if reference else ()
        mine = in_reference[occurrence] if occurrence < len(in_reference) else None
        fact = facts.get(uri_key(row.destination))
        finding = after.left_out.get(row.pk)
        return Line(
            id=row.pk,
            values=values,
            weight=mask_weight(values.weight),
            share_now=_share_now(mine, _active_on(reference, counts[row.setid])) if reference else None,
            share_after=0.0 if finding else _share_after(values, mine, totals[row.setid]),
            live=cells,
            duplicate=duplicate,
            left_out=finding.text if finding else "",
            name_note=fact.note if fact else None,
        )

    lines = tuple(line(row) for row in shown)
    bands = _bands(lines, totals, names, counts, gone) if query.by_set else ()
    return ListPage(
        query=query,
        sort_urls={column.value: query.sorted_by(column) for column in Sort},
        bands=bands,
        lines=lines,
        watched=tuple(watched[:MAX_PROXY_COLUMNS]),
        reference=reference.name if reference else "",
        set_names=names,
        total=page.total,
        pages=page.pages,
    )


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


def _cell(each: WatchedProxy, held: Sequence[KnownDestination], occurrence: int, values: Values) -> LiveCell:
    if occurrence >= len(held):
        return _cell_of(each, None)
    mine = held[occurrence]
    return _cell_of(each, mine, differing_columns(values, mine) if each.fresh else ())


def _cell_of(
    each: WatchedProxy, held: KnownDestination | None, changed: tuple[ColumnDifference, ...] = ()
) -> LiveCell:
    """The cell of a proxy that holds `held` or nothing, which is known only of one that has answered."""
    if not each.known:
        return LiveCell(each.proxy.name, "unknown", fresh=False)
    seen_at = None if each.fresh else each.seen_at
    return LiveCell(
        proxy=each.proxy.name,
        state=held.state if held else "absent",
        fresh=each.fresh,
        since=held.since if held else None,
        since_is_exact=held.since_is_exact if held else True,
        age=in_words(each.now - held.since) if held else "",
        seen_at=seen_at,
        seen_age=in_words(each.now - seen_at) if seen_at else "",
        changed=changed,
        check=live_check(each, held) if held else None,
    )


def _active_on(reference: Proxy, on_proxies: Sequence[SetOnProxy]) -> StateCount:
    """What `reference` holds active of the set."""
    mine = next((each for each in on_proxies if each.watched.proxy.pk == reference.pk), None)
    return mine.states.get(State.ACTIVE, StateCount()) if mine else StateCount()


def _share_now(mine: KnownDestination | None, active: StateCount) -> float:
    """The percentage of calls that the destination gets now, by the weighted algorithms."""
    if mine is None or mine.state != "active":
        return 0.0
    return percentage(mine.weight or 0, active.weight, active.count)


def _share_after(values: Values, mine: KnownDestination | None, totals: selectors.SetTotals) -> float | None:
    """The percentage after a reload that inherits states; None where the sums of weights overflow 16 bits."""
    if totals.weight > MAX_WEIGHT:
        return None
    active = mine.state == "active" if mine is not None else values.state not in (1, 2)
    if not active:
        return 0.0
    return percentage(number_of(values.weight), totals.active_weight, totals.active)


def _bands(
    lines: Sequence[Line],
    totals: dict[int, selectors.SetTotals],
    names: dict[int, str],
    counts: dict[int, tuple[SetOnProxy, ...]],
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
            weight_sum=totals.get(setid, empty).weight,
            lines=tuple(by_set.get(setid, ())),
            counts=same_counts(counts[setid]),
            gone=gone.get(setid, ()),
        )
        for setid in [*by_set, *(setid for setid in gone if setid not in by_set)]
    )


def _comparable(totals: dict[int, selectors.SetTotals], setids: set[int]) -> set[int]:
    """The sets that can be compared with the memory on a list page; the reload page compares any."""
    return {setid for setid in setids if setid not in totals or totals[setid].rows <= LARGE_SET}


def _gone_lines(
    setids: set[int], watched: Sequence[WatchedProxy], query: ListQuery, last_page: bool
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
        cells = tuple(_cell_of(each, by_proxy.get(each.proxy.pk)) for each in watched)
        lines[setid].append(GoneLine(setid, first.uri, first.description or "", cells))
    return {setid: tuple(found) for setid, found in lines.items()}
