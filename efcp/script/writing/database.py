"""A database URL as OpenSIPS takes it: which module serves it, and how it is shown without its password."""

import re
from dataclasses import dataclass

PLACEHOLDER = "PASSWORD"
"""Stands where a password was. To be replaced in the file that the proxy reads."""

_URL = re.compile(r"(?P<scheme>[a-z_]+)://\S+")
_DRIVERS = {"mysql": "db_mysql", "postgres": "db_postgres", "sqlite": "db_sqlite", "text": "db_text"}


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A URL that can be written. `driver` is the module that it needs."""

    text: str
    driver: str

    @property
    def password(self) -> str:
        """The password in it, "" where there is none."""
        login = self.text.rpartition("@")[0].partition("://")[2]
        return login.partition(":")[2]

    @property
    def masked(self) -> str:
        """The URL with PASSWORD in the place of its password; itself where it has none."""
        login, at, place = self.text.rpartition("@")
        scheme, _, user_and_password = login.partition("://")
        user, colon, _ = user_and_password.partition(":")
        return f"{scheme}://{user}:{PLACEHOLDER}@{place}" if at and colon else self.text


def database_url(text: str) -> DatabaseUrl | None:
    """The URL, or None where it is none that a module described here serves.

    What comes after the last @ is the place: a password may hold one itself.
    """
    match = _URL.fullmatch(text)
    driver = _DRIVERS.get(match["scheme"]) if match else None
    return DatabaseUrl(text, driver) if driver else None
