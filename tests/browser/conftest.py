"""The whole panel as `make run` starts it, and a headless Chromium to use it with."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.environment import DATABASE, migrated_database, without_settings
from tests.ports import free_port as free_port

PROJECT = Path(__file__).resolve().parents[2]
START_WITHIN_S = 240.0
END_WITHIN_S = 120.0
PATIENCE_S = 90.0
CUT_SHORT = ('"htmx:sendAbort"', '"htmx:sendError"', '"htmx:afterRequest"')
WINDOW = (1280, 900)
REFUSED_FORM = (
    "{} - Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"
)
"""What Chromium logs for a 422, by its address."""
CHROMIUM_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--window-size={WINDOW[0]},{WINDOW[1]}",
)


@dataclass(frozen=True, slots=True)
class Panel:
    """A running panel: its origin, its data folder, and the process at the top of it."""

    origin: str
    folder: Path
    process: subprocess.Popen[str]

    def url(self, path: str) -> str:
        """The address of a page under /cp/."""
        return f"{self.origin}/cp/{path}"


@contextlib.contextmanager
def running_panel(**settings: str) -> Iterator[Panel]:
    """Start `manage.py run` on free ports with a data folder of its own; end it in any case."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="efcp-trial-") as folder:
        Path(folder, DATABASE).write_bytes(migrated_database())
        environment = without_settings() | {
            "EFCP_DATA_DIR": folder,
            "EFCP_PORT": str(port),
            "EFCP_SANDBOX_MI_PORT": str(free_port()),
            "EFCP_SANDBOX_SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
            **settings,
        }
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run", "--end-with-parent"],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _wait_until_it_runs(process)
            yield Panel(f"http://127.0.0.1:{port}", Path(folder), process)
        finally:
            _end(process)


def _wait_until_it_runs(process: subprocess.Popen[str]) -> None:
    """Read its output until it tells its address; go on reading in a thread, so that it never blocks."""
    lines: list[str] = []
    runs = threading.Event()

    def read() -> None:
        with contextlib.suppress(ValueError):  # closed at the end, under the reader's hands
            for line in process.stdout or ():
                lines.append(line)
                if line.startswith("EFCP runs at"):
                    runs.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    deadline = time.monotonic() + START_WITHIN_S
    while not runs.wait(0.1):
        if process.poll() is not None or time.monotonic() > deadline:
            reader.join(END_WITHIN_S)
            raise RuntimeError("The panel does not start:\n" + "".join(lines))


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextlib.contextmanager
def sip_endpoint(port: int) -> Iterator[None]:
    """A sipp that answers OPTIONS with 200 on a port of loopback; killed at the end."""
    scenario = """<?xml version="1.0" encoding="ISO-8859-1"?>
<scenario name="answer">
  <recv request="OPTIONS"/>
  <send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:];tag=[pid]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>
</scenario>"""
    process = subprocess.Popen(
        ["sipp", "-sf", "/dev/stdin", "-i", "127.0.0.1", "-p", str(port), "-nostdin", "-timeout", "120"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        if process.stdin is not None:
            process.stdin.write(scenario.encode())
            process.stdin.close()
        yield
    finally:
        process.kill()
        process.wait(END_WITHIN_S)


class Browser:
    """A person at a browser: what is on the page, by the words on it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def is_alive(self) -> bool:
        """Whether Chromium still answers."""
        try:
            return bool(self.driver.window_handles)
        except WebDriverException:
            return False

    def forget(self) -> None:
        """Go on in a new window, as if Chromium had been restarted."""
        old = self.driver.window_handles
        # The storage of an origin can only be cleared from a page of it.
        with contextlib.suppress(WebDriverException):
            self.driver.execute_script("localStorage.clear()")
        self.driver.switch_to.new_window("window")
        new = self.driver.current_window_handle
        for handle in old:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.driver.switch_to.window(new)
        self.driver.set_window_size(*WINDOW)
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        self.problems()

    def see(self, url: str) -> None:
        """Open a page."""
        self.driver.get(url)

    @property
    def text(self) -> str:
        """What can be read on the page, with single spaces."""
        shown = self.driver.execute_script("return document.body ? document.body.innerText : ''")
        return " ".join(str(shown).split())

    def wait_for(self, words: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until `words` can be read on the page."""
        self.wait_until(lambda: words in self.text, f"{words!r} is not on the page", patience_s)

    def type(self, field: str, text: str) -> WebElement:
        """Replace the text of a field, by its name."""
        element = self.driver.find_element(By.NAME, field)
        element.clear()
        element.send_keys(text)
        return element

    def choose(self, field: str, label: str) -> None:
        """Choose an option of a select by what it says."""
        for option in self.driver.find_element(By.NAME, field).find_elements(By.TAG_NAME, "option"):
            if option.text == label:
                option.click()
                return
        raise AssertionError(f"no {label!r} in {field}")

    def press(self, label: str) -> None:
        """Press the button or link that says `label`, or is labelled so."""
        label_is = f"starts-with(normalize-space(), '{label}') or @aria-label='{label}'"
        path = f"//main//*[self::button or self::a][{label_is}]"

        def pressed() -> bool:
            self.driver.find_element(By.XPATH, path).click()
            return True

        # A part of the page may be refreshed between finding and clicking.
        self.wait_until(pressed, f"{label!r} can't be pressed", PATIENCE_S)

    def row_of(self, words: str) -> str:
        """The text of the table row that says `words`, empty where there is none."""
        rows = self.driver.find_elements(By.XPATH, f"//tr[contains(., '{words}')]")
        return " ".join(rows[0].text.split()) if rows else ""

    def live_state(self, words: str) -> str:
        """What the chip in the row that says `words` tells of its live state, empty where there is none."""
        chips = self.driver.find_elements(
            By.XPATH, f"//tr[contains(., '{words}')]//td[contains(@class, 'live')]"
        )
        return " ".join(chips[0].text.split()) if chips else ""

    def wait_for_live(self, words: str, state: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until the live state of the row that says `words` is `state`."""
        self.wait_until(
            lambda: self.live_state(words).startswith(state), f"{words} is not live {state!r}", patience_s
        )

    def wait_for_row(self, words: str, expected: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until the row that says `words` also says `expected`."""
        self.wait_until(
            lambda: expected in self.row_of(words),
            f"the row of {words} does not say {expected!r}",
            patience_s,
        )

    def problems(self, invalid: Collection[str] = ()) -> list[str]:
        """Errors and warnings in the browser's console since the last call: failed answers, refused scripts.

        A poll that a click cut short is none, though htmx logs it as an error; one that failed is logged by
        the browser itself as well. Nor is the browser's own network line for a 422 from one of the addresses
        `invalid`, to which the test itself sent an invalid form.
        """
        entries = self.driver.execute("getLog", {"type": "browser"})["value"]
        provoked = {REFUSED_FORM.format(address) for address in invalid}
        return [
            entry["message"]
            for entry in entries
            if entry["level"] in ("SEVERE", "WARNING")
            and not entry["message"].endswith(CUT_SHORT)
            and not (entry["source"] == "network" and entry["message"] in provoked)
        ]

    def wait_until(self, is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until `is_so`; AssertionError that says `what` where it never is."""

        def holds(_driver: webdriver.Chrome) -> bool:
            with contextlib.suppress(Exception):
                return is_so()
            return False

        try:
            WebDriverWait(self.driver, patience_s, poll_frequency=0.05).until(holds)
        except TimeoutException:
            raise AssertionError(f"{what}: {self.text[:1500]}") from None


@pytest.fixture(scope="session")
def panel() -> Iterator[Panel]:
    """Return a trial with its samples, shared by the modules that leave these as they are.

    A module that deletes samples, stops the panel or needs other settings starts one of its own.
    """
    with running_panel() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Callable[[], Browser]]:
    """Return a function that gives the session's Chromium, started again if it crashed."""
    with contextlib.ExitStack() as stack:
        running: list[Browser] = []

        def get() -> Browser:
            if not (running and running[-1].is_alive()):
                running.append(stack.enter_context(running_browser()))
            return running[-1]

        yield get


@pytest.fixture
def browser(chromium: Callable[[], Browser]) -> Browser:
    """Return a browser with one new window, without cookies, stored data or console messages."""
    browser = chromium()
    browser.forget()
    return browser


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Start a headless Chromium with a profile of its own; end it in any case."""
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in CHROMIUM_FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="efcp-chromium-", ignore_cleanup_errors=True) as profile:
        options.add_argument(f"--user-data-dir={profile}")
        driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            yield Browser(driver)
        finally:
            driver.quit()
