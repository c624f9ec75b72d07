"""Findings about the fields of a row, and the checks that every text column gets."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from django.db import connection


class Severity(StrEnum):
    """Whether a finding stops the save."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding about one field; `position` is its place in the text, from 0, where there is one."""

    field: str
    severity: Severity
    text: str
    code: str = ""
    position: int | None = None


Unstorable = Callable[[str, str], str]
"""The characters of a text that a column's character set lacks, by column and text."""


def text_findings(
    table: str, widths: Mapping[str, int], values: Mapping[str, Any], unstorable: Unstorable | None = None
) -> Iterator[Finding]:
    """The errors of texts that MariaDB would cut or refuse; `widths` are the characters that columns hold."""
    lacking_in = unstorable or partial(unstorable_characters, table)
    for column, width in widths.items():
        text = values.get(column) or ""
        control = next((each for each in text if unicodedata.category(each) == "Cc"), None)
        if control is not None:
            message = f"Contains a control character (U+{ord(control):04X})."
            yield Finding(column, Severity.ERROR, message, "control")
        elif len(text) > width:
            message = f"{len(text)} characters; the column's limit is {width}."
            yield Finding(column, Severity.ERROR, message, "too_long", width)
        elif lacking := lacking_in(column, text):
            message = f"The column's character set can't store {' '.join(lacking)}"
            yield Finding(column, Severity.ERROR, message, "charset")


def unstorable_characters(table: str, column: str, text: str) -> str:
    """The characters of `text` that the character set of a column lacks.

    MariaDB converts them itself, since only it knows its character sets; SQLite stores everything.
    """
    if connection.vendor != "mysql" or text.isascii():
        return ""
    charset = _charset_of(table, column)
    if not charset.isidentifier():
        return ""
    characters = "".join(dict.fromkeys(character for character in text if not character.isascii()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT CONVERT(CONVERT(%s USING {charset}) USING utf8mb4)",
            [characters],
        )
        kept = cursor.fetchone()[0]
    return "".join(sent for sent, got in zip(characters, kept, strict=True) if sent != got)


def _charset_of(table: str, column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s",
            [table, column],
        )
        row = cursor.fetchone()
    return row[0] if row and row[0] else "utf8mb4"


def column_named_in(attributes: str, columns: Iterable[str]) -> str | None:
    """The column that attributes set by its name, as in `weight=50`; None where they name none.

    OpenSIPS gives a meaning to attributes nowhere: only a script reads them.
    """
    names = "|".join(map(re.escape, columns))
    found = re.search(rf"(?:^|[;,&\s])({names})\s*=", attributes, re.IGNORECASE)
    return found[1].lower() if found else None
