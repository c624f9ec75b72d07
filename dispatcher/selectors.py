"""Every read of the table `dispatcher`. A list page costs the same few queries at any size of the table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower

from dispatcher.load_prediction import SOUND, SUSPECT, WITH_UNRESOLVED, left_out
from dispatcher.models import Destination, NameOutcome
from dispatcher.routing.findings import RowFinding
from dispatcher.table import DESTINATIONS, SET_NAMES
from efcp.database.versions import content_of
from efcp.editing.listing import RowQuery, RowsOfPage, integer, matching_rows, rows_by_ids, rows_of_page
from efcp.editing.table import MAX_INT
from efcp.kept import PageVersion
from efcp.proxies.models import KnownDestination, Proxy
from efcp.sip.uri import uri_key


class Live(StrEnum):
    """A live state to filter by; a destination matches if it is in it on at least one proxy."""

    ACTIVE = "active"
    PROBING = "probing"
    INACTIVE = "inactive"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationQuery(RowQuery):
    """Filters, order and page of the list of destinations."""

    SORTS: ClassVar[tuple[str, ...]] = (
        "setid",
        "destination",
        "description",
        "weight",
        "priority",
        "state",
    )

    setid: int | None = None
    state: int | None = None
    live: Live | None = None
    columns: int = 0
    """1 for a column of each proxy, where they would be folded into one."""

    @classmethod
    def filters(cls, given: Mapping[str, str]) -> dict[str, Any]:
        """Set, initial state and live state."""
        live = given.get("live", "")
        return {
            "setid": integer(given.get("setid"), 0, MAX_INT),
            "state": integer(given.get("state"), 0, 2),
            "live": Live(live) if live in set(Live) else None,
            "columns": integer(given.get("columns"), 0, 1) or 0,
        }

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set; columns are none."""
        return bool(self.q) or any(each is not None for each in (self.setid, self.state, self.live))

    @property
    def by_set(self) -> bool:
        """Whether the list is grouped by set."""
        return self.sort.removeprefix("-") == "setid"


def _beside() -> tuple[str, ...]:
    """The names of sets, edits in the panel, and that no name was looked up: the list says more of those."""
    return (
        "COALESCE((SELECT MAX(a.id) FROM efcp_audit a), 0)",
        content_of("efcp_destination_set", "setid", "name"),
        "IF(EXISTS (SELECT 1 FROM efcp_name_lookup), NULL, '')",
    )


LIST_VERSION = PageVersion("destinations", "dispatcher", "efcp_known_destination", beside=_beside)
"""The version of the list of destinations, and of what `dispatcher.changes` compares."""


def find(destination_id: int) -> Destination | None:
    """The row of this id, or None."""
    return Destination.objects.filter(pk=destination_id).first()


def same_destination(setid: int, destination: str, own_id: int | None) -> int | None:
    """The id of another row with this set and URI, compared as the proxy does (ASCII case aside).

    The database folds more than ASCII and narrows the search; the exact comparison is done here.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, destination FROM dispatcher"
            " WHERE setid = %s AND LOWER(destination) = LOWER(%s) LIMIT 1000",
            [setid, destination],
        )
        rows = cursor.fetchall()
    key = uri_key(destination)
    return next((pk for pk, other in rows if pk != own_id and uri_key(other) == key), None)


set_names = SET_NAMES.all


def matching(query: DestinationQuery, proxies: Sequence[Proxy]) -> QuerySet[Destination]:
    """The rows that `query` asks for, unordered; live states are those of `proxies`, which have to answer."""
    rows = matching_rows(DESTINATIONS, query)
    if query.live is not None:
        rows = _by_live_state(rows, query.live, proxies)
    return rows


def _by_live_state(
    rows: QuerySet[Destination], live: Live, proxies: Sequence[Proxy]
) -> QuerySet[Destination]:
    """The rows that are in state `live` on at least one of `proxies`, or absent from at least one."""
    known = KnownDestination.objects.filter(
        proxy__in=proxies,
        partition=F("proxy__partition"),
        setid=OuterRef("setid"),
        uri_key=Lower(OuterRef("destination")),
    )
    if live is not Live.ABSENT:
        return rows.filter(Exists(known.filter(state=live.value)))
    loaded_on = known.order_by().values("setid").annotate(count=Count("proxy", distinct=True)).values("count")
    return rows.alias(loaded_on=Coalesce(Subquery(loaded_on), 0)).filter(loaded_on__lt=len(proxies))


def page_of(
    rows: QuerySet[Destination], query: DestinationQuery, in_order: Sequence[int] | None = None
) -> RowsOfPage[Destination]:
    """The page that `query` wants; within a set as the proxy has them, the higher priority first.

    `in_order` are the ids of all rows in that order, where they are known.
    """
    if in_order is not None and query.sort == "setid" and not query.narrowed:
        return rows_by_ids(Destination, query, in_order)
    column, sign = query.sort.removeprefix("-"), "-" if query.sort.startswith("-") else ""
    order = (f"{sign}setid", "-priority", "id") if column == "setid" else (f"{sign}{column}", "setid", "id")
    return rows_of_page(rows, query, order)


@dataclass(frozen=True, slots=True)
class SetTotals:
    """Sums over all rows of one set, as they would be after a reload that inherits states.

    Weights are cut to 16 bits, each as the proxy cuts it. `active` counts what would take calls;
    `distinct` counts different URIs, so that fewer than `rows` means duplicates. Rows that no load would
    take count in `rows` and `distinct` only.
    """

    setid: int
    rows: int
    weight: int
    active: int
    active_weight: int
    distinct: int


# An `fs://` weight counts as 1 until its FreeSWITCH has reported its load.
_LOADED_WEIGHT = "CASE WHEN d.weight LIKE 'fs://%%' THEN 1 ELSE CAST(d.weight AS {integer}) & 65535 END"
_STATE_AFTER = (
    "COALESCE(k.state, CASE d.state WHEN 1 THEN 'inactive' WHEN 2 THEN 'probing' ELSE 'active' END)"
)


@dataclass(frozen=True, slots=True)
class AfterReload:
    """Sets as a reload that inherits states would leave them.

    `left_out` is, by row id, why a load would not take the row; names as the watcher resolved them.
    """

    totals: dict[int, SetTotals]
    left_out: dict[int, RowFinding]


def after_reload(
    setids: Iterable[int], reference: Proxy | None, among: Sequence[int] | None = None
) -> AfterReload:
    """The totals of these sets; states are inherited from the memory of `reference`, if there is one.

    `among` are the ids of their rows, where they are known. One query where all rows load, else three.
    """
    chosen = sorted(set(setids))
    if not chosen:
        return AfterReload({}, {})
    totals, suspects = _set_totals(chosen, reference, (), among)
    unloadable = left_out(chosen) if suspects else {}
    if unloadable:
        totals, _suspects = _set_totals(chosen, reference, unloadable, among)
    return AfterReload(totals, unloadable)


def _set_totals(
    chosen: Sequence[int],
    reference: Proxy | None,
    without: Collection[int],
    among: Sequence[int] | None,
) -> tuple[dict[int, SetTotals], int]:
    """The totals by set, without the rows of these ids, and how many rows may not load."""
    weight = _LOADED_WEIGHT.format(integer="SIGNED" if connection.vendor == "mysql" else "INTEGER")
    loads = f"d.id NOT IN ({', '.join(map(str, map(int, without)))})" if without else "1 = 1"
    takes_calls = f"{loads} AND {_STATE_AFTER} = 'active'"
    sql = (
        f"SELECT d.setid, COUNT(*), SUM(CASE WHEN {loads} THEN {weight} ELSE 0 END),"  # noqa: S608 - ids only
        f" SUM(CASE WHEN {takes_calls} THEN 1 ELSE 0 END),"
        f" SUM(CASE WHEN {takes_calls} THEN {weight} ELSE 0 END),"
        " COUNT(DISTINCT LOWER(d.destination)),"
        f" SUM(CASE WHEN {SUSPECT} THEN 1 ELSE 0 END)"
        f" FROM dispatcher d {WITH_UNRESOLVED} LEFT JOIN efcp_known_destination k"
        " ON k.proxy_id = %s AND k.`partition` = %s AND k.setid = d.setid"
        " AND k.uri_key = LOWER(d.destination) AND k.occurrence = 0"
        f" WHERE d.setid IN ({', '.join(['%s'] * len(chosen))}) {_among('d.id', among)} GROUP BY d.setid"
    )
    proxy_id, partition = (reference.pk, reference.partition) if reference else (0, "")
    with connection.cursor() as cursor:
        cursor.execute(sql, [*SOUND, NameOutcome.NO_SUCH_NAME.value, proxy_id, partition, *chosen])
        rows = cursor.fetchall()
    totals = {
        row[0]: SetTotals(row[0], row[1], int(row[2]), int(row[3]), int(row[4]), row[5]) for row in rows
    }
    return totals, sum(int(row[6]) for row in rows)


def _among(column: str, ids: Sequence[int] | None) -> str:
    """A condition that lets the database get at rows by their ids, where they are known."""
    return f"AND {column} IN ({', '.join(map(str, map(int, ids)))})" if ids else ""


def identities_in_order(setids: Iterable[int]) -> QuerySet[Destination, tuple[int, int, str]]:
    """(id, set, URI) of all rows of these sets in the proxy's order, at most 20,000."""
    return (
        Destination.objects.filter(setid__in=sorted(setids))
        .order_by("setid", "-priority", "id")
        .values_list("id", "setid", "destination")[:20_000]
    )


def gone_from_table(
    setids: Iterable[int],
    proxies: Sequence[Proxy],
    among: Sequence[int] | None = None,
    *,
    whole_sets: bool = False,
    limit: int = 50,
) -> list[KnownDestination]:
    """Destinations of these sets that a proxy still holds although the table has no such row (bounded).

    With `whole_sets` also those of every set that the table lost altogether. `among` are the ids of the
    sets' rows, where they are known.
    """
    chosen = sorted(set(setids))
    if not proxies or not (chosen or whole_sets):
        return []
    sets = ", ".join(["%s"] * len(chosen)) or "NULL"
    lost_sets = " OR k.setid NOT IN (SELECT setid FROM dispatcher)" if whole_sets else ""
    on_proxies = " OR ".join(["(k.proxy_id = %s AND k.`partition` = %s)"] * len(proxies))
    # Joined to the sets' rows as one small table, so that the database looks through the big one once.
    sql = (
        "SELECT k.* FROM efcp_known_destination k LEFT JOIN"  # noqa: S608 - no value in the text
        f" (SELECT DISTINCT setid, LOWER(destination) AS uri_key FROM dispatcher"
        f" WHERE setid IN ({sets}) {_among('id', among)}) d"
        " ON d.setid = k.setid AND d.uri_key = k.uri_key"
        f" WHERE ({on_proxies}) AND ((k.setid IN ({sets}) AND d.setid IS NULL){lost_sets})"
        " ORDER BY k.setid, k.position LIMIT %s"
    )
    holders = [value for proxy in proxies for value in (proxy.pk, proxy.partition)]
    return list(KnownDestination.objects.raw(sql, [*chosen, *holders, *chosen, limit]))
