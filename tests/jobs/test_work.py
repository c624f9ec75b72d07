"""`manage.py work`, as a process of its own on a database of its own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django_tasks_db.models import DBTaskResult

from efcp.configuration import PROJECT_DIR
from tests.database.conftest import Schema
from tests.launch.panel import ENDS_WITHIN_S, STARTS_WITHIN_S, until

pytestmark = pytest.mark.long
CLEANUPS_DONE = (
    f"SELECT COUNT(*) FROM {DBTaskResult._meta.db_table}"  # noqa: S608 - a table's own name
    " WHERE status = 'SUCCESSFUL' AND task_path LIKE %s"
)


@contextmanager
def worker(schema: Schema) -> Iterator[subprocess.Popen[str]]:
    """Run the worker on a prepared database; kill it at the end if it still runs."""
    assert schema.manage("prepare").returncode == 0
    process = subprocess.Popen(
        [sys.executable, "manage.py", "work"],
        cwd=PROJECT_DIR,
        env=schema.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_the_worker_keeps_house_at_its_first_start_and_ends_on_sigterm(schema: Schema) -> None:
    with worker(schema) as process:
        kept = until(lambda: schema.rows(CLEANUPS_DONE, "%run_cleanup") == [(1,)], STARTS_WITHIN_S)
        process.send_signal(signal.SIGTERM)
        output, _nothing = process.communicate(timeout=ENDS_WITHIN_S)
    assert kept, output
    assert (process.returncode, output) == (0, "")
