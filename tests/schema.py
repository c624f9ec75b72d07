"""`python -m tests.schema [PART]`: schemathesis against every operation of the API, on SQLite and on MariaDB.

SCHEMATHESIS_CASES in the environment is the number of cases for each operation; PART limits them to
operations whose name or path has it.
"""

import os
import subprocess
import sys

from tests import mariadb
from tests.environment import without_settings

TESTS = "tests/api/test_description.py"
KEY = {"EFCP_SECRET_KEY": "a key for tests only, which no site must ever use"}


def main(part: str = "") -> int:
    """Run both; the first exit code that is not 0."""
    cases = {"SCHEMATHESIS_CASES": os.environ.get("SCHEMATHESIS_CASES", "2000")}
    command = [sys.executable, "-m", "pytest", TESTS, "-q", *(["-k", part] if part else [])]
    sqlite = subprocess.run(command, check=False, env=without_settings() | KEY | cases).returncode
    with mariadb.running("utf8mb4") as server:
        database = {"DATABASE_URL": server.url("efcp"), "EFCP_TESTS_MARIADB_FOLDER": str(server.folder)}
        on_mariadb = subprocess.run(command, check=False, env=without_settings() | KEY | cases | database)
    return sqlite or on_mariadb.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
