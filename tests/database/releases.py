"""OpenSIPS's tables as its releases create them (scripts/mysql and scripts/sqlite, *-create.sql)."""

from django.db.backends.base.base import BaseDatabaseWrapper

KEY = {
    "mysql": "INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL",
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
}
OPTIONAL_TEXT = {"3.4": "DEFAULT '' NOT NULL", "4.0": "DEFAULT NULL"}
"""How a release declares dispatcher's attrs and description."""

DISPATCHER_COLUMNS = (
    ("id", "int(10) unsigned", "NO", None, "auto_increment"),
    ("setid", "int(11)", "NO", "0", ""),
    ("destination", "char(192)", "NO", "''", ""),
    ("socket", "char(128)", "YES", "NULL", ""),
    ("state", "int(11)", "NO", "0", ""),
    ("probe_mode", "int(11) unsigned", "NO", "0", ""),
    ("weight", "char(64)", "NO", "'1'", ""),
    ("priority", "int(11)", "NO", "0", ""),
    ("attrs", "char(128)", "YES", "NULL", ""),
    ("description", "char(64)", "YES", "NULL", ""),
)
"""information_schema's name, type, nullability, default and extra, read of a MariaDB 10.11 that had run
OpenSIPS 4.0.1's own scripts; likewise below."""

DIALPLAN_COLUMNS = (
    ("id", "int(10) unsigned", "NO", None, "auto_increment"),
    ("dpid", "int(11)", "NO", None, ""),
    ("pr", "int(11)", "NO", "0", ""),
    ("match_op", "int(11)", "NO", None, ""),
    ("match_exp", "char(64)", "NO", None, ""),
    ("match_flags", "int(11)", "NO", "0", ""),
    ("subst_exp", "char(64)", "YES", "NULL", ""),
    ("repl_exp", "char(32)", "YES", "NULL", ""),
    ("timerec", "char(255)", "YES", "NULL", ""),
    ("disabled", "int(11)", "NO", "0", ""),
    ("attrs", "char(255)", "YES", "NULL", ""),
)

VERSION_COLUMNS = (
    ("table_name", "char(32)", "NO", None, ""),
    ("table_version", "int(10) unsigned", "NO", "0", ""),
)


def dispatcher(connection: BaseDatabaseWrapper, release: str) -> str:
    """The statement that creates `dispatcher` as `release` ("3.4" or "4.0") does."""
    unsigned = " UNSIGNED" if connection.vendor == "mysql" else ""
    text = OPTIONAL_TEXT[release]
    return (
        f"CREATE TABLE dispatcher (id {KEY[connection.vendor]}, setid INT DEFAULT 0 NOT NULL,"
        " destination CHAR(192) DEFAULT '' NOT NULL, socket CHAR(128) DEFAULT NULL,"
        f" state INT DEFAULT 0 NOT NULL, probe_mode INT{unsigned} DEFAULT 0 NOT NULL,"
        " weight CHAR(64) DEFAULT 1 NOT NULL, priority INT DEFAULT 0 NOT NULL,"
        f" attrs CHAR(128) {text}, description CHAR(64) {text})"
    )


def version(connection: BaseDatabaseWrapper) -> str:
    """The statement that creates `version`, the same in all releases."""
    unsigned = " UNSIGNED" if connection.vendor == "mysql" else ""
    return (
        f"CREATE TABLE version (table_name CHAR(32) NOT NULL, table_version INT{unsigned} DEFAULT 0 NOT NULL,"
        " CONSTRAINT t_name_idx UNIQUE (table_name))"
    )
