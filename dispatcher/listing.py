"""What the list page was asked for, as its URL says it; and the URL for what may be asked next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from efcp.editing.listing import UrlQuery, integer

DEFAULT_SIZE = 30
SIZES = (30, 50, 100, 200)
MAX_SETID = 2**31 - 1


class Live(StrEnum):
    """What the live state is filtered by; a destination counts if it is so on at least one proxy."""

    ACTIVE = "active"
    PROBING = "probing"
    INACTIVE = "inactive"
    ABSENT = "absent"


class Sort(StrEnum):
    """Orders of the list; a leading minus turns one round. `SET` is the proxy's own order within each set."""

    SET = "setid"
    DESTINATION = "destination"
    DESCRIPTION = "description"
    WEIGHT = "weight"
    PRIORITY = "priority"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class ListQuery(UrlQuery):
    """Filters, order and page of the list; the field names are those of the URL."""

    setid: int | None = None
    q: str = ""
    state: int | None = None
    live: Live | None = None
    sort: str = Sort.SET.value
    page: int = 1
    size: int = DEFAULT_SIZE

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "ListQuery":
        """Read the parameters of a URL; one that makes no sense counts as not given."""
        sort = given.get("sort", "")
        live = given.get("live", "")
        size = integer(given.get("size"), 1, max(SIZES))
        return cls(
            setid=integer(given.get("setid"), 0, MAX_SETID),
            q=given.get("q", "").strip()[:200],
            state=integer(given.get("state"), 0, 2),
            live=Live(live) if live in set(Live) else None,
            sort=sort if sort.removeprefix("-") in set(Sort) else Sort.SET.value,
            page=integer(given.get("page"), 1, 10**6) or 1,
            size=size or DEFAULT_SIZE,
        )

    @property
    def by_set(self) -> bool:
        """Whether the list is grouped by set."""
        return self.sort.removeprefix("-") == Sort.SET

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set."""
        return bool(self.q) or self.live is not None or self.state is not None or self.setid is not None

    def sorted_by(self, column: str) -> str:
        """The query string for the same list by `column`; asked again for the same column: turned round."""
        turned = f"-{column}" if self.sort == column else column
        return replace(self, sort=turned, page=1).query_string()
