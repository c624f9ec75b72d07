"""Writing a row of OpenSIPS's tables only where it still holds what its editor saw."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction

from efcp.proxies.locking import is_lost_lock


class TableBusyError(OperationalError):
    """Another transaction kept the table's lock for too long. Nothing was written; it can be tried again."""


@contextmanager
def serialized_writes(table: str) -> Iterator[None]:
    """One transaction that may read and write `table` while no other writer of the panel does.

    OpenSIPS's tables have no unique key that could refuse the second of two equal rows. The lock is a row of
    the panel's own (TableLock): it ends with the transaction, whatever becomes of the connection. Raises
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
    """Write `changes` where the row still holds `guards`; tell whether it did.

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
