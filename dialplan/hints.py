"""Texts that a proxy takes, and that mean something else than they seem to: habits from other products."""

import re
from collections.abc import Iterator
from typing import Final

from dialplan.translation.expression.parsing import parse
from dialplan.translation.expression.syntax import anchors
from dialplan.translation.rules import MatchOp, RuleRow
from efcp.editing.findings import Finding, Severity, column_named_in

_SED: Final = re.compile(r"s?/.*[^\\]/.*")
_ASTERISK: Final = re.compile(r"_[0-9XZN*#+.!\[\]-]*[XZN.!][0-9XZN*#+.!\[\]-]*")
_VARIABLE: Final = re.compile(r"\$(?:\(?[A-Za-z][\w.]*\(|[a-z]{1,2}[A-Z]?\b)")
_REGEX_IN_TEXT: Final = re.compile(r"^\^|\$$|[\[\](|\\]|\.[*+]|^[0-9+]+[*]$")
_DOLLAR_GROUP: Final = re.compile(r"\$\{?([0-9])")
_OWN_COLUMNS: Final = ("pr", "priority", "dpid", "timerec", "disabled", "match_flags")


def hints(values: RuleRow) -> Iterator[Finding]:
    """Yield a warning for each text that is likely meant otherwise."""
    is_regex = values.match_op == MatchOp.REGEX
    yield from _expression("match_exp", values.match_exp, is_regex=is_regex)
    yield from _expression("subst_exp", values.subst_exp or "", is_regex=True)
    if found := _DOLLAR_GROUP.search(values.repl_exp or ""):
        message = f"Write the group as \\{found[1]}, not {found[0]}."
        yield _hint("repl_exp", message, "dollar_group", found.start())
    if column := column_named_in(values.attrs or "", _OWN_COLUMNS):
        message = f"OpenSIPS does not interpret attributes: {column} has its own field."
        yield _hint("attrs", message, "attribute_is_column")


def _expression(column: str, text: str, *, is_regex: bool) -> Iterator[Finding]:
    if variable := _VARIABLE.search(text):
        what = "in an expression $ is the end of the input" if is_regex else "the text is compared literally"
        message = f"Variables are not expanded here: {what}."
        yield _hint(column, message, "variable_in_expression", variable.start())
    if not is_regex:
        if found := _REGEX_IN_TEXT.search(text):
            message = f"“{found[0]}” has no special meaning in an equal rule: only this exact text matches."
            yield _hint(column, message, "expression_in_equal_rule", found.start())
    elif _SED.fullmatch(text):
        message = "The slashes become part of the expression: remove them, and use the separate fields."
        yield _hint(column, message, "slashes")
    elif _ASTERISK.fullmatch(text):
        message = "An Asterisk pattern? This is a PCRE2 expression: write ^0049[0-9]+$ for _0049X."
        yield _hint(column, message, "asterisk_pattern")
    elif text and column == "match_exp" and (message := _open_ends(text)):
        yield _hint(column, message, "not_anchored")


def _open_ends(expression: str) -> str:
    node = parse(expression.encode(), caseless=False)
    starts, ends = (
        anchors(node)
        if node is not None
        else (expression.startswith(("^", "\\A")), expression.endswith(("$", "\\z")))
    )
    if starts and ends:
        return ""
    if starts:
        return "No $ at the end: matches any text that begins with this."
    if ends:
        return "No ^ at the start: matches any text that ends with this."
    return "No ^ and $: matches any text that contains this."


def _hint(column: str, message: str, code: str, position: int | None = None) -> Finding:
    return Finding(column, Severity.WARNING, message, code, position)
