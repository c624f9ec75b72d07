"""The rules of a dialplan as a proxy would hold them, to say what of their order is wrong."""

from collections.abc import Iterator

from dialplan.selectors import TooManyRulesError, rules_of
from dialplan.services import Values
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.ordering import Order, order_of
from dialplan.translation.rules import Environment, LoadedRule, Rule
from dialplan.validation import as_rule, order_findings
from efcp.editing.findings import Finding

MAX_COMPARED = 1_000
"""Rules of one dialplan that are compared with each other."""

UNSAVED = 0
"""The id of a rule that has none yet."""


def findings_among(values: Values, rule_id: int | None) -> Iterator[Finding]:
    """What is to be said of a rule that is not saved among the others; nothing of very large dialplans."""
    rows = None if values.disabled else _rows(values.dpid)
    others = [row for row in rows or () if row.id != rule_id]
    if not others:
        return
    rules = _loaded([*others, as_rule(values, rule_id or UNSAVED)], values.dpid)
    own = next((rule for rule in rules if rule.rule.id == (rule_id or UNSAVED)), None)
    if own is not None:
        yield from order_findings(own, rules)


def order_of_dialplan(dpid: int) -> Order | None:
    """What is to be said of the order of a dialplan; None where it is too large for that."""
    rows = _rows(dpid)
    return None if rows is None else order_of(_loaded(rows, dpid))


def _rows(dpid: int) -> list[Rule] | None:
    """The rules of a dialplan, None for more than MAX_COMPARED."""
    try:
        return [as_rule(Values.of(row), row.pk) for row in rules_of(dpid, MAX_COMPARED)]
    except TooManyRulesError:
        return None


def _loaded(rows: list[Rule], dpid: int) -> list[LoadedRule]:
    result = load(sorted(rows, key=lambda rule: rule.id or 2**31), Environment())
    if isinstance(result, LoadBroken) or dpid not in result.dialplans:
        return []
    return result.dialplans[dpid].rules
