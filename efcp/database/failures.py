"""Why the database refused or lost a statement, in words for people.

Codes are MariaDB's and MySQL's (mysqld_error.h, errmsg.h); SQLite has the kind in its text.
"""

from enum import Enum

from django.db import Error

_MYSQL_CODES = {
    "BUSY": {1205, 1213},
    "FULL": {1021, 1030, 1114},
    "READ_ONLY": {1290, 1792, 1836},
    "NOT_PERMITTED": {1044, 1045, 1142, 1143, 1227},
    "TOO_SLOW": {1317, 1969, 3024},
    "STALLED": {2013},
    "AWAY": {1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2005, 2006, 2012}
    | {2055, 4031},
}
_SQLITE_TEXTS = {
    "database is locked": "BUSY",
    "database table is locked": "BUSY",
    "database or disk is full": "FULL",
    "readonly database": "READ_ONLY",
    "unable to open database file": "AWAY",
}


class DatabaseFailure(Enum):
    """The kinds of failure that a user can do something about, with a title and a sentence for each."""

    BUSY = (
        "The database is busy",
        "Another user is writing to the same rows. Try again in a moment.",
    )
    FULL = (
        "The database is full",
        "Its disk is full or it reached its size limit. Ask an administrator to free space.",
    )
    READ_ONLY = (
        "The database is read-only",
        "It responds but rejects writes at the moment.",
    )
    NOT_PERMITTED = (
        "The database denied access",
        "The panel's database user lacks a required privilege.",
    )
    TOO_SLOW = (
        "The database is too slow",
        "A query was cancelled because it exceeded the time limit for a page.",
    )
    STALLED = (
        "The database is too slow",
        "It did not respond within a few seconds, or the connection was lost.",
    )
    AWAY = (
        "The database is not responding",
        "The connection failed or was lost.",
    )
    OTHER = (
        "The database reported an error",
        "See the panel log for details.",
    )

    @property
    def title(self) -> str:
        """What is wrong, as a heading."""
        return self.value[0]

    @property
    def text(self) -> str:
        """One or two sentences about it."""
        return self.value[1]

    @property
    def may_be_committed(self) -> bool:
        """Whether a transaction may have been committed although this came back for it."""
        return self in {DatabaseFailure.STALLED, DatabaseFailure.AWAY, DatabaseFailure.OTHER}

    @classmethod
    def of(cls, error: Error) -> "DatabaseFailure":
        """The kind that `error` is of, by its code or by SQLite's text."""
        code = error.args[0] if error.args else ""
        if isinstance(code, int):
            return next((cls[name] for name, codes in _MYSQL_CODES.items() if code in codes), cls.OTHER)
        text = str(code).lower()
        return next((cls[name] for part, name in _SQLITE_TEXTS.items() if part in text), cls.OTHER)
