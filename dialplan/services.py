"""Every write to the table `dialplan` and to the names of dialplans, each with its audit record.

The statements are written out, since the ORM's save() names every column: an ordinary add names exactly the
eight columns of the old panel, and an update only those that the user changed.
"""

from dataclasses import fields, replace
from typing import Any

from django.db import connection

from dialplan.models import DialplanName, Rule
from dialplan.order import Placed, moved, separated
from dialplan.translation.rules import COLUMNS, RuleRow
from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.editing.guarded import serialized_writes, update_guarded

INSERTED_COLUMNS = (
    "dpid",
    "pr",
    "match_op",
    "match_exp",
    "match_flags",
    "subst_exp",
    "repl_exp",
    "attrs",
)
MAX_SEPARATED = 1_000
"""Rules of a dialplan whose priorities are told apart at once, each with its audit record."""

_TEXT_COLUMNS = frozenset({"match_exp", "subst_exp", "repl_exp", "timerec", "attrs"})
_IDENTITY_COLUMNS = ("dpid", "match_op", "match_exp")


class RuleGoneError(Exception):
    """The row was deleted meanwhile; nothing was written."""


class TooManyToSeparateError(Exception):
    """The dialplan has more than MAX_SEPARATED rules."""


class ChangedMeanwhileError(Exception):
    """Another wrote to the columns concerned; nothing was written. `current` is what stands now."""

    def __init__(self, current: RuleRow) -> None:
        super().__init__("the row was changed meanwhile")
        self.current = current


def _columns(row: RuleRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS if name != "id"}


def subject(rule_id: int, values: RuleRow) -> Subject:
    """How audit records name a row."""
    return Subject("dialplan", str(rule_id), f"{values.match_exp} in dialplan {values.dpid}")


def add(values: RuleRow, actor: Actor, reason: str = "") -> int:
    """Insert one row and return its id."""
    columns = INSERTED_COLUMNS + tuple(name for name in ("timerec", "disabled") if getattr(values, name))
    with serialized_writes("dialplan"), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO dialplan ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",  # noqa: S608 - our own column names
            [getattr(values, column) for column in columns],
        )
        rule_id = int(cursor.lastrowid)
        record(actor, "add", subject(rule_id, values), after=_columns(values), reason=reason)
    return rule_id


def update(rule_id: int, seen: RuleRow, wanted: RuleRow, actor: Actor, reason: str = "") -> RuleRow:
    """Write the columns in which `wanted` differs from `seen`, if the row still holds what was seen.

    The match is guarded along with the changed columns: a replacement that was written for one expression is
    never given to another. Returns the row as it stands then. Raises RuleGoneError or ChangedMeanwhileError.
    """
    changes = {
        field.name: getattr(wanted, field.name)
        for field in fields(RuleRow)
        if field.compare and getattr(wanted, field.name) != getattr(seen, field.name)
    }
    if not changes:
        return seen
    guards = {name: getattr(seen, name) for name in (*_IDENTITY_COLUMNS, *changes)}
    with serialized_writes("dialplan"):
        before = _locked(rule_id)
        if not update_guarded("dialplan", rule_id, changes, guards, _TEXT_COLUMNS):
            raise ChangedMeanwhileError(before)
        after = replace(before, **changes)
        record(
            actor,
            "edit",
            subject(rule_id, after),
            before=_columns(before),
            after=_columns(after),
            reason=reason,
        )
    return after


def named_dialplan(dpid: int) -> DialplanName:
    """The stored name of a dialplan; not stored and empty where it has none."""
    return DialplanName.objects.filter(dpid=dpid).first() or DialplanName(dpid=dpid, name="")


def set_disabled(rule_id: int, disabled: bool, actor: Actor, original: str | None = None) -> RuleRow:
    """Have proxies load the rule, or leave it out; returns the row.

    `original` is the edit token of its row in the list. Raises StaleFormError, and as `update` does.
    """
    row = Rule.objects.filter(pk=rule_id).first()
    if row is None:
        raise RuleGoneError
    values = RuleRow.of(row)
    require_current(original, row, subject(rule_id, values))
    return update(rule_id, values, replace(values, disabled=int(disabled)), actor)


def move(rule_id: int, target_id: int, actor: Actor, *, behind: bool, original: str | None = None) -> int:
    """Move a rule right before or behind another of its dialplan; returns how many rules got a new `pr`.

    `original` is the edit token of the moved rule. Raises StaleFormError, RuleGoneError
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
            raise RuleGoneError from None
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
            reason = "Each rule got a priority of its own"
            update(row_id, rows[row_id], replace(rows[row_id], pr=priority), actor, reason)
    return len(changes)


def delete(rule_id: int, seen: RuleRow, actor: Actor, reason: str = "") -> None:
    """Delete the row if it still is what was seen. Raises RuleGoneError or ChangedMeanwhileError."""
    with serialized_writes("dialplan"), connection.cursor() as cursor:
        before = _locked(rule_id)
        if before != seen:
            raise ChangedMeanwhileError(before)
        cursor.execute("DELETE FROM dialplan WHERE id = %s", [rule_id])
        record(actor, "delete", subject(rule_id, before), before=_columns(before), reason=reason)


def name_dialplan(dpid: int, name: str, actor: Actor, original: str | None = None) -> None:
    """Give the dialplan a name, or take it away where `name` is empty.

    `original` is the form's edit token. Raises StaleFormError.
    """
    about = Subject("dialplan name", str(dpid), f"dialplan {dpid}")
    with serialized_writes("efcp_dialplan"):
        stored = named_dialplan(dpid)
        require_current(original, stored, about)
        former = stored.name
        if former == name:
            return
        if name:
            DialplanName.objects.update_or_create(dpid=dpid, defaults={"name": name})
        else:
            DialplanName.objects.filter(dpid=dpid).delete()
        record(actor, "name", about, before={"name": former}, after={"name": name})


def _locked(rule_id: int, original: str | None = None) -> RuleRow:
    row = Rule.objects.select_for_update().filter(pk=rule_id).first()
    if row is None:
        raise RuleGoneError
    values = RuleRow.of(row)
    require_current(original, row, subject(rule_id, values))
    return values
