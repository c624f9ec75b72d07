"""Every read of the table `dispatcher`. A list page costs the same few queries at any size of the table."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Lower

from dispatcher.listing import ListQuery, Live, Sort
from dispatcher.loadable import SOUND, SUSPECT, WITH_UNRESOLVED, left_out
from dispatcher.models import Destination, NameOutcome
from dispatcher.routing.findings import Finding
from dispatcher.table import SET_NAMES
from efcp.proxies.models import KnownDestination, Proxy
from efcp.sip.uri import uri_key


def find(destination_id: int) -> Destination | None:
    """The row of this id, or None."""
    return Destination.objects.filter(pk=destination_id).first()


def same_destination(setid: int, destination: str, own_id: int | None) -> int | None:
    """The id of another row with this set and URI, compared as the proxy does (ASCII case aside).

    The database folds more than ASCII and narrows the search; the exact comparison is done here.
    """
    rows = (
        Destination.objects.filter(setid=setid)
        .annotate(folded=Lower("destination"))
        .filter(folded=Lower(Value(destination)))
        .values_list("id", "destination")
    )
    key = uri_key(destination)
    return next((pk for pk, other in rows[:1000] if pk != own_id and uri_key(other) == key), None)


set_names = SET_NAMES.all


def matching(query: ListQuery, proxies: Sequence[Proxy]) -> QuerySet[Destination]:
    """The rows that `query` asks for, unordered; live states are those of `proxies`, which have to answer."""
    rows = Destination.objects.all()
    if query.setid is not None:
        rows = rows.filter(setid=query.setid)
    if query.state is not None:
        rows = rows.filter(state=query.state)
    for word in query.q.split():
        rows = rows.filter(
            Q(destination__icontains=word) | Q(description__icontains=word) | Q(attrs__icontains=word)
        )
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
    holding = known.order_by().values("setid").annotate(count=Count("proxy", distinct=True)).values("count")
    return rows.alias(holding=Coalesce(Subquery(holding), 0)).filter(holding__lt=len(proxies))


@dataclass(frozen=True, slots=True)
class PageOfRows:
    """The rows of one page, its number from 1, and how many rows and pages there are."""

    rows: list[Destination]
    number: int
    total: int
    pages: int


def page_of(rows: QuerySet[Destination], query: ListQuery) -> PageOfRows:
    """The page that `query` asks for, in its order; the last one where it asks for one beyond.

    The rows and their count come in one query. One more is needed for a page beyond the last.
    """
    found, total = _page(rows, query, query.page)
    number, pages = query.page, max(1, ceil(total / query.size))
    if number > pages:
        number = pages
        found, total = _page(rows, query, number)
    return PageOfRows(found, number, total, pages)


def _page(rows: QuerySet[Destination], query: ListQuery, number: int) -> tuple[list[Destination], int]:
    """The rows of page `number`, and the count of all.

    Only ids are sorted and skipped, since the table has no index and its rows are wide; the rows of the page
    are fetched by them. The count stands beside each row, or alone where the page has none.
    """
    order = _order(query)
    try:
        ids, parameters = rows.order_by().values("id").query.sql_with_params()
    except EmptyResultSet:  # a live state is asked for, and no proxy answers
        return [], 0
    inner, outer = (
        ", ".join(f"{table}{name.removeprefix('-')}{' DESC' if name[0] == '-' else ''}" for name in order)
        for table in ("dispatcher.", "d.")
    )
    sql = (
        f"SELECT d.*, c.total FROM (SELECT COUNT(*) AS total FROM ({ids}) counted) c"  # noqa: S608 - no values
        f" LEFT JOIN ({ids} ORDER BY {inner} LIMIT %s OFFSET %s) page ON 1 = 1"
        f" LEFT JOIN dispatcher d ON d.id = page.id ORDER BY {outer}"
    )
    bounds = (query.size, (number - 1) * query.size)
    found = list(Destination.objects.raw(sql, [*parameters, *parameters, *bounds]))
    total: int = found[0].total  # type: ignore[attr-defined]
    return [row for row in found if row.pk is not None], total


def _order(query: ListQuery) -> tuple[str, ...]:
    """The columns of the order; within a set as the proxy has them, the higher priority first."""
    column = query.sort.removeprefix("-")
    sign = "-" if query.sort.startswith("-") else ""
    if column == Sort.SET:
        return (f"{sign}setid", "-priority", "id")
    return (f"{sign}{column}", "setid", "id")


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


# An `fs://` weight counts as 1 until the FreeSWITCH at its end has told its load.
_LOADED_WEIGHT = "CASE WHEN d.weight LIKE 'fs://%%' THEN 1 ELSE CAST(d.weight AS {integer}) & 65535 END"
_STATE_AFTER = (
    "COALESCE(k.state, CASE d.state WHEN 1 THEN 'inactive' WHEN 2 THEN 'probing' ELSE 'active' END)"
)


@dataclass(frozen=True, slots=True)
class AfterReload:
    """Sets as a reload that inherits states would leave them.

    `left_out` says, by row id, why a load would not take the row; names as the watcher knows them.
    """

    totals: dict[int, SetTotals]
    left_out: dict[int, Finding]


def after_reload(setids: Iterable[int], reference: Proxy | None) -> AfterReload:
    """The totals of these sets; states are inherited from the memory of `reference`, if there is one.

    One query where every row is sure to load, else three.
    """
    wanted = sorted(set(setids))
    if not wanted:
        return AfterReload({}, {})
    totals, suspects = _set_totals(wanted, reference, ())
    unloadable = left_out(wanted) if suspects else {}
    if unloadable:
        totals, _suspects = _set_totals(wanted, reference, unloadable)
    return AfterReload(totals, unloadable)


def _set_totals(
    wanted: Sequence[int], reference: Proxy | None, without: Collection[int]
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
        f" WHERE d.setid IN ({', '.join(['%s'] * len(wanted))}) GROUP BY d.setid"
    )
    proxy_id, partition = (reference.pk, reference.partition) if reference else (0, "")
    with connection.cursor() as cursor:
        cursor.execute(sql, [*SOUND, NameOutcome.NO_SUCH_NAME.value, proxy_id, partition, *wanted])
        rows = cursor.fetchall()
    totals = {
        row[0]: SetTotals(row[0], row[1], int(row[2]), int(row[3]), int(row[4]), row[5]) for row in rows
    }
    return totals, sum(int(row[6]) for row in rows)


def identities_in_order(setids: Iterable[int]) -> QuerySet[Destination, tuple[int, int, str]]:
    """(id, set, URI) of all rows of these sets in the proxy's order, at most 20,000."""
    return (
        Destination.objects.filter(setid__in=sorted(setids))
        .order_by("setid", "-priority", "id")
        .values_list("id", "setid", "destination")[:20_000]
    )


def gone_from_table(
    setids: Iterable[int], proxies: Sequence[Proxy], *, whole_sets: bool = False, limit: int = 50
) -> list[KnownDestination]:
    """Destinations of these sets that a proxy still holds although the table has no such row (bounded).

    With `whole_sets` also those of every set that the table lost altogether.
    """
    wanted = sorted(set(setids))
    if not proxies or not (wanted or whole_sets):
        return []
    sets = ", ".join(["%s"] * len(wanted)) or "NULL"
    lost_sets = " OR k.setid NOT IN (SELECT setid FROM dispatcher)" if whole_sets else ""
    held_by = " OR ".join(["(k.proxy_id = %s AND k.`partition` = %s)"] * len(proxies))
    # Joined to the sets' rows as one small table, so that the database looks through the big one once.
    sql = (
        "SELECT k.* FROM efcp_known_destination k LEFT JOIN"  # noqa: S608 - no value in the text
        f" (SELECT DISTINCT setid, LOWER(destination) AS uri_key FROM dispatcher WHERE setid IN ({sets})) d"
        " ON d.setid = k.setid AND d.uri_key = k.uri_key"
        f" WHERE ({held_by}) AND ((k.setid IN ({sets}) AND d.setid IS NULL){lost_sets})"
        " ORDER BY k.setid, k.position LIMIT %s"
    )
    holders = [value for proxy in proxies for value in (proxy.pk, proxy.partition)]
    return list(KnownDestination.objects.raw(sql, [*wanted, *holders, *wanted, limit]))
