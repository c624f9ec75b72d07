"""`python -m tests.run [pytest's options]`: every test, on SQLite, then what touches the database on MariaDB.

The second run is against a server that is started here (tests/mariadb.py), the third against one whose
schemas are latin1, as OpenSIPS's users often have them.
"""

import contextlib
import os
import signal
import subprocess
import sys

from tests import mariadb
from tests.environment import without_settings

_ON_LATIN1 = ("tests/dispatcher", "tests/dialplan", "tests/proxies", "tests/test_hostile_requests.py")
RUNS = (
    ("utf8mb4", ["--database-only"]),
    ("latin1", ["--database-only", *_ON_LATIN1]),
)

ENDS_WITHIN_S = 60.0
_CORES = len(os.sched_getaffinity(0))
_WORKERS = {"SQLite": 3 * _CORES // 2}
"""More workers than cores where browsers and processes are waited for; one for each core elsewhere."""


def main() -> int:
    """Run all; the first exit code that is not 0, once every run has ended."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # A shell has what it starts in the background ignore SIGINT, and pytest would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = sys.argv[1:]
    codes = [_pytest("SQLite", options, {})]
    for charset, selection in RUNS:
        with mariadb.running(charset) as server:
            environment = {
                "DATABASE_URL": server.url("efcp"),
                "EFCP_SECRET_KEY": "a key for tests only, which no site must ever use",
                "EFCP_TESTS_MARIADB_FOLDER": str(server.folder),
            }
            codes.append(_pytest(f"MariaDB, {charset}", [*selection, *options], environment))
    return next((code for code in codes if code), 0)


def _pytest(name: str, options: list[str], environment: dict[str, str]) -> int:
    sys.stdout.write(f"\n== {name} ==\n")
    sys.stdout.flush()
    kept = without_settings()
    kept["PYTEST_XDIST_AUTO_NUM_WORKERS"] = str(_WORKERS.get(name, _CORES))
    with subprocess.Popen([sys.executable, "-m", "pytest", *options], env=kept | environment) as pytest:
        try:
            return pytest.wait()
        except SystemExit:
            # Ctrl-C reaches pytest from the terminal, SIGTERM does not: let it end what its tests started.
            pytest.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.wait(ENDS_WITHIN_S)
            pytest.kill()
            raise


if __name__ == "__main__":
    sys.exit(main())
