"""The database wrapper that Django loads for ENGINE `efcp.database.mysql`.

OpenSIPS's users often have a latin1 schema, and the panel's tables stand beside OpenSIPS's. The schema's
default may not be altered, so each CREATE TABLE of the panel names its own character set. The collation is
binary, so that two URIs which differ only by an accent or by case are two, as they are to SQLite.
"""

from typing import Final

from django.db.backends.mysql import base, operations, schema

SEARCHES: Final = frozenset({"contains", "icontains"})


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Creates the panel's tables as utf8mb4."""

    sql_create_table = (
        "CREATE TABLE %(table)s (%(definition)s)"
        " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )


class DatabaseOperations(operations.DatabaseOperations):
    """Searches any column for any text."""

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        """The left side of a lookup.

        MariaDB refuses to search a latin1 column for a character that latin1 lacks, so that the column is
        read as utf8mb4. No index is lost: a search within texts uses none.
        """
        cast: str = super().lookup_cast(lookup_type, internal_type)
        return f"CONVERT({cast} USING utf8mb4)" if lookup_type in SEARCHES else cast


class DatabaseWrapper(base.DatabaseWrapper):
    """The MySQL connection of the panel."""

    SchemaEditorClass = DatabaseSchemaEditor
    ops_class = DatabaseOperations
