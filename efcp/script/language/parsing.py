"""From a text to a Script: tolerant, never an exception, in time that grows with the length alone."""

from efcp.script.findings import in_order
from efcp.script.language.cursor import Cursor
from efcp.script.language.items import items
from efcp.script.language.sources import INCLUDE, Source, one_file
from efcp.script.language.syntax import Script


def parse(text: str, file: str) -> Script:
    """The script in `text`, which is called `file` in places; its includes are left out."""
    return parse_source(one_file(INCLUDE.sub("", text), file))


def parse_source(source: Source) -> Script:
    """The script in a text with its includes."""
    cursor = Cursor(source)
    found = items(cursor)
    return Script(found, cursor.skipped, in_order(cursor.findings))
