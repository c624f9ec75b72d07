"""`python -m tests.run [pytest's options]`: every test on SQLite, beside it the database's on MariaDB.

The runs on MariaDB, whose output follows at the end, are against servers that are started here
(tests/mariadb.py): one for each half of the tests. The second one's schemas are latin1, as OpenSIPS's users
often have them, for what stores text in OpenSIPS's tables. Tests wait for
processes, browsers and commits for a third of their time: beside each other the runs end in two thirds of it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from tests import mariadb
from tests.environment import without_settings

_ON_LATIN1 = ("tests/dispatcher", "tests/dialplan", "tests/proxies", "tests/test_hostile_requests.py")
RUNS = (
    ("utf8mb4", ["--database-only", *(f"--ignore={path}" for path in _ON_LATIN1)]),
    ("latin1", ["--database-only", *_ON_LATIN1]),
)
NOTHING_SELECTED = 5
"""pytest's exit code where a part that was named has no tests for one of the runs."""

ENDS_WITHIN_S = 60.0
_CORES = len(os.sched_getaffinity(0))
_WORKERS = {"SQLite": max(1, 3 * _CORES // 2)}
"""More workers than cores where browsers and processes are waited for; one for each core elsewhere."""


class Run:
    """The pytest processes of this run: started one by one, or beside each other; all are ended with it."""

    def __init__(self, options: list[str]) -> None:
        self._options = options
        self._running: list[subprocess.Popen[bytes]] = []
        self._is_over = False

    def on_sqlite(self) -> int:
        """Run every test; its output is shown as it comes. Return the exit code."""
        return self._pytest("SQLite", [], {}, None)

    def on_mariadb(self, output: IO[bytes]) -> list[int]:
        """Run what touches the database on each kind of server; its output goes to the file."""
        codes = []
        for charset, selection in RUNS:
            with mariadb.running(charset) as server:
                environment = {
                    "DATABASE_URL": server.url("efcp"),
                    "EFCP_SECRET_KEY": "a key for tests only, which no site must ever use",
                    "EFCP_TESTS_MARIADB_FOLDER": str(server.folder),
                }
                codes.append(self._pytest(f"MariaDB, {charset}", selection, environment, output))
        return codes

    def end(self) -> None:
        """Let every pytest end what its tests started, and start no other."""
        self._is_over = True
        for pytest in self._running:
            # Ctrl-C reaches pytest from the terminal, SIGTERM does not.
            pytest.send_signal(signal.SIGINT)
        for pytest in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.wait(ENDS_WITHIN_S)
            pytest.kill()

    def _pytest(
        self, name: str, selection: list[str], environment: dict[str, str], output: IO[bytes] | None
    ) -> int:
        if self._is_over:
            return 1
        title = f"\n== {name} ==\n"
        if output is None:
            sys.stdout.write(title)
            sys.stdout.flush()
        else:
            output.write(title.encode())
            output.flush()
        command = [sys.executable, "-m", "pytest", *selection, *self._options]
        kept = without_settings()
        kept["PYTEST_XDIST_AUTO_NUM_WORKERS"] = str(_WORKERS.get(name, _CORES))
        pytest = subprocess.Popen(command, env=kept | environment, stdout=output, stderr=output)
        self._running.append(pytest)
        code = pytest.wait()
        return 0 if code == NOTHING_SELECTED and self._options else code


def main() -> int:
    """Run all; the first exit code that is not 0, once every run has ended."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # A shell has what it starts in the background ignore SIGINT, and pytest would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run = Run(sys.argv[1:])
    with tempfile.TemporaryFile() as output, ThreadPoolExecutor(1) as pool:
        try:
            on_mariadb = pool.submit(run.on_mariadb, output)
            codes = [run.on_sqlite(), *on_mariadb.result()]
        except BaseException:
            run.end()
            raise
        finally:
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
