"""The whole panel as `make run` starts it, in a folder of its own, and every process that belongs to it."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from efcp.configuration import PROJECT_DIR
from tests.environment import without_settings
from tests.ports import free_port as free_port

STARTS_WITHIN_S = 240.0
ENDS_WITHIN_S = 120.0
BY_HAND = (sys.executable, str(PROJECT_DIR / "manage.py"), "run")
BY_MAKE = ("make", "--silent", f"--directory={PROJECT_DIR}", "--old-file=.venv/.run", "run")
"""These tests are not about installing: whether anything is to be installed is not looked at."""


def free_ports() -> dict[str, str]:
    """The settings that keep a panel away from every port that another may use."""
    return {
        "EFCP_PORT": str(free_port()),
        "EFCP_SANDBOX_MI_PORT": str(free_port()),
        "EFCP_SANDBOX_SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
    }


class PanelProcess:
    """`manage.py run` or `make run` under way: its output so far, and its processes."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, str],
        cwd: Path = PROJECT_DIR,
        command: Sequence[str] = BY_HAND,
    ) -> None:
        self.folder = folder
        self.port = settings.get("EFCP_PORT", "8000")
        self.output = ""
        self.top = subprocess.Popen(
            command,
            cwd=cwd,
            env=without_settings() | {"EFCP_DATA_DIR": str(folder)} | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """Wait until the output has a line with the pattern; fail with the output where it never comes."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, self.output)

        assert until(lambda: found() is not None or self.top.poll() is not None, STARTS_WITHIN_S), self.output
        match = found()
        assert match is not None, self.output
        return match

    def get(self, path: str) -> str:
        """The body of a page of the panel."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def status(self, path: str) -> int:
        """The status of an answer, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def processes(self) -> dict[int, str]:
        """Each living process of this panel, by the data folder in its environment, with its command."""
        found = {}
        mark = f"EFCP_DATA_DIR={self.folder}".encode()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(entry.name)] = command
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the top process and return its exit code."""
        self.top.send_signal(number)
        code = self.top.wait(ENDS_WITHIN_S)
        self._reader.join(ENDS_WITHIN_S)
        return code

    def clean_up(self) -> None:
        """Kill what is left, by pid."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.top.wait(ENDS_WITHIN_S)
        self._reader.join(ENDS_WITHIN_S)
        if self.top.stdout is not None:
            self.top.stdout.close()

    def _read(self) -> None:
        for line in self.top.stdout or ():
            self.output += line


def until(condition: Callable[[], bool], within_s: float) -> bool:
    """Wait until the condition holds; return whether it did in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers_mi(port: int) -> bool:
    """Whether an OpenSIPS proxy answers MI over HTTP on a port of loopback."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/mi",
        b'{"jsonrpc":"2.0","id":1,"method":"version"}',
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            return b"OpenSIPS" in answer.read()
    except (OSError, urllib.error.URLError):
        return False
