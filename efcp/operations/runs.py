"""Runs in the background: their handle, and which process carries one out and whether it still lives.

A run is carried out by threads of the process that started it. Once that process has ended, nobody can report
the outcome, and the run must not look as if it were still under way.
"""

import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RunHandle(Generic[R]):
    """A run, whether this call started it, and an event that is set once every proxy was read back."""

    run: R
    is_new: bool
    ended: threading.Event


def this_process() -> str:
    """A name for this process that no other one ever has: host, pid, and when it started."""
    pid = os.getpid()
    return f"{_host()}/{pid}/{_started(pid)}"


def is_gone(process: str) -> bool:
    """Whether a process of this host has ended; False for one of another host, of which nothing is known."""
    host, _, rest = process.rpartition("/")[0].rpartition("/")
    pid, started = rest, process.rpartition("/")[2]
    if host != _host() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def _host() -> str:
    return socket.gethostname()[:64].replace("/", "-")


def _started(pid: int) -> str:
    """When a process started, in clock ticks since the boot; empty where there is none (proc_pid_stat(5))."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _started_elsewhere(pid)
    return text.rpartition(")")[2].split()[19]


def _started_elsewhere(pid: int) -> str:
    """Without /proc only whether it runs is known."""
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "running"
