"""What is wrong, or surprising, about a rule before it is saved.

An error stops the save: a proxy would drop the rule in silence, break its reload over it, crash, or cut a
value. A warning does not: it says what the proxy will do.
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Final

from dialplan.services import Values
from dialplan.translation.findings import Code, Effect
from dialplan.translation.findings import Finding as RuleFinding
from dialplan.translation.rules import Environment, LoadedRule, MatchOperator, Rule, read_rule
from efcp.editing.findings import Finding, Severity

WIDTHS: Final = {"match_exp": 64, "subst_exp": 64, "repl_exp": 32, "timerec": 255, "attrs": 255}
"""Characters that the columns hold."""

MAX_OUTPUT: Final = 126
"""Bytes that a translation may have; a longer one fails."""

_MAX_GROUP: Final = 64
Unstorable = Callable[[str, str], str]
"""The characters of a text that a column's character set lacks."""


def check(values: Values, unstorable: Unstorable, rule_id: int | None = None) -> Iterator[Finding]:
    """Yield what is to be said of a rule, by column."""
    lost = list(_characters(values, unstorable))
    yield from lost
    if lost:
        return
    loaded, found = read_rule(as_rule(values, rule_id), Environment())
    for finding in found:
        yield _as_told(finding, values)
    if isinstance(loaded, LoadedRule):
        yield from _surprises(values, loaded)


def as_rule(values: Values, rule_id: int | None = None) -> Rule:
    """The row for the translation's reasoning."""
    return Rule(id=rule_id, **asdict(values))


def _as_told(finding: RuleFinding, values: Values) -> Finding:
    severity = Severity.WARNING if finding.effect is Effect.SURPRISE else Severity.ERROR
    if finding.code is Code.RECURRENCE_CRASHES:
        severity = Severity.ERROR
    text = getattr(values, finding.column, None)
    position = _character_at(str(text or ""), finding.position)
    return Finding(finding.column, severity, finding.text, finding.code.name.lower(), position)


def _character_at(text: str, offset: int | None) -> int | None:
    """Where in `text` the byte `offset` lies."""
    return None if offset is None else len(text.encode()[:offset].decode(errors="ignore"))


def _characters(values: Values, unstorable: Unstorable) -> Iterator[Finding]:
    for column, width in WIDTHS.items():
        text = getattr(values, column) or ""
        control = next((each for each in text if unicodedata.category(each) == "Cc"), None)
        if control is not None:
            yield Finding(
                column, Severity.ERROR, f"Holds a control character (U+{ord(control):04X}).", "control"
            )
        elif len(text) > width:
            told = f"{len(text)} characters; the column holds {width}."
            yield Finding(column, Severity.ERROR, told, "too_long", width)
        elif lacking := unstorable(column, text):
            listed = " ".join(lacking)
            yield Finding(column, Severity.ERROR, f"The column's character set has no {listed}", "charset")


def _surprises(values: Values, loaded: LoadedRule) -> Iterator[Finding]:
    if values.match_op == MatchOperator.REGEX and not _is_anchored(values.match_exp):
        told = "Not anchored by ^ and $: it matches any text that holds a match."
        yield Finding("match_exp", Severity.WARNING, told, "not_anchored")
    replacement = loaded.replacement
    if replacement is None:
        return
    fixed = len((values.repl_exp or "").encode())
    if replacement.highest_group and fixed + _MAX_GROUP > MAX_OUTPUT:
        told = f"The output can pass {MAX_OUTPUT} bytes: the translation then fails."
        yield Finding("repl_exp", Severity.WARNING, told, "long_output")


def _is_anchored(expression: str) -> bool:
    starts = expression.startswith(("^", "\\A"))
    return starts and expression.endswith(("$", "\\z"))
