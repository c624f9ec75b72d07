"""What is wrong, or surprising, about a rule before it is saved.

An error stops the save: a proxy would drop the rule in silence, break its reload over it, crash, or cut a
value. A warning does not: it explains what the proxy will do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from django.utils import timezone

from dialplan.hints import hints
from dialplan.table import RULES
from dialplan.translation.analysis import (
    input_not_substituted,
    input_of_undefined,
    input_that_backtracks,
    longest_output,
    order_of,
)
from dialplan.translation.rules import (
    DialplanEnvironment,
    LoadedRule,
    RuleCode,
    RuleEffect,
    RuleFinding,
    RuleRow,
    read_rule,
)
from dialplan.translation.schedule import LOOKED_FOR_YEARS, applies_again
from efcp.editing.findings import Finding, Severity, Unstorable, text_findings

MAX_OUTPUT: Final = 126
"""Bytes that a translation may have; a longer one fails."""


def check(values: RuleRow, unstorable: Unstorable | None = None) -> Iterator[Finding]:
    """Yield the findings about a rule, by column."""
    lost = list(text_findings("dialplan", RULES.widths, asdict(values), unstorable))
    yield from lost
    if lost:
        return
    loaded, found = read_rule(values, DialplanEnvironment())
    for finding in found:
        yield _form_finding(finding, values)
    yield from hints(values)
    if isinstance(loaded, LoadedRule):
        today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        yield from _surprises(loaded, int(today.timestamp()))


def _form_finding(finding: RuleFinding, values: RuleRow) -> Finding:
    severity = Severity.WARNING if finding.effect is RuleEffect.SURPRISE else Severity.ERROR
    if finding.code is RuleCode.RECURRENCE_CRASHES:
        severity = Severity.ERROR
    text = getattr(values, finding.column, None)
    position = _character_at(str(text or ""), finding.position)
    return Finding(finding.column, severity, finding.text, finding.code.name.lower(), position)


def _character_at(text: str, offset: int | None) -> int | None:
    """Where in `text` the byte `offset` lies."""
    return None if offset is None else len(text.encode()[:offset].decode(errors="ignore"))


def _surprises(loaded: LoadedRule, today: int) -> Iterator[Finding]:
    recurrence = loaded.recurrence
    if recurrence is not None and not recurrence.can_crash and applies_again(recurrence, today) is False:
        message = f"Never applies in the next {LOOKED_FOR_YEARS} years."
        yield Finding("timerec", Severity.WARNING, message, "never_applies")
    yield from _risks(loaded)


def _risks(loaded: LoadedRule) -> Iterator[Finding]:
    """What goes wrong for some inputs, each with one that shows it."""
    length = longest_output(loaded)
    if length is not None and length > MAX_OUTPUT:
        message = f"The output can reach {length} bytes: above {MAX_OUTPUT} the translation fails or crashes."
        yield Finding("repl_exp", Severity.WARNING, message, "long_output")
    if missed := input_not_substituted(loaded):
        text, always = missed
        amount = "nothing" if always else "not all"
        message = f"Matches {amount} of what the rule matches: for {_quoted(text)} the translation fails and"
        message += " no later rule is tried."
        yield Finding("subst_exp", Severity.WARNING, message, "not_substituted")
    if undefined := input_of_undefined(loaded):
        message = f"For {_quoted(undefined)} a group is unset: the output is undefined."
        yield Finding("repl_exp", Severity.WARNING, message, "undefined_output")
    for column, pattern in (("match_exp", loaded.pattern), ("subst_exp", loaded.substitution)):
        if pattern and (attack := input_that_backtracks(pattern, loaded.caseless)):
            message = f"Catastrophic backtracking: {_quoted(attack)} stalls the proxy on every call."
            yield Finding(column, Severity.WARNING, message, "backtracks")


def order_findings(loaded: LoadedRule, others: Sequence[LoadedRule]) -> Iterator[Finding]:
    """Findings on a rule among the others of its dialplan; `others` include it, in order."""
    order = order_of(others, loaded)
    for each in order.never_reached:
        if each.rests_on_order:
            continue
        if each.rule is loaded:
            message = f"Never reached: {_named(each.earlier)} always matches first."
        else:
            message = f"Makes {_named(each.rule)} unreachable: this one matches first."
        yield Finding("match_exp", Severity.WARNING, message, "never_reached")
    for clash in order.clashes:
        other = clash.other if clash.one is loaded else clash.one
        message = (
            f"{_named(other)} has the same priority and also matches {_quoted(clash.example)}: which one"
        )
        message += " is used depends on the database's row order."
        for hidden in clash.hidden:
            whose = "this rule" if hidden is loaded else _named(hidden)
            message += f" If the other comes first, {whose} is never reached."
        yield Finding("pr", Severity.WARNING, message, "same_priority")


def _named(rule: LoadedRule) -> str:
    return f"“{rule.rule.match_exp}” (priority {rule.rule.pr})"


def _quoted(text: bytes) -> str:
    return f"“{text.decode(errors='backslashreplace')}”"
