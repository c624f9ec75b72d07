"""A site to measure: MariaDB with a filled table, a proxy whose memory is known, the panel under gunicorn."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import mariadb
from tests.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-enough-one"
PER_SET = 20
END_WITHIN_S = 20.0


class QuickProxy(BaseHTTPRequestHandler):
    """An MI that answers each call at once, so that what is measured is the panel's own time."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer OK, whatever was asked."""
        request = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        request_id = request.partition(b'"id":')[2].partition(b",")[0].rstrip(b"}").strip() or b"1"
        body = b'{"jsonrpc":"2.0","result":"OK","id":' + request_id + b"}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


@dataclass(frozen=True, slots=True)
class Site:
    """The running panel's origin and the settings under which its commands run.

    Beside it stands the yardstick (bare.py) with a session's key.
    """

    origin: str
    environment: dict[str, str]
    yardstick: str
    yardstick_session: str


@contextlib.contextmanager
def running_site() -> Iterator[Site]:
    """Start MariaDB, a quick MI and the panel; end all in any case."""
    with (
        mariadb.running() as server,
        TemporaryDirectory(prefix="efcp-bench-") as folder,
        _quick_proxy() as mi_port,
    ):
        _create_schemas(server, "bench", "bare")
        environment = {
            **os.environ,
            "DATABASE_URL": server.url("bench"),
            "EFCP_SECRET_KEY": "a key for benchmarks only, never for a site",
            "EFCP_ADMIN_PASSWORD": PASSWORD,
            "EFCP_DATA_DIR": folder,
            "EFCP_SANDBOX": "0",
            "EFCP_BENCH_MI_PORT": str(mi_port),
        }
        bare = {**environment, "DATABASE_URL": server.url("bare")}
        subprocess.run([sys.executable, "manage.py", "prepare"], cwd=PROJECT, env=environment, check=True)
        session = _output_of(["-m", "tests.bench.bare"], bare)
        with (
            _served("efcp.asgi", environment, "/cp/healthz") as origin,
            _served("tests.bench.bare", bare, "/") as yardstick,
        ):
            yield Site(origin, environment, yardstick, session)


@contextlib.contextmanager
def _served(module: str, environment: dict[str, str], sign_of_life: str) -> Iterator[str]:
    """Serve the application of `module` as the panel is served; yield its origin."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "efcp/launch/gunicorn_config.py", module],
        cwd=PROJECT,
        env={**environment, "EFCP_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        origin = f"http://127.0.0.1:{port}"
        _wait_for(origin + sign_of_life)
        yield origin
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _output_of(arguments: list[str], environment: dict[str, str]) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def fill(site: Site, rows: int) -> None:
    """Put `rows` destinations into the table and into the memory of the proxy `edge-1`."""
    command = [sys.executable, "-m", "tests.bench.fill", str(rows)]
    subprocess.run(command, cwd=PROJECT, env=site.environment, check=True)


def _create_schemas(server: mariadb.Server, *names: str) -> None:
    client = ["mariadb", "-h127.0.0.1", f"-P{server.port}", f"-u{mariadb.USER}", f"-p{mariadb.PASSWORD}"]
    for name in names:
        subprocess.run([*client, "-e", f"CREATE DATABASE {name}"], check=True)


@contextlib.contextmanager
def _quick_proxy() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), QuickProxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _wait_for(url: str) -> None:
    for _attempt in range(300):
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} does not start.")
