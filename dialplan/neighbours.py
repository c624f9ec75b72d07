"""The rules of a dialplan as a proxy would hold them, to say what of their order is wrong."""

from collections.abc import Iterator
from dataclasses import replace

from dialplan.selectors import TooManyRulesError, rules_for, rules_of
from dialplan.translation.analysis import Order, order_of
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.rules import DialplanEnvironment, LoadedRule, MatchOp, RuleRow
from dialplan.validation import order_findings
from efcp.editing.findings import Finding

MAX_COMPARED = 1_000
"""Rules of one dialplan that are compared with each other."""

UNSAVED = 0
"""The id of a rule that has none yet."""


def findings_among(values: RuleRow) -> Iterator[Finding]:
    """Findings on an unsaved rule among the others of its dialplan.

    In a large dialplan only among those that are no equal rules, or have its text.
    """
    rows = None if values.disabled else _rows(values.dpid) or _rows_like(values)
    others = [row for row in rows or () if row.id != values.id]
    if not others:
        return
    rules = _loaded([*others, replace(values, id=values.id or UNSAVED)], values.dpid)
    own = next((rule for rule in rules if rule.rule.id == (values.id or UNSAVED)), None)
    if own is not None:
        yield from order_findings(own, rules)


def order_of_dialplan(dpid: int) -> Order | None:
    """Findings on the order of a dialplan; None where it is too large."""
    rows = _rows(dpid)
    return None if rows is None else order_of(_loaded(rows, dpid))


def _rows(dpid: int) -> list[RuleRow] | None:
    """The rules of a dialplan, None for more than MAX_COMPARED."""
    try:
        return [RuleRow.of(row) for row in rules_of(dpid, MAX_COMPARED)]
    except TooManyRulesError:
        return None


def _rows_like(values: RuleRow) -> list[RuleRow] | None:
    """The rules but for equal ones of other texts, None for more than MAX_COMPARED."""
    texts = [values.match_exp] if values.match_op == MatchOp.EQUAL else []
    try:
        found = rules_for(values.dpid, texts, MAX_COMPARED)
    except TooManyRulesError:
        return None
    return [RuleRow.of(row) for row in found]


def _loaded(rows: list[RuleRow], dpid: int) -> list[LoadedRule]:
    result = load(sorted(rows, key=lambda rule: rule.id or 2**31), DialplanEnvironment())
    if isinstance(result, LoadBroken) or dpid not in result.dialplans:
        return []
    return result.dialplans[dpid].rules
