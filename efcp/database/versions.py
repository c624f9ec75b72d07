"""Whether a table has changed since it was read, by MariaDB's own record of the last change to it.

Other hands write OpenSIPS's tables, so that no counter of the panel's own would do, and the tables have no
column that says when a row changed. MariaDB notes for each InnoDB table when the transaction began that
changed it last, in whole seconds, and forgets it when it restarts (information_schema.TABLES.UPDATE_TIME,
which its function trx_t::commit_tables sets). From that follow the rules here:

- A table whose last change is not known has no version. What was read of it is not kept.
- Neither has one that changed in the last seconds: a further change could bear the same second.
- What is kept counts for KEPT_FOR_S at most: a transaction that began in the very second of the last change
  known, and was committed long after it, would leave the version as it was.

MySQL answers from a cache of its own, and SQLite notes nothing: there no table has a version.
"""

from functools import cache

from django.db import connection
from django.db.models import TextField, Value
from django.db.models.expressions import BaseExpression, RawSQL

SETTLED_AFTER_S = 2
KEPT_FOR_S = 5.0

_VERSION = (
    "(SELECT CONCAT(t.CREATE_TIME, ' ', t.UPDATE_TIME) FROM information_schema.TABLES t"
    " WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = '{table}' AND t.ENGINE = 'InnoDB'"
    " AND GREATEST(t.CREATE_TIME, t.UPDATE_TIME) <= NOW() - INTERVAL {seconds} SECOND)"
)


def content_of(table: str, *columns: str) -> str:
    """SQL for a text that differs whenever a small table of the panel's own does, read as a whole."""
    values = [f"IFNULL(`{column}`, '-')" for column in columns]
    if connection.vendor == "sqlite":
        text = " || '|' || ".join(values)
        return f"(SELECT COUNT(*) || ' ' || IFNULL(group_concat({text}), '') FROM {table})"  # noqa: S608
    # Half of a digest for each row, in no order: GROUP_CONCAT cuts its text after 1 kB on MySQL.
    digest = f"CONV(LEFT(MD5(CONCAT_WS('|', {', '.join(values)})), 16), 16, 10)"
    return f"(SELECT CONCAT(COUNT(*), ' ', BIT_XOR(CAST({digest} AS UNSIGNED))) FROM {table})"  # noqa: S608


@cache
def version_of(*tables: str, beside: tuple[str, ...] = ()) -> BaseExpression:
    """An expression for a query: a text that differs whenever one of `tables` does; NULL where not known.

    `beside` are expressions in SQL whose values are part of it; one that is NULL makes it NULL.
    """
    if connection.vendor != "mysql" or not connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        return Value(None, output_field=TextField())
    parts = [_VERSION.format(table=table, seconds=SETTLED_AFTER_S) for table in tables]
    text = ", '|', ".join((*parts, *beside))
    return RawSQL(f"CONCAT({text})", (), TextField())  # noqa: S611 - names of our own tables
