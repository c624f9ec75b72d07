"""An empty database of its own for each test that asks: a file, or a schema of the MariaDB server."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from efcp.configuration import PROJECT_DIR
from tests.environment import without_settings
from tests.launch.conftest import start as start

KEY = "k3yed-by-f0rty-eight-bytes/of+randomness-0f-0penssl-rand"


@dataclass(frozen=True, slots=True)
class Schema:
    """An empty database: how to reach it by a setting and by a connection, and the panel's data folder."""

    url: str
    connection: BaseDatabaseWrapper
    folder: Path

    def execute(self, *statements: str) -> None:
        """Run statements there."""
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Return what a query gives there."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())

    def manage(self, *command: str, url: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of the panel on this database, or by another `url` for it."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=PROJECT_DIR,
            env=self.environment(url),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def environment(self, url: str = "") -> dict[str, str]:
        """The environment of a process of the panel on this database."""
        return without_settings() | {
            "DATABASE_URL": url or self.url,
            "EFCP_SECRET_KEY": KEY,
            "EFCP_DATA_DIR": str(self.folder),
            "EFCP_ADMIN_PASSWORD": "first-and-long",
        }


@pytest.fixture
def schema(db: None, tmp_path: Path) -> Iterator[Schema]:
    """Return an empty database with the character set that the server gives new schemas."""
    yield from _schema(tmp_path, "")


@pytest.fixture
def latin1_schema(db: None, tmp_path: Path) -> Iterator[Schema]:
    """Return an empty latin1 schema."""
    yield from _schema(tmp_path, "CHARACTER SET latin1")


def _schema(folder: Path, charset: str) -> Iterator[Schema]:
    own = connection.copy()
    if connection.vendor == "sqlite":
        own.settings_dict["NAME"] = str(folder / "efcp.sqlite3")
        url = f"sqlite:///{folder / 'efcp.sqlite3'}"
        drop: Callable[[], object] = own.close
    else:
        name = f"efcp_{uuid.uuid4().hex[:12]}"
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} {charset}")
        own.settings_dict["NAME"] = name
        url = mysql_url(name, own.settings_dict["USER"], own.settings_dict["PASSWORD"])

        def drop() -> None:
            with own.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name}")
            own.close()

    try:
        yield Schema(url, own, folder / "var")
    finally:
        drop()


def mysql_url(name: str, user: str, password: str) -> str:
    """The setting DATABASE_URL for a schema of the tests' server."""
    given = connection.settings_dict
    return f"mysql://{user}:{password}@{given['HOST']}:{given['PORT']}/{name}"
