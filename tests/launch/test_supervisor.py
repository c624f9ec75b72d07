"""The supervisor with a child that dies, that does not end, and with nobody who reads what it says."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from efcp.launch.supervisor import READY_FD
from tests.launch.panel import ENDS_WITHIN_S, until

Supervise = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Return a function that has Python code supervised, with 1 s of grace, in the test's folder."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *prepare: str) -> "subprocess.Popen[str]":
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.launch.supervised", "1", code, *prepare],
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "FOLDER": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(supervisor)
        return supervisor

    yield start
    for supervisor in started:
        supervisor.kill()
        supervisor.wait(ENDS_WITHIN_S)
        if supervisor.stdout is not None:
            supervisor.stdout.close()


def child(*statements: str) -> str:
    """The code of a child; `print_pid()` appends its pid to the file `pids`."""
    return "\n".join(("import os, signal, time", PRINT_PID, *statements))


PRINT_PID = """
def print_pid():
    with open(os.environ["FOLDER"] + "/pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
"""


def pids(folder: Path) -> list[int]:
    """The pids that the children wrote so far."""
    pids = folder / "pids"
    return [int(line) for line in pids.read_text().splitlines()] if pids.exists() else []


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_child_that_dies_is_restarted_and_reported(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = supervise(child("print_pid()", "raise SystemExit(7)"))
    assert until(lambda: len(pids(tmp_path)) == 2, ENDS_WITHIN_S)
    supervisor.terminate()
    output, _ = supervisor.communicate(timeout=ENDS_WITHIN_S)
    assert output.startswith("child ended with 7; it is started again in 1 s.\n")


def test_a_child_that_does_not_end_in_time_is_killed(supervise: Supervise, tmp_path: Path) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    supervisor = supervise(child(deaf, "print_pid()", "time.sleep(600)"))
    assert until(lambda: len(pids(tmp_path)) == 1, ENDS_WITHIN_S)
    supervisor.terminate()
    assert supervisor.wait(ENDS_WITHIN_S) == 0
    assert not is_running(pids(tmp_path)[0])


def test_what_a_child_started_is_ended_with_it(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = supervise(child("os.fork()", "print_pid()", "time.sleep(600)"))
    assert until(lambda: len(pids(tmp_path)) == 2, ENDS_WITHIN_S)
    supervisor.send_signal(signal.SIGHUP)
    assert supervisor.wait(ENDS_WITHIN_S) == 0
    assert not any(is_running(pid) for pid in pids(tmp_path))


def test_on_a_reload_a_new_child_takes_over_once_it_is_ready(supervise: Supervise, tmp_path: Path) -> None:
    announce = f"os.write(int(os.environ['{READY_FD}']), b'1')"
    waiting = "while not os.path.exists(os.environ['FOLDER'] + '/open'): time.sleep(0.05)"
    followed = f"if '{READY_FD}' in os.environ:\n {waiting}\n {announce}"
    supervisor = supervise(child("print_pid()", followed, "time.sleep(600)"), "")
    assert until(lambda: len(pids(tmp_path)) == 1, ENDS_WITHIN_S)
    supervisor.send_signal(signal.SIGHUP)
    assert until(lambda: len(pids(tmp_path)) == 2, ENDS_WITHIN_S)
    former, new = pids(tmp_path)
    assert is_running(former)
    assert is_running(new)
    (tmp_path / "open").touch()
    assert until(lambda: not is_running(former), ENDS_WITHIN_S)
    assert is_running(new)
    supervisor.terminate()
    assert supervisor.communicate(timeout=ENDS_WITHIN_S)[0] == "Reloading.\nchild was reloaded.\n"
    assert not is_running(new)


NO_SECOND = "if len(open(os.environ['FOLDER'] + '/pids').readlines()) == 2: raise SystemExit(5)"


@pytest.mark.parametrize(
    ("prepare", "report"),
    [
        ("raise SystemExit(3)", "The reload failed: what runs goes on as it is (prepare ended with 3)."),
        ("", "The new child ended with 5: the former one goes on."),
    ],
)
def test_a_reload_that_fails_leaves_what_runs(
    prepare: str, report: str, supervise: Supervise, tmp_path: Path
) -> None:
    never_ready = f"'{READY_FD}'"
    code = child("print_pid()", NO_SECOND, never_ready, "time.sleep(600)")
    supervisor = supervise(code, prepare)
    assert until(lambda: len(pids(tmp_path)) == 1, ENDS_WITHIN_S)
    supervisor.send_signal(signal.SIGHUP)
    assert supervisor.stdout is not None
    assert [supervisor.stdout.readline() for _ in range(2)] == ["Reloading.\n", f"{report}\n"]
    assert is_running(pids(tmp_path)[0])
    supervisor.terminate()
    assert supervisor.wait(ENDS_WITHIN_S) == 0


def test_a_child_goes_on_when_nobody_reads_any_more(supervise: Supervise, tmp_path: Path) -> None:
    more_than_a_pipe_holds = "for _ in range(3): print('x' * 100_000, flush=True)"
    supervisor = supervise(child(more_than_a_pipe_holds, "print_pid()", "time.sleep(600)"))
    assert supervisor.stdout is not None
    supervisor.stdout.close()
    assert until(lambda: len(pids(tmp_path)) == 1, ENDS_WITHIN_S)
    supervisor.terminate()
    assert supervisor.wait(ENDS_WITHIN_S) == 0
