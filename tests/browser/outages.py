"""How long the state board takes to show that a gateway died, and that it is back: played with sipp."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.browser.conftest import (
    END_WITHIN_S,
    PROJECT,
    Browser,
    Panel,
    running_panel,
    sip_endpoint,
)
from tests.browser.sandboxes import INTERVAL_S, SETID, THRESHOLD, TIMEOUT_S
from tests.browser.test_pages import sign_in
from tests.environment import without_settings

DOWN_WITHIN_S = (THRESHOLD - 1) * INTERVAL_S + INTERVAL_S + TIMEOUT_S + 2
UP_WITHIN_S = INTERVAL_S + 2
PATIENCE_S = 60.0
_DOWN = f"document.querySelectorAll('[aria-labelledby=set-{SETID}] .board-troubles .chip-probing').length"
_SHOWN = f"document.getElementById('set-{SETID}') !== null"


@dataclass(frozen=True, slots=True)
class OutageDelays:
    """Seconds from the gateway's death until every proxy is shown with it down, and back again."""

    down_after_s: float
    up_after_s: float


@contextlib.contextmanager
def watched_gateway(proxies: int, browser: Browser) -> Iterator[int]:
    """A panel with so many proxies, its board in the browser; the port that their gateway is to answer on."""
    with running_panel() as panel, contextlib.ExitStack() as rest:
        with _silent_gateway() as port:
            # Else one of the sandboxes, which take any free port, may take this one.
            rest.enter_context(_sandboxes(panel, proxies, f"sip:127.0.0.1:{port}"))
        sign_in(panel, browser)
        browser.see(panel.url("system/dispatcher/state/"))
        _until(browser, f"{_DOWN} === {proxies}")
        yield port


@contextlib.contextmanager
def _silent_gateway() -> Iterator[int]:
    """A port that is taken by one who never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield int(silent.getsockname()[1])


def outage(port: int, proxies: int, browser: Browser) -> OutageDelays:
    """Let the gateway answer, die and answer again."""
    with sip_endpoint(port):
        _until(browser, f"{_SHOWN} && {_DOWN} === 0")
    died_at = time.monotonic()
    _until(browser, f"{_DOWN} === {proxies}")
    down_after_s = time.monotonic() - died_at
    with sip_endpoint(port):
        began_at = time.monotonic()
        _until(browser, f"{_SHOWN} && {_DOWN} === 0")
        return OutageDelays(down_after_s, time.monotonic() - began_at)


def _until(browser: Browser, condition: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not browser.driver.execute_script(f"return {condition}"):
        assert time.monotonic() < deadline, f"{condition}: {browser.text[:1500]}"
        time.sleep(0.05)


@contextlib.contextmanager
def _sandboxes(panel: Panel, count: int, uri: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.browser.sandboxes", str(count), uri],
        cwd=PROJECT,
        env=without_settings() | {"EFCP_DATA_DIR": str(panel.folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.terminate()
        process.wait(END_WITHIN_S)
        if process.stdout is not None:
            process.stdout.close()
