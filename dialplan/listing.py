"""What the list page was asked for, as its URL says it; and the URL for what may be asked next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from efcp.editing.listing import UrlQuery, integer

DEFAULT_SIZE = 30
SIZES = (30, 50, 100, 200)
MAX_DPID = 2**31 - 1
MAX_ID = 2**31 - 1


class Sort(StrEnum):
    """Orders of each dialplan; a leading minus turns one round. `PRIORITY` is the order of a proxy."""

    PRIORITY = "pr"
    MATCH = "match_exp"
    REPLACEMENT = "repl_exp"
    ATTRIBUTES = "attrs"


@dataclass(frozen=True, slots=True)
class ListQuery(UrlQuery):
    """Filters, order and page of the list; the field names are those of the URL.

    `disabled` is 0 or 1. `moving` is the id of a rule that a new place is looked for.
    """

    dpid: int | None = None
    q: str = ""
    disabled: int | None = None
    sort: str = Sort.PRIORITY.value
    moving: int | None = None
    page: int = 1
    size: int = DEFAULT_SIZE

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "ListQuery":
        """Read the parameters of a URL; one that makes no sense counts as not given."""
        sort = given.get("sort", "")
        return cls(
            dpid=integer(given.get("dpid"), 0, MAX_DPID),
            q=given.get("q", "").strip()[:200],
            disabled=integer(given.get("disabled"), 0, 1),
            sort=sort if sort.removeprefix("-") in set(Sort) else Sort.PRIORITY.value,
            moving=integer(given.get("moving"), 1, MAX_ID),
            page=integer(given.get("page"), 1, 10**6) or 1,
            size=integer(given.get("size"), 1, max(SIZES)) or DEFAULT_SIZE,
        )

    @property
    def in_order(self) -> bool:
        """Whether rules stand in the order in which a proxy tries them."""
        return self.sort == Sort.PRIORITY

    def sorted_by(self, column: str) -> str:
        """The query string for the same list by `column`; asked again for the same column: turned round."""
        turned = f"-{column}" if self.sort == column else column
        return replace(self, sort=turned, page=1).query_string()

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set."""
        return bool(self.q) or self.disabled is not None or self.dpid is not None
