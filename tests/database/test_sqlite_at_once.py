"""The trial's one file, written by everything at once."""

import os
import subprocess
import sys
from pathlib import Path

from efcp.configuration import PROJECT_DIR
from tests.environment import without_settings
from tests.launch.conftest import Start
from tests.launch.panel import PanelProcess

SECONDS = float(os.environ.get("EFCP_TESTS_SQLITE_SECONDS", "6"))
WRITERS = ("panel", "panel", "watcher", "worker", "sandbox")
RUNS = r"EFCP runs at"


def begin(panel: PanelProcess, kind: str) -> subprocess.Popen[str]:
    """Start a writer on the database of the running panel."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.database.writer", kind, str(SECONDS)],
        cwd=PROJECT_DIR,
        env=without_settings() | {"EFCP_DATA_DIR": str(panel.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_panel_watcher_worker_and_sandbox_write_at_once_without_a_lock_error(
    start: Start, tmp_path: Path
) -> None:
    panel = start(EFCP_SANDBOX_PING_INTERVAL="1")
    panel.wait_for_line(RUNS)
    writers = [begin(panel, kind) for kind in WRITERS]
    outputs = [writer.communicate(timeout=SECONDS + 60)[0] for writer in writers]
    panel.end()
    assert [writer.returncode for writer in writers] == [0] * len(WRITERS), "\n".join(outputs)
    assert all(int(turns) >= SECONDS for turns in outputs), dict(zip(WRITERS, outputs, strict=True))
    assert "locked" not in panel.output, panel.output
