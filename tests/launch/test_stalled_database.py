"""A database that stops answering, and goes on later."""

import os
import signal
import subprocess
import urllib.error
from collections.abc import Iterator

import pytest

from efcp.database.limits import CONNECTION_S
from tests import mariadb
from tests.launch.served import Served, served
from tests.launch.slow import SIGN_IN
from tests.launch.test_serving import Visitor

LIST = "/cp/system/dispatcher/"


@pytest.fixture(scope="module")
def server() -> Iterator[mariadb.Server]:
    """A MariaDB server of these tests' own, which they may stop."""
    with mariadb.running() as running:
        client = ["mariadb", "-h127.0.0.1", f"-P{running.port}", f"-u{mariadb.USER}", f"-p{mariadb.PASSWORD}"]
        subprocess.run([*client, "-e", "CREATE DATABASE stalled"], check=True)
        yield running


@pytest.fixture(scope="module")
def panel(server: mariadb.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The panel on it."""
    settings = {"DATABASE_URL": server.url("stalled"), "EFCP_SECRET_KEY": "k" * 40}
    with served(tmp_path_factory.mktemp("stalled"), **settings) as running:
        yield running


def status_and_text(browser: Visitor, path: str) -> tuple[int, str]:
    try:
        return 200, browser.get(path)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_stalled_database_is_reported_and_forgotten(panel: Served, server: mariadb.Server) -> None:
    browser = Visitor(panel.origin)
    assert LIST in browser.get(LIST)
    pid = int((server.folder / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        # Visitor.get gives up after 30 seconds; a database that stalls for good holds no page that long.
        assert CONNECTION_S < 30
        status, text = status_and_text(browser, LIST)
        assert (status, "The database is too slow" in text) == (503, True)
        assert status_and_text(browser, "/cp/healthz")[0] == 503
        assert "Sign in" in Visitor(panel.origin, signs_in=False).get(SIGN_IN)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert LIST in browser.get(LIST)
    assert browser.get("/cp/healthz") == "ok\n"


def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    panel: Served, server: mariadb.Server
) -> None:
    browser = Visitor(panel.origin)
    client = [
        "mariadb",
        "-h127.0.0.1",
        f"-P{server.port}",
        f"-u{mariadb.USER}",
        f"-p{mariadb.PASSWORD}",
        "--unbuffered",
        "stalled",
    ]
    locking = subprocess.Popen(
        [*client, "-e", "LOCK TABLES dispatcher WRITE; SELECT 1; SELECT SLEEP(25)"], stdout=subprocess.PIPE
    )
    try:
        assert locking.stdout is not None
        assert locking.stdout.readline()
        status, text = status_and_text(browser, LIST)
        assert (status, "The database is too slow" in text) == (503, True)
        assert browser.get("/cp/healthz") == "ok\n"
    finally:
        locking.kill()
        locking.communicate()
