"""One process that starts the panel's processes, restarts one that dies, and leaves none behind.

On a reload each process is followed by a new one before it ends, so that nothing stops meanwhile.

Each child runs in a session of its own, so that Ctrl-C reaches only the supervisor, which then ends them all
in order; and each asks the kernel to be ended should the supervisor die without a chance to do so.

honcho restarts nothing, and supervisord and circus are daemons to be configured: the trial is one command
that leaves no process behind when it is killed.
"""

import contextlib
import ctypes
import os
import select
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
GRACE_S = 9.0
"""How long the children may take to end before they are killed."""
LEAVES_WITHIN_S = 660.0
"""How long a process that was followed by another may take to end; longer than gunicorn gives requests."""
READY_WITHIN_S = 180.0
READY_FD = "PANEL_READY_FD"
"""The variable with the descriptor to which a program that announces itself writes once it serves."""
LISTENING_FD = "PANEL_LISTENING_FD"
"""The variable with the descriptor of the socket on which the panel listens."""
LIVED_WELL_S = 30.0
"""A child that lived this long is restarted at once; one that did not, after a growing pause."""
LONGEST_PAUSE_S = 30.0
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Program:
    """A process to keep running: its name in the log, its command, and what its environment has besides.

    `inherits` are open descriptors that it gets. On a reload it is followed by a new process unless it is
    not `followed`; one that `announces` itself ends only once the new one serves (see READY_FD).
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    inherits: tuple[int, ...] = ()
    followed: bool = True
    announces: bool = False


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause_s: float = 1.0
    successor: "_Successor | None" = None


@dataclass(frozen=True, slots=True)
class _Successor:
    process: subprocess.Popen[str]
    started_at: float
    ready: int | None
    """The reading end of the pipe on which it announces itself."""


class Supervisor:
    """Keeps programs running until a signal or `stop()` asks it to end.

    With `prepare`, a command, SIGHUP is no such signal: once the command has succeeded, new processes follow
    the running ones.
    """

    def __init__(
        self, programs: Sequence[Program], grace_s: float = GRACE_S, prepare: Sequence[str] | None = None
    ) -> None:
        self._grace_s = grace_s
        self._children = [_Child(program) for program in programs]
        self._prepare = prepare
        self._preparing: subprocess.Popen[str] | None = None
        self._leaving: list[tuple[subprocess.Popen[str], float]] = []
        self._is_to_end = False

    def stop(self) -> None:
        """Let `run` end all children and return."""
        self._is_to_end = True

    def run(self) -> None:
        """Start the programs and look after them; returns when all have ended after a signal."""
        reload = ShutdownSignal(signal.SIGHUP) if self._prepare else None
        shutdown = ShutdownSignal(*(_ENDING_SIGNALS if reload is None else _ENDING_SIGNALS[:2]))
        try:
            while not (shutdown.received or self._is_to_end):
                time.sleep(POLL_INTERVAL_S)
                if reload is not None:
                    self._reload(reload)
                for child in self._children:
                    self._look_after(child)
                    self._look_after_successor(child)
                self._see_off()
        finally:
            self._end_all()

    def _reload(self, signalled: ShutdownSignal) -> None:
        """Begin a reload that was requested, or go on with one; one at a time."""
        if self._preparing is not None:
            code = self._preparing.poll()
            if code is None:
                return
            self._preparing = None
            if code:
                say(f"The reload failed: what runs goes on as it is (prepare ended with {code}).")
                return
            for child in self._children:
                if child.program.followed:
                    self._start_successor(child)
        elif signalled.received and not any(child.successor for child in self._children):
            signalled.received = False
            say("Reloading.")
            self._preparing = self._popen(Program("prepare", self._prepare or ()))

    def _start_successor(self, child: _Child) -> None:
        ready, announcing = os.pipe() if child.program.announces else (None, None)
        process = self._popen(child.program, announcing)
        child.successor = _Successor(process, time.monotonic(), ready)
        if announcing is not None:
            os.close(announcing)

    def _look_after_successor(self, child: _Child) -> None:
        """Let it take over once it serves; where it does not, what runs goes on."""
        new = child.successor
        if new is None:
            return
        code, name = new.process.poll(), child.program.name
        is_late = time.monotonic() - new.started_at > READY_WITHIN_S
        if code is not None or is_late:
            why = "does not get ready" if code is None else f"ended with {code}"
            say(f"The new {name} {why}: the former one goes on.")
            _end_group(new.process, signal.SIGKILL)
        elif _is_announced(new.ready):
            if child.process is not None:
                _end_group(child.process, signal.SIGTERM)
                self._leaving.append((child.process, time.monotonic() + LEAVES_WITHIN_S))
            child.process, child.started_at = new.process, new.started_at
            say(f"{name} was reloaded.")
        else:
            return
        child.successor = None
        if new.ready is not None:
            os.close(new.ready)

    def _see_off(self) -> None:
        """Forget processes that have ended; kill one that takes too long."""
        now = time.monotonic()
        for process, until in self._leaving:
            if process.poll() is not None or now > until:
                _end_group(process, signal.SIGKILL)
        self._leaving = [each for each in self._leaving if each[0].poll() is None]

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
        child.process = self._popen(child.program)
        child.started_at = now

    def _popen(self, program: Program, announcing: int | None = None) -> "subprocess.Popen[str]":
        """Start it; `announcing` is the descriptor on which it announces itself."""
        environment = {"PYTHONUNBUFFERED": "1", **program.environment}
        inherited = program.inherits
        if announcing is not None:
            environment[READY_FD] = str(announcing)
            inherited = (*inherited, announcing)
        process = subprocess.Popen(  # noqa: S603 - commands of our own
            program.command,
            env={**os.environ, **environment},
            pass_fds=inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509 - it makes system calls only
        )
        threading.Thread(target=_relay, args=(program.name, process.stdout), daemon=True).start()
        return process

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        running += [child.successor.process for child in self._children if child.successor is not None]
        running += [process for process, _until in self._leaving]
        running += [] if self._preparing is None else [self._preparing]
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


def _is_announced(ready: int | None) -> bool:
    """Whether something stands on the pipe; a program without a pipe is ready once it has started."""
    return ready is None or bool(select.select([ready], [], [], 0)[0])


def _relay(name: str, stream: IO[str] | None) -> None:
    """Copy a child's lines to the supervisor's own output, each with the child's name."""
    for line in stream or ():
        say(f"{name:>7} | {line.rstrip()}")


def _end_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
