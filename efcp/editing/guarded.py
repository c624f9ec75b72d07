"""Writing a row of OpenSIPS's tables only where it still holds what its editor saw."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def only_writer(table: str) -> Iterator[None]:
    """Let one writer of the panel at a time look at `table` and write to it.

    OpenSIPS's tables have no unique key that could refuse the second of two equal rows. On SQLite the
    immediate transactions already take turns.
    """
    if connection.vendor != "mysql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 10)", [f"efcp.{table}"])
        cursor.fetchone()
        try:
            yield
        finally:
            cursor.execute("SELECT RELEASE_LOCK(%s)", [f"efcp.{table}"])
            cursor.fetchone()


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
