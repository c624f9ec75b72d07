"""The environment of the processes that tests start, and the database that they begin with."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from efcp.configuration import PROJECT_DIR

DATABASE = "efcp.sqlite3"
"""The file of the trial's database in a data folder."""
SETTINGS = ("DATABASE_", "EFCP_")
"""How the names of the panel's settings begin."""


def without_settings() -> dict[str, str]:
    """This process's environment without the panel's settings: they might name a database that is in use."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}


@functools.cache
def migrated_database() -> bytes:
    """An SQLite database with all migrations applied, as a panel's first start leaves it (tests/launch)."""
    with tempfile.TemporaryDirectory(prefix="efcp-migrated-") as folder:
        command = [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity=0"]
        subprocess.run(
            command, cwd=PROJECT_DIR, env=without_settings() | {"EFCP_DATA_DIR": folder}, check=True
        )
        return Path(folder, DATABASE).read_bytes()
