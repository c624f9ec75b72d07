"""The database wrapper that Django loads for ENGINE `efcp.database.mysql`.

OpenSIPS's users often have a latin1 schema, and the panel's tables stand beside OpenSIPS's. The schema's
default may not be altered, so each CREATE TABLE of the panel names its own character set. The collation is
binary, so that two URIs which differ only by an accent or by case are two, as they are to SQLite.
"""

from django.db.backends.mysql import base, schema


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Creates the panel's tables as utf8mb4."""

    sql_create_table = (
        "CREATE TABLE %(table)s (%(definition)s)"
        " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )


class DatabaseWrapper(base.DatabaseWrapper):
    """The MySQL connection of the panel."""

    SchemaEditorClass = DatabaseSchemaEditor
