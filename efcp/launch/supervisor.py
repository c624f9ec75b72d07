"""One process that starts the panel's processes, restarts one that dies, and leaves none behind.

Each child runs in a session of its own, so that Ctrl-C reaches only the supervisor, which then ends them all
in order; and each asks the kernel to be ended should the supervisor die without a chance to do so.

honcho restarts nothing, and supervisord and circus are daemons to be configured: the trial is one command
that leaves no process behind when it is killed.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from efcp.shutdown import POLL_INTERVAL_S, ShutdownSignal

_PR_SET_PDEATHSIG = 1
GRACE_S = 15.0
"""How long the children may take to end before they are killed; longer than gunicorn gives its workers."""
LIVED_WELL_S = 30.0
"""A child that lived this long is restarted at once; one that did not, after a growing pause."""
LONGEST_PAUSE_S = 30.0
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Program:
    """A process to keep running: its name in the log, its command, and what its environment has besides."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause_s: float = 1.0


class Supervisor:
    """Keeps programs running until a signal or `stop()` asks it to end."""

    def __init__(self, programs: Sequence[Program], grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._children = [_Child(program) for program in programs]
        self._is_to_end = False

    def stop(self) -> None:
        """Let `run` end all children and return."""
        self._is_to_end = True

    def run(self) -> None:
        """Start the programs and look after them; returns when all have ended after a signal."""
        shutdown = ShutdownSignal(*_ENDING_SIGNALS)
        try:
            while not (shutdown.received or self._is_to_end):
                time.sleep(POLL_INTERVAL_S)
                for child in self._children:
                    self._look_after(child)
        finally:
            self._end_all()

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(child, now)
            return
        code = child.process.poll()
        if code is None:
            return
        pause = 0.0 if now - child.started_at >= LIVED_WELL_S else child.pause_s
        child.pause_s = 1.0 if pause == 0 else min(child.pause_s * 2, LONGEST_PAUSE_S)
        say(f"{child.program.name} ended with {code}; it is started again in {pause:.0f} s.")
        _end_group(child.process, signal.SIGKILL)
        child.process = None
        child.start_at = now + pause

    def _start(self, child: _Child, now: float) -> None:
        child.process = subprocess.Popen(  # noqa: S603 - commands of our own
            child.program.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **child.program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509 - it makes system calls only
        )
        child.started_at = now
        stream = child.process.stdout
        threading.Thread(target=_relay, args=(child.program.name, stream), daemon=True).start()

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            _end_group(process, signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            _end_group(process, signal.SIGKILL)
            process.wait()


def say(text: str) -> None:
    """Print one line to the terminal that started the panel, if it is still open."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        # The panel goes on without a terminal. A child's output has to be read, or the child would block.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end_with_parent() -> None:
    """Have the kernel end this process when the one that started it dies."""
    _ask_to_end_with(os.getppid())


def _end_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program."""

    def prepare() -> None:
        # The supervisor's own handler would note the signal, and the note be lost with the program's start.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _ask_to_end_with(parent)

    return prepare


def _ask_to_end_with(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _relay(name: str, stream: IO[str] | None) -> None:
    """Copy a child's lines to the supervisor's own output, each with the child's name."""
    for line in stream or ():
        say(f"{name:>7} | {line.rstrip()}")


def _end_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
