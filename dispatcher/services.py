"""Every write to the table `dispatcher` and to the names of sets, each with its audit record.

The statements are written out, since the ORM's save() names every column: an ordinary add names exactly the
eight columns of the old panel, and an update only those that the user changed, because the proxy itself
writes `state` (persistent_state).
"""

from dataclasses import fields, replace
from typing import Any

from django.db import connection

from dispatcher.models import Destination, DestinationSet
from dispatcher.routing.rows import COLUMNS, DestinationRow
from dispatcher.secrets import mask_weight
from dispatcher.selectors import named_set, same_destination
from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.editing.guarded import serialized_writes, update_guarded
from efcp.sip.uri import same_uri

INSERTED_COLUMNS = (
    "setid",
    "destination",
    "socket",
    "state",
    "weight",
    "attrs",
    "probe_mode",
    "description",
)
_TEXT_COLUMNS = frozenset({"destination", "socket", "weight", "attrs", "description"})
_IDENTITY_COLUMNS = ("setid", "destination")


def for_audit(row: DestinationRow) -> dict[str, Any]:
    """The columns as an audit record keeps them: the password of an `fs://` weight is masked."""
    columns = {name: getattr(row, name) for name in COLUMNS if name != "id"}
    return columns | {"weight": mask_weight(row.weight)}


class DestinationGoneError(Exception):
    """The row was deleted meanwhile; nothing was written."""


class DuplicateDestinationError(Exception):
    """Another row has the same set and URI, compared as the proxy does; nothing was written."""

    def __init__(self, other_id: int) -> None:
        super().__init__(f"row {other_id} has the same set and URI")
        self.other_id = other_id


class ChangedMeanwhileError(Exception):
    """Another wrote to the columns concerned; nothing was written. `current` is what stands now."""

    def __init__(self, current: DestinationRow) -> None:
        super().__init__("the row was changed meanwhile")
        self.current = current


def subject(destination_id: int, values: DestinationRow) -> Subject:
    """How audit records name a row."""
    return Subject("dispatcher", str(destination_id), f"{values.destination} in set {values.setid}")


def add(values: DestinationRow, actor: Actor, reason: str = "") -> int:
    """Insert one row and return its id.

    Raises DuplicateDestinationError.
    """
    columns = INSERTED_COLUMNS + (("priority",) if values.priority else ())
    with serialized_writes("dispatcher"), connection.cursor() as cursor:
        _refuse_duplicate(values, None)
        cursor.execute(
            f"INSERT INTO dispatcher ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",  # noqa: S608 - our own column names
            [getattr(values, column) for column in columns],
        )
        destination_id = int(cursor.lastrowid)
        record(actor, "add", subject(destination_id, values), after=for_audit(values), reason=reason)
    return destination_id


def update(
    destination_id: int, seen: DestinationRow, wanted: DestinationRow, actor: Actor, reason: str = ""
) -> DestinationRow:
    """Write the columns in which `wanted` differs from `seen`, if the row still holds what was seen.

    `seen` is the row as its editor saw it. The identity (set and URI) is guarded along with the changed
    columns: a weight typed for one gateway is never given to another. A row that has a twin already may keep
    it, and is edited like any other. Returns the row as it stands then.
    Raises DestinationGoneError, ChangedMeanwhileError or DuplicateDestinationError.
    """
    changes = {
        field.name: getattr(wanted, field.name)
        for field in fields(DestinationRow)
        if field.compare and getattr(wanted, field.name) != getattr(seen, field.name)
    }
    if not changes:
        return seen
    guards = {name: getattr(seen, name) for name in (*_IDENTITY_COLUMNS, *changes)}
    with serialized_writes("dispatcher"):
        before = _locked(destination_id)
        if wanted.setid != seen.setid or not same_uri(wanted.destination, seen.destination):
            _refuse_duplicate(wanted, destination_id)
        if not update_guarded("dispatcher", destination_id, changes, guards, _TEXT_COLUMNS):
            raise ChangedMeanwhileError(before)
        after = replace(before, **changes)
        record(
            actor,
            "edit",
            subject(destination_id, after),
            before=for_audit(before),
            after=for_audit(after),
            reason=reason,
        )
    return after


def delete(destination_id: int, seen: DestinationRow, actor: Actor, reason: str = "") -> None:
    """Delete the row if it still is what was seen, but for `state`, which the proxies write themselves.

    Raises DestinationGoneError or ChangedMeanwhileError.
    """
    with serialized_writes("dispatcher"), connection.cursor() as cursor:
        before = _locked(destination_id)
        if replace(before, state=seen.state) != seen:
            raise ChangedMeanwhileError(before)
        cursor.execute("DELETE FROM dispatcher WHERE id = %s", [destination_id])
        record(actor, "delete", subject(destination_id, before), before=for_audit(before), reason=reason)


def name_set(setid: int, name: str, actor: Actor, original: str | None = None) -> None:
    """Give the set a name, or take it away where `name` is empty.

    `original` is the form's edit token. Raises StaleFormError.
    """
    subject_of_set = Subject("set", str(setid), f"set {setid}")
    with serialized_writes("efcp_set"):
        stored = named_set(setid)
        require_current(original, stored, subject_of_set)
        former = stored.name
        if former == name:
            return
        if name:
            DestinationSet.objects.update_or_create(setid=setid, defaults={"name": name})
        else:
            DestinationSet.objects.filter(setid=setid).delete()
        record(
            actor,
            "name",
            subject_of_set,
            before={"name": former},
            after={"name": name},
        )


def _refuse_duplicate(values: DestinationRow, own_id: int | None) -> None:
    other = same_destination(values.setid, values.destination, own_id)
    if other is not None:
        raise DuplicateDestinationError(other)


def _locked(destination_id: int) -> DestinationRow:
    row = Destination.objects.select_for_update().filter(pk=destination_id).first()
    if row is None:
        raise DestinationGoneError
    return DestinationRow.of(row)
