"""Templates that were not rendered: m4, Jinja, Mustache, ERB, and variables of the environment."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from efcp.script.findings import Finding, Severity
from efcp.script.language.sources import Source
from efcp.script.language.tokens import Token, TokenKind

MAXIMUM_PLACES = 100
_M4 = re.compile(
    r"^[ \t]*(?:dnl\b|changequote\b|divert\(|(?:define|undefine|ifdef|ifelse|s?include|esyscmd)\([^\n]*`)"
    r"|\bifelse\([^\n]*`|`[^`'\n]*'[ \t]*,[ \t]*`",
    re.MULTILINE,
)
_BRACES = {"{": "Jinja or Mustache", "%": "Jinja"}
_IN_TEXT = re.compile(r"\{\{[#/^>&!]?\s*[\w.|$ -]+\}\}|\{%.*%\}|<%=?.*%>", re.DOTALL)


def template_findings(tokens: Sequence[Token], source: Source) -> Iterator[Finding]:
    """An error where the proxy would meet parts of a template, a warning where they are in texts alone."""
    found = dict(_in_code(tokens, source.text))
    if found:
        kinds = " and ".join(dict.fromkeys(found.values()))
        text = f"This is a template ({kinds}), and no script yet: render it first, and check what comes out."
        yield _finding(Severity.ERROR, sorted(found), text, source)
        return
    in_texts = [
        token.line for token in tokens if token.kind is TokenKind.STRING and _IN_TEXT.search(token.text)
    ]
    if in_texts:
        text = "This text has a part of a template, which the proxy takes as it stands: render it first."
        yield _finding(Severity.WARNING, in_texts, text, source)


def _finding(severity: Severity, lines: Sequence[int], text: str, source: Source) -> Finding:
    first, *others = (source.place(line) for line in dict.fromkeys(lines))
    return Finding(severity, "template", first, text, tuple(others[:MAXIMUM_PLACES]))


def _in_code(tokens: Sequence[Token], text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold a part of a template outside of texts, with its kind."""
    for token, following in pairwise(tokens):
        is_next = following.start == token.start + 1
        if token.text == "{" and is_next and following.text in _BRACES:
            yield token.line, _BRACES[following.text]
        elif token.text == "<" and is_next and following.text.startswith("%"):
            yield token.line, "ERB"
        elif token.kind is TokenKind.VARIABLE and token.text.startswith("${"):
            yield token.line, "variables of the environment"
    line, position = 1, 0
    for match in _M4.finditer(text):
        line += text.count("\n", position, match.start())
        position = match.start()
        yield line, "m4"
