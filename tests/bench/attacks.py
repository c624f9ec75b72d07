"""`python -m tests.bench.attacks`: what slow and many clients and a stalled database do to the panel.

Each line is an attack with how often it was tried, and the longest answers of health check and sign-in during
it, in seconds; a status other than 200 counts as answered, and is shown.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests import mariadb
from tests.launch.served import Served, served
from tests.launch.slow import KINDS, SIGN_IN, slow_clients
from tests.launch.test_serving import Visitor

SLOW = 500
CLIENTS = 200
ATTACK_S = 10.0
STALL_S = 20.0
REQUEST_EVERY_S = 0.2
PAGE = "/cp/system/dispatcher/"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="efcp-attacks-") as folder, mariadb.running() as server:
        _sql(server, "CREATE DATABASE attacked")
        settings = {"DATABASE_URL": server.url("attacked"), "EFCP_SECRET_KEY": "k" * 40}
        with served(Path(folder), **settings) as panel:
            rows = ",".join(
                f"({number // 20}, 'sip:10.0.{number // 250}.{number % 250}')" for number in range(10_000)
            )
            _sql(server, "INSERT INTO attacked.dispatcher (setid, destination) VALUES " + rows)  # noqa: S608 - our own
            print(f"{'attack':<28}{'tried':>7}  {'health check':<28}sign-in")
            for kind in KINDS:
                with slow_clients(panel.port, SLOW, (kind,)):
                    _line(panel, f"{kind.__name__}", SLOW)
            with slow_clients(panel.port, SLOW):
                _line(panel, "all kinds of slow", SLOW)
            with _many_clients(panel) as statuses:
                _line(panel, "clients at once", CLIENTS)
            print(f"  of their pages: {dict(statuses)}")
            with _stalled(server):
                _line(panel, "database stalled, seconds", STALL_S, STALL_S)


def _line(panel: Served, name: str, attempts: float, seconds: float = ATTACK_S) -> None:
    shown = []
    for path in ("/cp/healthz", SIGN_IN):
        longest, statuses = _polled(panel.origin + path, seconds / 2)
        shown.append(f"{longest:5.2f} s {dict(statuses)}")
    print(f"{name:<28}{attempts:>7.0f}  {shown[0]:<28}{shown[1]}", flush=True)


def _polled(url: str, seconds: float) -> tuple[float, Counter[int]]:
    """The longest answer within so many seconds, and the statuses."""
    longest, statuses, ends_at = 0.0, Counter[int](), time.monotonic() + seconds
    while time.monotonic() < ends_at:
        began = time.monotonic()
        statuses[_status(url)] += 1
        longest = max(longest, time.monotonic() - began)
        time.sleep(REQUEST_EVERY_S)
    return longest, statuses


def _status(url: str, cookie: str = "") -> int:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Cookie": cookie}), timeout=60
        ) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextlib.contextmanager
def _many_clients(panel: Served) -> Iterator[Counter[int]]:
    """So many signed-in clients that ask for the list again and again."""
    cookie = "; ".join(f"{each.name}={each.value}" for each in Visitor(panel.origin).cookies)
    ending, statuses = threading.Event(), Counter[int]()

    def ask() -> None:
        while not ending.is_set():
            statuses[_status(panel.origin + PAGE, cookie)] += 1

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        ending.set()
        for thread in threads:
            thread.join(60)


@contextlib.contextmanager
def _stalled(server: mariadb.Server) -> Iterator[None]:
    pid = int((server.folder / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _sql(server: mariadb.Server, statement: str) -> None:
    client = ["mariadb", "-h127.0.0.1", f"-P{server.port}", f"-u{mariadb.USER}", f"-p{mariadb.PASSWORD}"]
    subprocess.run(client, input=statement.encode(), check=True)


if __name__ == "__main__":
    main()
