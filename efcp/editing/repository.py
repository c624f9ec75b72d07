"""Writes to OpenSIPS's tables: one writer at a time, each UPDATE guarded by what its editor loaded."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Generic

from django.db import OperationalError, connection, transaction

from efcp.audit.services import Actor, record
from efcp.editing.table import MAX_INT, RowT, Table
from efcp.proxies.locking import is_lost_lock


class TableBusyError(OperationalError):
    """Another transaction kept the table's lock for too long. Nothing was written; it can be repeated."""


@contextmanager
def serialized_writes(table: str) -> Iterator[None]:
    """One transaction that may read and write `table` while no other writer of the panel does.

    OpenSIPS's tables have no unique key that could refuse the second of two equal rows. The lock is a row of
    the panel's own (TableLock): it ends with the transaction, even if the connection breaks. Raises
    TableBusyError where it can't be had.
    """
    with transaction.atomic():
        try:
            _count_write(table)
        except OperationalError as error:
            if is_lost_lock(error):
                raise TableBusyError(*error.args) from error
            raise
        yield


def _count_write(table: str) -> None:
    """Lock the row of `table` for this transaction, and make it where it is absent."""
    if connection.vendor == "mysql":
        otherwise = "ON DUPLICATE KEY UPDATE writes = writes + 1"
    else:
        otherwise = "ON CONFLICT (name) DO UPDATE SET writes = writes + 1"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO efcp_table_lock (name, writes) VALUES (%s, 1) {otherwise}", [table])  # noqa: S608 - our own words


def update_guarded(
    table: str,
    row_id: int,
    changes: Mapping[str, Any],
    guards: Mapping[str, Any],
    text_columns: Collection[str],
) -> bool:
    """Write `changes` if the row still holds `guards`; return whether it did.

    Table and columns are the panel's own words, never a user's.
    """
    assignments = ", ".join(f"{column} = %s" for column in changes)
    conditions = " AND ".join(_still_holds(column, column in text_columns) for column in guards)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {assignments} WHERE id = %s AND {conditions}",  # noqa: S608 - our own words
            [*changes.values(), row_id, *guards.values()],
        )
        return bool(cursor.rowcount == 1)


def _still_holds(column: str, is_text: bool) -> str:
    """The condition that `column` is exactly the parameter: by bytes, and NULL equal to NULL.

    MariaDB's `=` takes no notice of case and of spaces at the end; the column may be latin1.
    """
    if connection.vendor != "mysql":
        return f"{column} IS %s"
    if is_text:
        return f"BINARY CONVERT({column} USING utf8mb4) <=> BINARY %s"
    return f"{column} <=> %s"


class RowGoneError(Exception):
    """Somebody deleted the row; nothing was written."""


class RowRefusedError(Exception):
    """The table must not hold the row; nothing was written. `column` is where `text` belongs in the form."""

    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column
        self.text = text


class RowChangedError(Exception):
    """Somebody changed the columns concerned; nothing was written. `current` is the row as it is now."""

    def __init__(self, current: Any) -> None:
        super().__init__("the row was changed in the meantime")
        self.current = current


class Repository(Generic[RowT]):
    """Reads and writes rows of one table, each write with its audit record in one transaction.

    Raw SQL, because save() names every column: an INSERT names the columns of its Table, and an UPDATE
    only those that the user changed, because proxies write columns too.
    """

    def __init__(self, table: Table[RowT]) -> None:
        self.table = table

    def find(self, row_id: int) -> RowT | None:
        """The row of this id; None where there is none."""
        stored = self.table.model._default_manager.filter(pk=min(row_id, MAX_INT)).first()
        return None if stored is None else self.table.row.of(stored)

    def locked(self, row_id: int) -> RowT:
        """The row, locked until the transaction ends. Raises RowGoneError."""
        stored = self.table.model._default_manager.select_for_update().filter(pk=row_id).first()
        if stored is None:
            raise RowGoneError
        return self.table.row.of(stored)

    def refuse(self, edited: RowT, original: RowT | None) -> None:
        """Raise RowRefusedError where the table must not have `edited`; a module may override it.

        `original` is the row before the edit, None for a new one. Called under the writers' lock.
        """

    def twin_of(self, other_id: int | None) -> RowRefusedError:
        """Why a second row of what `other_id` is already is refused; None for one of the same batch."""
        raise NotImplementedError(f"Rows of {self.table.name} may be equal; other: {other_id}")

    def add(self, row: RowT, actor: Actor, reason: str = "") -> int:
        """Insert one row and return its id. Raises RowRefusedError."""
        table, columns = self.table, self.table.inserted(row)
        with serialized_writes(table.name), connection.cursor() as cursor:
            self.refuse(row, None)
            cursor.execute(
                f"INSERT INTO {table.name} ({', '.join(columns)})"  # noqa: S608 - our own words
                f" VALUES ({', '.join(['%s'] * len(columns))})",
                list(columns.values()),
            )
            row_id = int(cursor.lastrowid)
            record(actor, "add", table.subject(row_id, row), after=table.masked(row), reason=reason)
        return row_id

    def update(self, row_id: int, original: RowT, edited: RowT, actor: Actor, reason: str = "") -> RowT:
        """Write the columns in which `edited` differs from `original`, if the row still is `original`.

        `original` is the row as its editor loaded it. The identity is guarded along with the changed columns:
        a weight typed for one gateway is never given to another. Returns the row as it is then. Raises
        RowGoneError, RowChangedError or RowRefusedError.
        """
        table = self.table
        changes = table.changes(original, edited)
        if not changes:
            return original
        with serialized_writes(table.name):
            before = self.locked(row_id)
            self.refuse(edited, original)
            guards = table.guards(original, changes)
            if not update_guarded(table.name, row_id, changes, guards, table.text_columns):
                raise RowChangedError(before)
            after = replace(before, **changes)
            record(
                actor,
                "edit",
                table.subject(row_id, after),
                before=table.masked(before),
                after=table.masked(after),
                reason=reason,
            )
        return after

    def delete(self, row_id: int, original: RowT, actor: Actor, reason: str = "") -> None:
        """Delete the row if it is still `original`, but for columns that proxies write.

        Raises RowGoneError or RowChangedError.
        """
        table = self.table
        with serialized_writes(table.name), connection.cursor() as cursor:
            before = self.locked(row_id)
            if table.changes(original, before).keys() - table.proxies_write:
                raise RowChangedError(before)
            cursor.execute(f"DELETE FROM {table.name} WHERE id = %s", [row_id])  # noqa: S608 - our own words
            record(actor, "delete", table.subject(row_id, before), before=table.masked(before), reason=reason)
