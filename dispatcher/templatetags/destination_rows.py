"""`{% destination_rows lines with_set may_operate may_administer %}`: rows of the table of destinations."""

from collections.abc import Iterable
from functools import lru_cache

from django import template
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from dispatcher.list_page import RowView

KEPT_ROWS = 2_000
"""Rows of 2 kB each that a process keeps."""

register = template.Library()


@register.simple_tag
def destination_rows(
    lines: Iterable[RowView], with_set: object, may_operate: bool, may_administer: bool
) -> SafeString:
    """The table's rows; `with_set` shows the set in each."""
    shows_set = bool(with_set)
    places = reverse("dispatcher:list"), reverse("audit:list"), timezone.get_current_timezone_name()
    rows = [_row(line, shows_set, may_operate, may_administer, *places) for line in lines]
    return mark_safe("".join(rows))  # noqa: S308 - each row is the output of an escaping template


@lru_cache(maxsize=KEPT_ROWS)
def _row(
    line: RowView, with_set: bool, may_operate: bool, may_administer: bool, root: str, audit: str, zone: str
) -> str:
    """One row; its times are on the clock of `zone`, which is the current one.

    Lists are polled, and their rows stay the same for minutes, so that rendering them anew was a third of
    the page's time. What is kept can't be stale: it depends on nothing but the arguments, which hold every
    value that the row shows, ages in words included.
    """
    return get_template("dispatcher/row.html").render(
        {
            "line": line,
            "row_url": f"{root}{line.id}/",
            "audit": audit,
            "with_set": with_set,
            "may_operate": may_operate,
            "may_administer": may_administer,
        }
    )
