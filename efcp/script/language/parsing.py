"""From a text to a Script: tolerant, never an exception, in time that grows with the length alone."""

from collections.abc import Iterator

from efcp.script.findings import Finding, Severity, in_order
from efcp.script.language.cursor import Cursor
from efcp.script.language.items import items
from efcp.script.language.sources import INCLUDE, Source, one_file
from efcp.script.language.syntax import Accept, Item, Script
from efcp.script.language.templates import template_findings

_FOLLOWING = frozenset({"not-understood", "stray-bracket", "syntax", "unclosed-block", "unclosed-string"})
"""What is found where the text is of another kind."""


def parse(text: str, file: str) -> Script:
    """The script in `text`, which is called `file` in places; its includes are left out."""
    return parse_source(one_file(INCLUDE.sub("", text), file))


def parse_source(source: Source) -> Script:
    """The script in a text with its includes."""
    cursor = Cursor(source)
    found = items(cursor)
    findings = _readable(cursor, found)
    return Script(found, cursor.skipped, in_order(findings), tuple(_accepts(cursor)))


def _readable(cursor: Cursor, found: tuple[Item, ...]) -> list[Finding]:
    """The findings; of a template, or of what is no script at all, not what follows from that."""
    findings = cursor.findings
    templates = list(template_findings(cursor.tokens, cursor.source))
    if templates and templates[0].severity is Severity.ERROR:
        places = {templates[0].place, *templates[0].also}
        findings = [it for it in findings if it.code not in _FOLLOWING or it.place not in places]
    strange = [it for it in findings if it.code in _FOLLOWING]
    if strange and not found and not templates:
        first, *others = strange
        text = "This is no script of OpenSIPS: nothing of it is understood."
        findings = [it for it in findings if it.code not in _FOLLOWING]
        findings.append(
            Finding(Severity.ERROR, first.code, first.place, text, tuple(it.place for it in others))
        )
    return [*findings, *templates]


def _accepts(cursor: Cursor) -> Iterator[Accept]:
    """What the script says to be meant; before the first token it is meant for the whole file."""
    for line, before, codes in cursor.accepts:
        following = cursor.source.place(cursor.tokens[before].line) if before else None
        yield Accept(cursor.source.place(line), codes, following)
