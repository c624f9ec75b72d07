"""Many rows of one table as one change: what differs from the table, and writing all of it or nothing.

Imports, edits of several rows and the desired state of the API compare by `difference` and write by
`write_all`.
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from django.db import connection, transaction

from efcp.audit.services import Actor, AuditEntry, record_all
from efcp.editing.repository import Repository, serialized_writes, update_guarded
from efcp.editing.table import RowT, Table

ROWS_AT_ONCE = 500
MAX_CONFLICTS = 100
"""Conflicts of one batch that are listed; the others are only counted."""

Item = TypeVar("Item")


class ChangeKind(StrEnum):
    """What a change does to its row."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class RowChange(Generic[RowT]):
    """One row before and after; `before` is None where it is new, `after` is None where it is deleted.

    A stored row has its id, in `after` too. A row that is added gets a new one, whatever it has.
    """

    before: RowT | None
    after: RowT | None

    @property
    def kind(self) -> ChangeKind:
        """What it does to the row."""
        if self.before is None:
            return ChangeKind.NEW
        if self.after is None:
            return ChangeKind.GONE
        return ChangeKind.SAME if self.before == self.after else ChangeKind.CHANGED

    @property
    def row(self) -> RowT:
        """The row that people know it by: as it is afterwards, if it is there then."""
        row = self.after if self.after is not None else self.before
        if row is None:
            raise ValueError("A change has a row.")
        return row

    def reversed(self) -> "RowChange[RowT]":
        """What undoes it."""
        return RowChange(self.after, self.before)


def difference(
    table: Table[RowT],
    stored: Iterable[RowT],
    desired: Iterable[RowT],
    *,
    by_id: bool = False,
    delete_missing: bool = False,
) -> list[RowChange[RowT]]:
    """What makes `desired` of the `stored` rows: a change for each desired row, in their order.

    Rows are matched by what identifies them in the table. With `by_id` a desired row whose id is stored is
    that row. Of several that match, an equal one goes first, then the lowest id. With `delete_missing` the
    stored rows that no desired one matches follow, to be deleted.
    """
    left = _StoredRows(table, stored)
    rows = list(desired)
    matched: list[RowT | None] = [None] * len(rows)
    for find in (*((left.take_id,) if by_id else ()), left.take_equal, left.take_match):
        for index, row in enumerate(rows):
            if matched[index] is None:
                matched[index] = find(row)
    changes = [
        RowChange(found, row if found is None else replace(row, id=found.id))
        for found, row in zip(matched, rows, strict=True)
    ]
    return changes + [RowChange(row, None) for row in left.remaining()] if delete_missing else changes


class _StoredRows(Generic[RowT]):
    """The stored rows that no desired row has taken yet."""

    def __init__(self, table: Table[RowT], stored: Iterable[RowT]) -> None:
        self._table = table
        self._by_id = {row.id: row for row in stored}
        self._by_values: dict[Hashable, deque[int | None]] = defaultdict(deque)
        self._by_key: dict[Hashable, deque[int | None]] = defaultdict(deque)
        for row_id in sorted(self._by_id, key=lambda each: each or 0):
            row = self._by_id[row_id]
            self._by_values[table.values(row)].append(row_id)
            self._by_key[table.match_key(row)].append(row_id)

    def take_id(self, row: RowT) -> RowT | None:
        """The row of the same id."""
        return self._by_id.pop(row.id, None) if row.id is not None else None

    def take_equal(self, row: RowT) -> RowT | None:
        """A row of the same values."""
        return self._first(self._by_values.get(self._table.values(row)))

    def take_match(self, row: RowT) -> RowT | None:
        """A row that is identified alike."""
        return self._first(self._by_key.get(self._table.match_key(row)))

    def _first(self, ids: "deque[int | None] | None") -> RowT | None:
        while ids:
            found = self._by_id.pop(ids.popleft(), None)
            if found is not None:
                return found
        return None

    def remaining(self) -> Iterable[RowT]:
        """The rows that were not taken."""
        return self._by_id.values()


@dataclass(frozen=True, slots=True)
class BatchConflict(Generic[RowT]):
    """Why a batch is refused: the place of a change in it, from 0, what it is, and the row as it is now.

    `column` is where the text belongs, empty where it is about the whole row.
    """

    index: int
    change: RowChange[RowT]
    text: str
    column: str = ""
    current: RowT | None = None


class BatchRefusedError(Exception):
    """Nothing was written: some rows were changed meanwhile, or the table must not hold them."""

    def __init__(self, conflicts: Sequence[BatchConflict[Any]]) -> None:
        super().__init__(f"{len(conflicts)} rows are in conflict")
        self.count = len(conflicts)
        self.conflicts = tuple(conflicts[:MAX_CONFLICTS])


def write_all(
    repository: Repository[RowT], changes: Sequence[RowChange[RowT]], actor: Actor, reason: str = ""
) -> list[RowT | None]:
    """Write all changes in one transaction, each with its audit record; returns each row as it is then.

    Each row must still be as its change has it before: the identity and the changed columns of one to edit,
    all but what proxies write of one to delete. Raises BatchRefusedError, with nothing written.
    """
    table = repository.table
    with serialized_writes(table.name):
        current = _locked_rows(table, changes)
        conflicts = [*_outdated(table, changes, current), *twins(repository, changes)]
        if conflicts:
            raise BatchRefusedError(sorted(conflicts, key=lambda each: each.index))
        written = _BatchWriter(table, current)
        for kind in (ChangeKind.GONE, ChangeKind.CHANGED, ChangeKind.NEW):
            for index, change in enumerate(changes):
                if change.kind is kind:
                    written.write(index, change)
        record_all(actor, written.entries(), reason)
    return [written.rows.get(index, change.after) for index, change in enumerate(changes)]


def _locked_rows(table: Table[RowT], changes: Iterable[RowChange[RowT]]) -> dict[int, RowT]:
    """The rows that are edited or deleted as they are now, locked until the transaction ends."""
    ids = sorted(
        change.before.id
        for change in changes
        if change.before is not None and change.before.id is not None and change.kind is not ChangeKind.SAME
    )
    manager = table.model._default_manager
    return {
        stored.pk: table.row.of(stored)
        for chunk in chunks(ids, ROWS_AT_ONCE)
        for stored in manager.select_for_update().filter(pk__in=chunk).order_by("pk")
    }


def outdated(
    repository: Repository[RowT], changes: Sequence[RowChange[RowT]]
) -> Iterator[BatchConflict[RowT]]:
    """The changes whose row is not as they have it before, by the table as it is now."""
    with transaction.atomic():
        current = _locked_rows(repository.table, changes)
    yield from _outdated(repository.table, changes, current)


def _outdated(
    table: Table[RowT], changes: Sequence[RowChange[RowT]], current: dict[int, RowT]
) -> Iterator[BatchConflict[RowT]]:
    """The changes whose row is not as they have it before."""
    for index, change in enumerate(changes):
        before, after = change.before, change.after
        if before is None or change.kind is ChangeKind.SAME:
            continue
        now = current.get(before.id or 0)
        if now is None:
            yield BatchConflict(index, change, f"{table.label(before)} was deleted meanwhile.")
            continue
        if after is None:
            differing = table.changes(before, now).keys() - table.proxies_write
        else:
            guards = table.guards(before, table.changes(before, after))
            differing = {name for name, value in guards.items() if getattr(now, name) != value}
        if differing:
            names = ", ".join(sorted(differing))
            text = f"{table.label(before)} was changed meanwhile ({names})."
            yield BatchConflict(index, change, text, current=now)


def twins(repository: Repository[RowT], changes: Sequence[RowChange[RowT]]) -> Iterator[BatchConflict[RowT]]:
    """The changes that would make a second row of what no two rows of the table may share.

    A row that has a twin already may keep it, as in the repository's own check of one row.
    """
    table = repository.table
    identify = table.identify
    if identify is None:
        return
    moved = {
        index: identify(change.after)
        for index, change in enumerate(changes)
        if change.after is not None
        and (change.before is None or identify(change.before) != identify(change.after))
    }
    if not moved:
        return
    rewritten = {each.before.id for each in changes if each.before is not None and each.after != each.before}
    groups = {getattr(changes[index].row, table.key) for index in moved}
    owners: dict[Hashable, int | None] = {}
    for row in stored_rows(table, groups):
        if row.id not in rewritten:
            owners.setdefault(identify(row), row.id)
    for index, change in enumerate(changes):
        if change.before is not None and change.after is not None and index not in moved:
            owners.setdefault(identify(change.after), change.before.id)
    for index, key in moved.items():
        if key in owners:
            refusal = repository.twin_of(owners[key])
            yield BatchConflict(index, changes[index], refusal.text, refusal.column)
        owners.setdefault(key, None)


def stored_rows(table: Table[RowT], groups: Iterable[int] | None = None) -> Iterator[RowT]:
    """The rows of these groups (sets, dialplans) by id; of the whole table without."""
    rows = table.model._default_manager.order_by("pk")
    if groups is None:
        yield from map(table.row.of, rows.iterator(ROWS_AT_ONCE))
        return
    for chunk in chunks(sorted(set(groups)), ROWS_AT_ONCE):
        yield from map(table.row.of, rows.filter(**{f"{table.key}__in": chunk}).iterator(ROWS_AT_ONCE))


def rows_after(stored: Iterable[RowT], changes: Iterable[RowChange[RowT]]) -> list[RowT]:
    """The stored rows as they are after the changes; added ones follow, without ids."""
    changes = list(changes)
    rewritten = {each.before.id: each.after for each in changes if each.before is not None}
    kept = [rewritten.get(row.id, row) for row in stored]
    added = [
        replace(each.after, id=None) for each in changes if each.before is None and each.after is not None
    ]
    return [row for row in (*kept, *added) if row is not None]


class _BatchWriter(Generic[RowT]):
    """Executes the statements of a batch, whose rows are locked and compared, and collects audit entries."""

    def __init__(self, table: Table[RowT], current: dict[int, RowT]) -> None:
        self._table = table
        self._current = current
        self._entries: dict[int, AuditEntry] = {}
        self.rows: dict[int, RowT] = {}

    def entries(self) -> list[AuditEntry]:
        """The audit entries in the order of the changes."""
        return [self._entries[index] for index in sorted(self._entries)]

    def write(self, index: int, change: RowChange[RowT]) -> None:
        """Execute one change."""
        if change.after is None:
            self._delete(index, self._current[change.row.id or 0])
        elif change.before is None:
            self._insert(index, change.after)
        else:
            self._update(index, change.before, change.after)

    def _delete(self, index: int, before: RowT) -> None:
        table = self._table
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table.name} WHERE id = %s", [before.id])  # noqa: S608 - our own words
        subject = table.subject(before.id or 0, before)
        self._entries[index] = AuditEntry("delete", subject, before=table.masked(before))

    def _update(self, index: int, original: RowT, edited: RowT) -> None:
        table, row_id = self._table, original.id or 0
        changes = table.changes(original, edited)
        guards = table.guards(original, changes)
        if not update_guarded(table.name, row_id, changes, guards, table.text_columns):
            raise BatchRefusedError(
                [BatchConflict(index, RowChange(original, edited), f"{table.label(original)} was changed.")]
            )
        before = self._current[row_id]
        after = self.rows[index] = replace(before, **changes)
        self._entries[index] = AuditEntry(
            "edit", table.subject(row_id, after), before=table.masked(before), after=table.masked(after)
        )

    def _insert(self, index: int, row: RowT) -> None:
        table = self._table
        columns = table.inserted(row)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table.name} ({', '.join(columns)})"  # noqa: S608 - our own words
                f" VALUES ({', '.join(['%s'] * len(columns))})",
                list(columns.values()),
            )
            row_id = int(cursor.lastrowid)
        self.rows[index] = replace(row, id=row_id)
        self._entries[index] = AuditEntry("add", table.subject(row_id, row), after=table.masked(row))


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in parts of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
