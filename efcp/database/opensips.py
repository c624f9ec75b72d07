"""OpenSIPS's own tables: adopted as they are where they exist, created as OpenSIPS does where not.

The DDL and the version numbers are those of scripts/mysql and scripts/sqlite of OpenSIPS 3.6 and 4.0
(`dispatcher` 9, `dialplan` 5); 3.4 differs only in that dispatcher's `attrs` and `description` are NOT NULL.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VERSION_TABLE_DDL = {
    "mysql": (
        "CREATE TABLE version (table_name CHAR(32) NOT NULL, table_version INT UNSIGNED DEFAULT 0 NOT NULL,"
        " CONSTRAINT t_name_idx UNIQUE (table_name)) ENGINE=InnoDB"
    ),
    "sqlite": (
        "CREATE TABLE version (table_name CHAR(32) NOT NULL, table_version INTEGER DEFAULT 0 NOT NULL,"
        " CONSTRAINT version_t_name_idx UNIQUE (table_name))"
    ),
}


class UnusableTableError(Exception):
    """A table of OpenSIPS's that the panel can't work on; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class OpenSIPSTable:
    """A table of OpenSIPS's: its name, the version that the panel knows, and how OpenSIPS creates it.

    `ddl` is keyed by the database's vendor ("mysql", "sqlite"); `releases` are the OpenSIPS releases that
    have which version of the table.
    """

    name: str
    version: int
    releases: dict[int, str]
    ddl: dict[str, str]


_known_tables: dict[str, OpenSIPSTable] = {}


def register(table: OpenSIPSTable) -> None:
    """Register `table` to be verified at start (called by its app's ready())."""
    _known_tables[table.name] = table


def adopt_or_create(
    table: OpenSIPSTable,
) -> Callable[[object, BaseDatabaseSchemaEditor], None]:
    """A migration's step that creates `table` and its version row where absent, else leaves it unaltered."""

    def step(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
        connection = editor.connection
        present = set(connection.introspection.table_names())
        if table.name in present:
            verify_version(connection, table)
            return
        with connection.cursor() as cursor:
            if "version" not in present:
                cursor.execute(VERSION_TABLE_DDL[connection.vendor])
            cursor.execute(table.ddl[connection.vendor])
            cursor.execute("DELETE FROM version WHERE table_name = %s", [table.name])
            cursor.execute(
                "INSERT INTO version (table_name, table_version) VALUES (%s, %s)", [table.name, table.version]
            )

    return step


def verify_version(connection: BaseDatabaseWrapper, table: OpenSIPSTable) -> None:
    """Raise UnusableTableError where `table`'s version row is missing or has another version."""
    needed = f"this panel needs version {table.version} (OpenSIPS {table.releases[table.version]})"
    present = set(connection.introspection.table_names())
    if table.name not in present:
        raise UnusableTableError(f"The table {table.name} does not exist: run `manage.py migrate`.")
    found = None
    if "version" in present:
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_version FROM version WHERE table_name = %s", [table.name])
            found = cursor.fetchone()
    if found is None:
        raise UnusableTableError(f"The table {table.name} has no row in the table version; {needed}.")
    if found[0] != table.version:
        release = table.releases.get(found[0])
        of_release = f" (OpenSIPS {release})" if release else ""
        raise UnusableTableError(f"The table {table.name} has version {found[0]}{of_release}; {needed}.")


def _statements_without_effect(table: str) -> Iterator[tuple[str, str]]:
    """Statements that need a right on `table` and touch no row, by the right's name."""
    yield "SELECT", f"SELECT 1 FROM {table} WHERE 1 = 0"  # noqa: S608 - names of our own registry
    yield "INSERT", f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0"  # noqa: S608
    yield "UPDATE", f"UPDATE {table} SET id = id WHERE 1 = 0"  # noqa: S608
    yield "DELETE", f"DELETE FROM {table} WHERE 1 = 0"  # noqa: S608


def verify_rights(connection: BaseDatabaseWrapper, table: str) -> None:
    """Raise UnusableTableError for a right that the database user lacks on `table`; touches no row."""
    for right, statement in _statements_without_effect(table):
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(statement)
        except DatabaseError as error:
            raise UnusableTableError(
                f"The database user lacks the right {right} on the table {table}: {error.args[-1]}"
            ) from error


def verify_all(alias: str = "default") -> None:
    """Verify every registered table: version first, then the database user's rights on it."""
    connection = connections[alias]
    for table in _known_tables.values():
        verify_version(connection, table)
        verify_rights(connection, table.name)
