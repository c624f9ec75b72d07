"""A site to measure: MariaDB with a filled table, a proxy whose memory is known, the panel under gunicorn."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests import mariadb
from tests.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-enough-one"
PER_SET = 20
END_WITHIN_S = 20.0
DATABASE_URL = os.environ.get("EFCP_BENCH_DATABASE_URL", "")
MI_URL = os.environ.get("EFCP_BENCH_MI_URL", "")


@dataclass(frozen=True, slots=True)
class BenchSite:
    """The running panel's origin, the settings under which its commands run, and its proxy's MI.

    Beside it stands the yardstick (bare.py) with a session's key, and the old panel where there is one.
    """

    origin: str
    environment: dict[str, str]
    mi_url: str
    yardstick: str
    yardstick_session: str
    old_panel: str = os.environ.get("EFCP_BENCH_OLD_PANEL", "")


@contextlib.contextmanager
def running_site() -> Iterator[BenchSite]:
    """Start the panel with its watcher, and MariaDB and a sandbox proxy where the settings name none.

    All is ended in any case.
    """
    with _database() as url, TemporaryDirectory(prefix="efcp-bench-") as folder:
        _create_schema(url, "bare")
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "EFCP_SECRET_KEY": "a key for benchmarks only, never for a site",
            "EFCP_ADMIN_PASSWORD": PASSWORD,
            "EFCP_DATA_DIR": folder,
            "EFCP_SANDBOX": "0" if MI_URL else "1",
            "EFCP_SANDBOX_MI_PORT": str(free_port()),
        }
        mi_url = MI_URL or f"http://127.0.0.1:{environment['EFCP_SANDBOX_MI_PORT']}/mi"
        bare = {**environment, "DATABASE_URL": urlsplit(url)._replace(path="/bare").geturl()}
        subprocess.run([sys.executable, "manage.py", "prepare"], cwd=PROJECT, env=environment, check=True)
        session = _output_of(["-m", "tests.bench.bare"], bare)
        with (
            _served("efcp.asgi", environment, "/cp/healthz") as origin,
            _served("tests.bench.bare", bare, "/") as yardstick,
            contextlib.nullcontext() if MI_URL else _running(["manage.py", "sandbox"], environment),
            _running(["manage.py", "watch"], environment),
        ):
            yield BenchSite(origin, environment, mi_url, yardstick, session)


@contextlib.contextmanager
def _database() -> Iterator[str]:
    """The database that the old panel reads, or one of a server that is started here."""
    if DATABASE_URL:
        yield DATABASE_URL
        return
    with mariadb.running(flushes=True) as server:
        url = server.url("bench")
        _create_schema(url, "bench")
        yield url


@contextlib.contextmanager
def _running(arguments: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, env=environment)
    try:
        yield
    finally:
        _end(process)


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
        _end(server)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _output_of(arguments: list[str], environment: dict[str, str]) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def fill(site: BenchSite, rows: int) -> None:
    """Put `rows` destinations and rules into the tables, have the proxy load and the watcher read them."""
    command = [sys.executable, "-m", "tests.bench.fill", str(rows), site.mi_url]
    subprocess.run(command, cwd=PROJECT, env=site.environment, check=True)


def _create_schema(url: str, name: str) -> None:
    server = urlsplit(url)
    client = ["mariadb", f"-h{server.hostname}", f"-P{server.port}", f"-u{server.username}"]
    client.append(f"-p{server.password}")
    subprocess.run([*client, "-e", f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}"], check=True)


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
