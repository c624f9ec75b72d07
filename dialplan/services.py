"""Every write to the table `dialplan` and to the names of dialplans, each with its audit record."""

from dataclasses import replace

from dialplan.models import Rule
from dialplan.order import Placed, moved, separated
from dialplan.table import DIALPLAN_NAMES, RULES
from dialplan.translation.rules import RuleRow
from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor
from efcp.editing.repository import Repository, RowGoneError, serialized_writes

MAX_SEPARATED = 1_000
"""Rules of a dialplan that get distinct priorities at once, each with its audit record."""

REPOSITORY = Repository(RULES)

add = REPOSITORY.add
update = REPOSITORY.update
delete = REPOSITORY.delete
name_dialplan = DIALPLAN_NAMES.rename


class TooManyToSeparateError(Exception):
    """The dialplan has more than MAX_SEPARATED rules."""


def set_disabled(rule_id: int, disabled: bool, actor: Actor, original: str | None = None) -> RuleRow:
    """Have proxies load the rule, or leave it out; returns the row.

    `original` is the edit token of its row in the list. Raises StaleFormError, and as `update` does.
    """
    row = Rule.objects.filter(pk=rule_id).first()
    if row is None:
        raise RowGoneError
    values = RuleRow.of(row)
    require_current(original, row, RULES.subject(rule_id, values))
    return update(rule_id, values, replace(values, disabled=int(disabled)), actor)


def move(rule_id: int, target_id: int, actor: Actor, *, behind: bool, original: str | None = None) -> int:
    """Move a rule right before or behind another of its dialplan; returns how many rules got a new `pr`.

    `original` is the edit token of the moved rule. Raises StaleFormError, RowGoneError
    where either is not there any more, NoRoomError where `pr` can't hold the place.
    """
    with serialized_writes("dialplan"):
        rule = _locked(rule_id, original)
        in_order = Rule.objects.select_for_update().filter(dpid=rule.dpid).order_by("pr", "id")
        rows = {row.pk: RuleRow.of(row) for row in in_order}
        try:
            placed = [Placed(row_id, values.pr) for row_id, values in rows.items()]
            changes = moved(placed, rule_id, target_id, behind=behind)
        except ValueError:
            raise RowGoneError from None
        reason = f"{rule.match_exp} was moved"
        for changed_id, priority in changes.items():
            before = rows[changed_id]
            if before.pr != priority:
                update(changed_id, before, replace(before, pr=priority), actor, reason)
    return sum(rows[changed_id].pr != priority for changed_id, priority in changes.items())


def separate(dpid: int, actor: Actor) -> int:
    """Give rules of equal `pr` priorities of their own, in order of their ids; returns how many changed.

    Raises TooManyToSeparateError, NoRoomError where `pr` can't hold the last one.
    """
    with serialized_writes("dialplan"):
        in_order = Rule.objects.select_for_update().filter(dpid=dpid).order_by("pr", "id")
        rows = {row.pk: RuleRow.of(row) for row in in_order[: MAX_SEPARATED + 1]}
        if len(rows) > MAX_SEPARATED:
            raise TooManyToSeparateError(f"Dialplan {dpid} has more than {MAX_SEPARATED:,} rules.")
        changes = separated([Placed(row_id, values.pr) for row_id, values in rows.items()])
        for row_id, priority in changes.items():
            reason = "Unique priorities assigned"
            update(row_id, rows[row_id], replace(rows[row_id], pr=priority), actor, reason)
    return len(changes)


def _locked(rule_id: int, original: str | None = None) -> RuleRow:
    row = Rule.objects.select_for_update().filter(pk=rule_id).first()
    if row is None:
        raise RowGoneError
    values = RuleRow.of(row)
    require_current(original, row, RULES.subject(rule_id, values))
    return values
