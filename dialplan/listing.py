"""What the list page was asked for, as its URL says it; and the URL for what may be asked next."""

from collections.abc import Mapping
from dataclasses import dataclass

from efcp.editing.listing import UrlQuery, integer

DEFAULT_SIZE = 30
SIZES = (30, 50, 100, 200)
MAX_DPID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ListQuery(UrlQuery):
    """Filters and page of the list; the field names are those of the URL. `disabled` is 0 or 1."""

    dpid: int | None = None
    q: str = ""
    disabled: int | None = None
    page: int = 1
    size: int = DEFAULT_SIZE

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "ListQuery":
        """Read the parameters of a URL; one that makes no sense counts as not given."""
        return cls(
            dpid=integer(given.get("dpid"), 0, MAX_DPID),
            q=given.get("q", "").strip()[:200],
            disabled=integer(given.get("disabled"), 0, 1),
            page=integer(given.get("page"), 1, 10**6) or 1,
            size=integer(given.get("size"), 1, max(SIZES)) or DEFAULT_SIZE,
        )

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set."""
        return bool(self.q) or self.disabled is not None or self.dpid is not None
