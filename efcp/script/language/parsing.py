"""From a text to a Script: tolerant, never an exception, in time that grows with the length alone."""

from collections.abc import Iterator

from efcp.script.findings import in_order
from efcp.script.language.cursor import Cursor
from efcp.script.language.items import items
from efcp.script.language.sources import INCLUDE, Source, one_file
from efcp.script.language.syntax import Accept, Script


def parse(text: str, file: str) -> Script:
    """The script in `text`, which is called `file` in places; its includes are left out."""
    return parse_source(one_file(INCLUDE.sub("", text), file))


def parse_source(source: Source) -> Script:
    """The script in a text with its includes."""
    cursor = Cursor(source)
    found = items(cursor)
    return Script(found, cursor.skipped, in_order(cursor.findings), tuple(_accepts(cursor)))


def _accepts(cursor: Cursor) -> Iterator[Accept]:
    """What the script says to be meant; before the first token it is meant for the whole file."""
    for line, before, codes in cursor.accepts:
        following = cursor.source.place(cursor.tokens[before].line) if before else None
        yield Accept(cursor.source.place(line), codes, following)
