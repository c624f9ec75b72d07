"""Lists whose filters, order and page stand in the URL."""

from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class UrlQuery:
    """What a list was asked for: a list adds the fields, `page` among them.

    Their names are those of the URL, in its order, and their defaults mean the plain list.
    """

    def with_page(self, page: int) -> str:
        """The query string for another page of the same list."""
        changes: dict[str, Any] = {"page": page}
        return replace(self, **changes).query_string()

    def query_string(self) -> str:
        """The shortest query string that means this list; `?` alone for the plain one."""
        plain = type(self)()
        given = {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(plain, field.name)
        }
        return "?" + urlencode(given)


def integer(text: str | None, least: int, most: int) -> int | None:
    """The integer that `text` is, if it is one between the limits."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    number = int(text)
    return number if least <= number <= most else None
