"""The list page as values: a section for each set, a row for each destination, a cell for each proxy."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from dispatcher import selectors
from dispatcher.cells import Comparison, LiveCell, StateGroup, cell_of, state_groups
from dispatcher.drift import ColumnDifference
from dispatcher.loaded import separate_tables
from dispatcher.models import Destination, InitialState
from dispatcher.name_facts import NameNote, name_facts
from dispatcher.routing.rows import DestinationRow
from dispatcher.secrets import mask_weight
from dispatcher.selectors import DestinationQuery, Live
from dispatcher.shares import MAX_WEIGHT, number_of, percentage
from dispatcher.table_index import TableIndex
from efcp.editing.listing import PageLinks
from efcp.figures import percent_text
from efcp.proxies.models import KnownDestination, KnownState, Proxy
from efcp.proxies.selectors import WatchedProxy, live_states
from efcp.proxies.set_counts import SameCount, SetOnProxy, StateCount, same_counts, set_counts
from efcp.sip.uri import uri_key

FOLDED_ABOVE = 2
"""With more proxies than this their columns are folded into one, unless the URL asks for columns."""
MAX_PROXY_COLUMNS = 12
"""Proxies with a column of their own; what is counted and marked takes all of them into account."""
MAX_ABSENCES = 3
LARGE_SET = 5_000
"""A set of more rows is not searched for what only the memory holds: without an index that takes too long."""


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of the table. Shares are percentages, None where unknowable.

    `live` has a cell for each proxy with a column; where these are folded, `groups` has the states instead.
    `not_loaded` is whether some answering proxy lacks it, with or without a column, and `absences` why, where
    known; `changed` are the columns that differ from the first answering proxy which holds
    other values. `left_out` is why no load would take the row, `name_note` the finding on its name.
    """

    id: int
    values: DestinationRow
    weight: str
    share_now: float | None
    share_after: float | None
    live: tuple[LiveCell, ...]
    groups: tuple[StateGroup, ...]
    duplicate: bool
    not_loaded: bool = False
    absences: str = ""
    changed: tuple[ColumnDifference, ...] = ()
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
        """The length of the bar, of 100, for the share now (after a reload, where no proxy answers).

        None is drawn where the sums of weights overflow, so that no share is right.
        """
        if self.share_after is None:
            return "0.0"
        return f"{self.share_after or 0 if self.share_now is None else self.share_now:.1f}"

    @property
    def bar_after(self) -> str:
        """The length of the bar, of 100, for the share after a reload."""
        return f"{self.share_after or 0:.1f}"

    @property
    def is_marked(self) -> bool:
        """Whether the row says more than its columns do."""
        return bool(self.differs or self.left_out or self.name_note or self.duplicate)

    @property
    def differs(self) -> bool:
        """Whether table and memory differ on some answering proxy."""
        return self.not_loaded or bool(self.changed)


@dataclass(frozen=True, slots=True)
class OrphanView:
    """A destination that a proxy holds although the table has no such row."""

    setid: int
    uri: str
    description: str
    live: tuple[LiveCell, ...]
    groups: tuple[StateGroup, ...]


@dataclass(frozen=True, slots=True)
class SetSection:
    """One set, or the part of it that is on this page.

    `counts` are how many of its destinations take calls on which proxies, the worst first.
    """

    setid: int
    name: str
    rows: int
    weight_sum: int
    lines: tuple[RowView, ...]
    counts: tuple[SameCount, ...]
    gone: tuple[OrphanView, ...] = ()

    @property
    def overflows(self) -> bool:
        """Whether the weights sum above 16 bits, so that the proxy's shares are wrong."""
        return self.weight_sum > MAX_WEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationPage(PageLinks):
    """Everything that the list page shows.

    `watched` are the proxies with a column, `without_column` the others. `not_compared` has names of proxies
    with why their memory is not compared with the table, `modes_unknown` with why it is unknown which probe
    modes they loaded.
    """

    query: DestinationQuery
    sections: tuple[SetSection, ...]
    lines: tuple[RowView, ...]
    watched: tuple[WatchedProxy, ...]
    without_column: tuple[WatchedProxy, ...]
    reference: str
    set_names: dict[int, str]
    not_compared: tuple[tuple[str, str], ...] = ()
    modes_unknown: tuple[tuple[str, str], ...] = ()

    @property
    def folds(self) -> bool:
        """Whether each row has one cell for all proxies."""
        return _folds(self.query, self.all_proxies)

    @property
    def columns_url(self) -> str:
        """The query string of the same list with a column for each proxy, or without."""
        return replace(self.query, columns=0 if self.query.columns else 1).query_string()

    @property
    def all_proxies(self) -> tuple[WatchedProxy, ...]:
        """Every enabled proxy, those with a column first."""
        return (*self.watched, *self.without_column)


def build(
    query: DestinationQuery, watched: Sequence[WatchedProxy], index: TableIndex | None = None
) -> DestinationPage:
    """Read the page that `query` asks for. The number of queries does not depend on the table's size."""
    reference = next((each.proxy for each in watched if each.fresh), None)
    folds = _folds(query, watched)
    separate = separate_tables(watched)
    proxies = [
        each.proxy
        for each in watched
        if each.fresh and not (query.live is Live.ABSENT and each.proxy.pk in separate)
    ]
    page = selectors.page_of(selectors.matching(query, proxies), query, index.ids if index else None)
    shown = page.rows
    comparison = Comparison.of(watched, shown, separate)
    setids = {row.setid for row in shown} or ({query.setid} if query.setid is not None else set())
    among = index.ids_of(setids) if index else None
    after = selectors.after_reload(setids, reference, among)
    totals = after.totals
    facts = name_facts((row.destination for row in shown), watched)
    known = live_states((row.setid, uri_key(row.destination)) for row in shown)
    occurrences = _occurrences(shown, totals)
    names = selectors.set_names()
    gone = (
        _orphans(_comparable(totals, setids), watched, query, query.page >= page.pages, separate, among)
        if query.by_set
        else {}
    )
    counts = set_counts(watched, {*setids, *gone})

    def line(row: Destination) -> RowView:
        values = DestinationRow.of(row)
        occurrence, duplicate = occurrences[row.pk]
        on_proxies = known.get((row.setid, uri_key(row.destination)), {})
        cells = tuple(
            comparison.cell(each, on_proxies.get(each.proxy.pk, ()), occurrence, row) for each in watched
        )
        in_reference = on_proxies.get(reference.pk, ()) if reference else ()
        listed = in_reference[occurrence] if occurrence < len(in_reference) else None
        fact = facts.get(uri_key(row.destination))
        finding = after.left_out.get(row.pk)
        return RowView(
            id=row.pk,
            values=values,
            weight=mask_weight(values.weight),
            share_now=_share_now(listed, _active_on(reference, counts[row.setid])) if reference else None,
            share_after=0.0 if finding else _share_after(values, listed, totals[row.setid]),
            live=() if folds else cells[:MAX_PROXY_COLUMNS],
            groups=state_groups(cells) if folds else (),
            duplicate=duplicate,
            not_loaded=any(cell.not_loaded for cell in cells),
            absences=_absences(cells),
            changed=next((cell.changed for cell in cells if cell.changed), ()),
            left_out=finding.text if finding else "",
            name_note=fact.note if fact else None,
        )

    lines = tuple(line(row) for row in shown)
    sections = _sections(lines, totals, names, counts, gone) if query.by_set else ()
    return DestinationPage(
        query=query,
        sections=sections,
        lines=lines,
        watched=tuple(watched[:MAX_PROXY_COLUMNS]),
        without_column=tuple(watched[MAX_PROXY_COLUMNS:]),
        reference=reference.name if reference else "",
        set_names=names,
        total=page.total,
        pages=page.pages,
        not_compared=tuple(
            (each.name, separate[each.pk]) for each in _proxies(watched) if each.pk in separate
        ),
        modes_unknown=comparison.modes_unknown(watched),
    )


def _folds(query: DestinationQuery, watched: Sequence[WatchedProxy]) -> bool:
    return len(watched) > FOLDED_ABOVE and not query.columns


def _proxies(watched: Sequence[WatchedProxy]) -> list[Proxy]:
    return [each.proxy for each in watched]


def _absences(cells: Sequence[LiveCell]) -> str:
    """Why proxies lack a row, where that is known; the first few of many."""
    known = [cell.absence for cell in cells if cell.not_loaded and cell.absence]
    return "; ".join(known[:MAX_ABSENCES])


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


def _active_on(reference: Proxy, on_proxies: Sequence[SetOnProxy]) -> StateCount:
    """What `reference` holds active of the set."""
    known = next((each for each in on_proxies if each.watched.proxy.pk == reference.pk), None)
    return known.states.get(KnownState.ACTIVE, StateCount()) if known else StateCount()


def _share_now(known: KnownDestination | None, active: StateCount) -> float:
    """The percentage of calls that the destination gets now, by the weighted algorithms."""
    if known is None or known.state != "active":
        return 0.0
    return percentage(known.weight or 0, active.weight, active.count)


def _share_after(
    values: DestinationRow, known: KnownDestination | None, totals: selectors.SetTotals
) -> float | None:
    """The percentage after a reload that inherits states; None where the sums of weights overflow 16 bits."""
    if totals.weight > MAX_WEIGHT:
        return None
    active = known.state == "active" if known is not None else values.state not in (1, 2)
    if not active:
        return 0.0
    return percentage(number_of(values.weight), totals.active_weight, totals.active)


def _sections(
    lines: Sequence[RowView],
    totals: dict[int, selectors.SetTotals],
    names: dict[int, str],
    counts: dict[int, tuple[SetOnProxy, ...]],
    gone: dict[int, tuple[OrphanView, ...]],
) -> tuple[SetSection, ...]:
    """The lines grouped by set, in their order; a set of which only the memory knows follows at the end."""
    by_set: dict[int, list[RowView]] = {}
    for line in lines:
        by_set.setdefault(line.values.setid, []).append(line)
    empty = selectors.SetTotals(0, 0, 0, 0, 0, 0)
    return tuple(
        SetSection(
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


def _orphans(
    setids: set[int],
    watched: Sequence[WatchedProxy],
    query: DestinationQuery,
    last_page: bool,
    separate: Collection[int],
    among: Sequence[int] | None,
) -> dict[int, tuple[OrphanView, ...]]:
    """What the fresh proxies still hold of these sets although the table lost it."""
    if query.q or query.state is not None or query.live is not None:
        return {}
    folds = _folds(query, watched)
    fresh = [each for each in watched if each.fresh and each.proxy.pk not in separate]
    by_uri: dict[tuple[int, str], dict[int, KnownDestination]] = defaultdict(dict)
    whole_sets = last_page and query.setid is None
    proxies = [each.proxy for each in fresh]
    for gone in selectors.gone_from_table(setids, proxies, among, whole_sets=whole_sets):
        by_uri[gone.setid, gone.uri_key][gone.proxy_id] = gone
    lines: dict[int, list[OrphanView]] = defaultdict(list)
    for (setid, _key), by_proxy in by_uri.items():
        first = next(iter(by_proxy.values()))
        cells = tuple(
            cell_of(each, by_proxy.get(each.proxy.pk), compared=each.proxy.pk not in separate)
            for each in watched
        )
        live, groups = ((), state_groups(cells)) if folds else (cells[:MAX_PROXY_COLUMNS], ())
        lines[setid].append(OrphanView(setid, first.uri, first.description or "", live, groups))
    return {setid: tuple(found) for setid, found in lines.items()}
