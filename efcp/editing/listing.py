"""Lists of rows whose filters, order and page are in the URL, and numbers in URLs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache, reduce
from math import ceil
from operator import or_
from typing import Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Count, Model, Q, QuerySet, Window
from django.urls.converters import IntConverter

from efcp.database.compiled import ModelColumns
from efcp.editing.table import MAX_INT, Table

DEFAULT_SIZE = 30
SIZES = (30, 50, 100, 200)
MAX_PAGE = 10**6
MAX_SEARCH = 200

ModelT = TypeVar("ModelT", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """What a list shows: search, order and page. A list adds its filters as fields, with None for no filter.

    The fields have the URL's names. `sort` is one of `SORTS`, with a minus for the reverse order.
    """

    SORTS: ClassVar[tuple[str, ...]]
    """The columns that a list can be sorted by; the first is the default."""

    q: str = ""
    sort: str = ""
    page: int = 1
    size: int = DEFAULT_SIZE

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Read the parameters of a URL; an invalid one counts as absent."""
        sort = given.get("sort", "")
        return cls(
            q=given.get("q", "").strip()[:MAX_SEARCH],
            sort=sort if sort.removeprefix("-") in cls.SORTS else cls.SORTS[0],
            page=integer(given.get("page"), 1, MAX_PAGE) or 1,
            size=integer(given.get("size"), 1, max(SIZES)) or DEFAULT_SIZE,
            **cls.filters(given),
        )

    @classmethod
    def filters(cls, _given: Mapping[str, str]) -> dict[str, Any]:
        """The fields that a list adds, read from the parameters of a URL."""
        return {}

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set."""
        return bool(self.q) or any(getattr(self, name) is not None for name in self._added())

    @property
    def sort_urls(self) -> dict[str, str]:
        """By column, the query string of the list sorted by it; the one it is sorted by now is reversed."""
        return _sort_urls(self)

    def with_page(self, page: int) -> str:
        """The query string for another page of the same list."""
        return replace(self, page=page).query_string()

    def query_string(self) -> str:
        """The shortest query string that means this list; `?` alone for the plain one."""
        # A class hashes by its identity, which typeshed does not see where its instances have a hash.
        plain = _plain_values(type(self))  # type: ignore[arg-type]
        given = {name: value for name in plain if (value := getattr(self, name)) != plain[name]}
        return "?" + urlencode(given)

    @classmethod
    def _added(cls) -> tuple[str, ...]:
        common = {each.name for each in fields(RowQuery)}
        return tuple(each.name for each in fields(cls) if each.name not in common)


@cache
def _plain_values(query: type[RowQuery]) -> dict[str, Any]:
    """What each parameter is on the plain list, in the order of a URL: those that a list adds come first."""
    plain = query(sort=query.SORTS[0])
    names = (*query._added(), *(each.name for each in fields(RowQuery)))
    return {name: getattr(plain, name) for name in names}


@lru_cache(maxsize=64)
def _sort_urls(query: RowQuery) -> dict[str, str]:
    """Kept by the query, since the head of each of a page's tables looks at every one of them."""
    turned = {name: f"-{name}" if query.sort == name else name for name in query.SORTS}
    return {name: replace(query, sort=sort, page=1).query_string() for name, sort in turned.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """Which page of a list is shown, and the query strings of its neighbours."""

    query: RowQuery
    total: int
    pages: int

    @property
    def previous_url(self) -> str:
        """The query string of the page before."""
        return self.query.with_page(min(self.query.page, self.pages + 1) - 1)

    @property
    def first_url(self) -> str:
        """The query string of the list's first page."""
        return self.query.with_page(1)

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


@dataclass(frozen=True, slots=True)
class RowsOfPage(Generic[ModelT]):
    """The rows of one page, its number from 1, and how many rows and pages there are."""

    rows: list[ModelT]
    number: int
    total: int
    pages: int


def matching_rows(table: Table[Any], query: RowQuery) -> QuerySet[Any]:
    """The rows that hold each word of the search in a searched column, and match the filters by column."""
    rows = table.model._default_manager.all()
    for column in table.columns:
        value = getattr(query, column.name, None)
        if column.is_flag and value:
            rows = rows.exclude(**{column.name: 0})
        elif value is not None:
            rows = rows.filter(**{column.name: value})
    searched = [column.name for column in table.columns if column.searched]
    for word in query.q.split():
        rows = rows.filter(reduce(or_, (Q(**{f"{name}__icontains": word}) for name in searched)))
    return rows


def rows_of_page(rows: QuerySet[ModelT], query: RowQuery, order: Sequence[str]) -> RowsOfPage[ModelT]:
    """The page of `rows` that `query` wants, by the columns of `order`; the last one where it is beyond.

    The rows and their count come in one query. One more is needed for a page beyond the last.
    """
    found, total = _page(rows, query.size, query.page, order)
    number, pages = query.page, max(1, ceil(total / query.size))
    if number > pages:
        number = pages
        found, total = _page(rows, query.size, number, order)
    return RowsOfPage(found, number, total, pages)


def _page(rows: QuerySet[ModelT], size: int, number: int, order: Sequence[str]) -> tuple[list[ModelT], int]:
    """The rows of page `number`, and the count of all.

    Only ids are sorted and skipped, since the table has no index and its rows are wide; the rows of the page
    are fetched by them. The count comes with each row, or alone where the page has none.
    """
    table = rows.model._meta.db_table
    columns = _columns_of(rows.model)
    inner, outer = (
        ", ".join(f"{name}.{each.removeprefix('-')}{' DESC' if each[0] == '-' else ''}" for each in order)
        for name in (table, "d")
    )
    page = f"ORDER BY {inner} LIMIT %s OFFSET %s"
    try:
        if rows.query.where:
            # Filtering takes longest: count in the same pass. Beyond the last page no row has the count.
            counted = rows.order_by().annotate(total=Window(Count("pk"))).values("total", "id")
            ids, parameters = counted.query.sql_with_params()
            sql = (
                f"SELECT page.total, {columns.sql} FROM ({ids} {page}) page JOIN {table} d ON d.id = page.id"  # noqa: S608 - no values
            )
        else:
            ids, parameters = rows.order_by().values("id").query.sql_with_params()
            sql = (
                f"SELECT c.total, {columns.sql} FROM (SELECT COUNT(*) AS total FROM {table}) c"  # noqa: S608 - no values
                f" LEFT JOIN ({ids} {page}) page ON 1 = 1 LEFT JOIN {table} d ON d.id = page.id"
            )
    except EmptyResultSet:  # such as a live state while no proxy answers
        return [], 0
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY {outer}", [*parameters, size, (number - 1) * size])
        found = cursor.fetchall()
    if not found:
        return [], rows.count() if number > 1 else 0
    total: int = found[0][0]
    return [columns.instance(values) for _total, *values in found if values[0] is not None], total


def rows_by_ids(model: type[ModelT], query: RowQuery, in_order: Sequence[int]) -> RowsOfPage[ModelT]:
    """The page that `query` wants of the rows whose ids are `in_order`; the last one where it is beyond."""
    pages = max(1, ceil(len(in_order) / query.size))
    number = min(query.page, pages)
    ids = in_order[(number - 1) * query.size : number * query.size]
    found = model._default_manager.in_bulk(ids)
    return RowsOfPage([found[each] for each in ids if each in found], number, len(in_order), pages)


@cache
def _columns_of(model: type[ModelT]) -> ModelColumns[ModelT]:
    return ModelColumns(model, "d")


def integer(text: str | None, least: int, most: int) -> int | None:
    """The integer that `text` is, if it is one between the limits."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    number = int(text)
    return number if least <= number <= most else None


class NumberConverter(IntConverter):
    """A set or a dialplan in a path; a number that its column can't hold makes it another address."""

    def to_python(self, value: str) -> int:
        """The number; raises ValueError."""
        number = super().to_python(value)
        if number > MAX_INT:
            raise ValueError(f"{value} is too large for the column.")
        return number
