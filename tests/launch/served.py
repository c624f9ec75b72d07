"""The panel's server alone, as `manage.py run` starts it, on a database of its own."""

import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from efcp.configuration import PROJECT_DIR
from tests.environment import without_settings
from tests.launch.panel import free_port

PASSWORD = "a-long-enough-one"
STARTS_WITHIN_S = 240.0
ENDS_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its port, its process, and where it writes what it has to say."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def origin(self) -> str:
        """What its addresses begin with."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def served(folder: Path, **settings: str) -> Iterator[Served]:
    """Prepare the database, in `folder` unless the settings name one, and serve the panel; end it."""
    port = free_port()
    environment = without_settings() | {
        "EFCP_DATA_DIR": str(folder / "var"),
        "EFCP_PORT": str(port),
        "EFCP_ADMIN_PASSWORD": PASSWORD,
        "EFCP_SANDBOX": "0",
        **settings,
    }
    subprocess.run([sys.executable, "manage.py", "prepare"], cwd=PROJECT_DIR, env=environment, check=True)
    log = folder / "server.log"
    command = [sys.executable, "-m", "gunicorn", "--config", "efcp/launch/gunicorn_config.py", "efcp.asgi"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT_DIR, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    server = Served(port, process, log)
    try:
        _wait_for(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(server: Served) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{server.origin}/cp/healthz", timeout=2).close()  # noqa: S310 - loopback
            return
        time.sleep(0.1)
    raise AssertionError(server.log.read_text(errors="replace"))
