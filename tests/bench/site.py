"""A site to measure: MariaDB with a filled table, a proxy whose memory is known, the panel under gunicorn."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import mariadb

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
    """The running panel's origin, and the settings under which its commands run."""

    origin: str
    environment: dict[str, str]


@contextlib.contextmanager
def running_site() -> Iterator[Site]:
    """Start MariaDB, a quick MI and the panel; end all in any case."""
    with (
        mariadb.running() as server,
        TemporaryDirectory(prefix="efcp-bench-") as folder,
        _quick_proxy() as mi_port,
    ):
        port = _free_port()
        _create_schema(server)
        environment = {
            **os.environ,
            "DATABASE_URL": server.url("bench"),
            "EFCP_SECRET_KEY": "a key for benchmarks only, never for a site",
            "EFCP_ADMIN_PASSWORD": PASSWORD,
            "EFCP_DATA_DIR": folder,
            "EFCP_PORT": str(port),
            "EFCP_SANDBOX": "0",
            "EFCP_BENCH_MI_PORT": str(mi_port),
        }
        subprocess.run([sys.executable, "manage.py", "prepare"], cwd=PROJECT, env=environment, check=True)
        panel = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "efcp/launch/gunicorn_config.py", "efcp.wsgi"],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            origin = f"http://127.0.0.1:{port}"
            _wait_for(f"{origin}/cp/healthz")
            yield Site(origin, environment)
        finally:
            panel.send_signal(signal.SIGTERM)
            try:
                panel.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                panel.kill()
                panel.wait()


def fill(site: Site, rows: int) -> None:
    """Put `rows` destinations into the table and into the memory of the proxy `edge-1`."""
    command = [sys.executable, "-m", "tests.bench.fill", str(rows)]
    subprocess.run(command, cwd=PROJECT, env=site.environment, check=True)


def _create_schema(server: mariadb.Server) -> None:
    client = ["mariadb", "-h127.0.0.1", f"-P{server.port}", f"-u{mariadb.USER}", f"-p{mariadb.PASSWORD}"]
    subprocess.run([*client, "-e", "CREATE DATABASE bench"], check=True)


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str) -> None:
    for _attempt in range(300):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise SystemExit("The panel does not start.")
