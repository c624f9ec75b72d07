"""`manage.py run` with real processes: what it starts, what it says, and that it leaves nothing behind."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from efcp.configuration import PROJECT_DIR
from tests.environment import without_settings
from tests.launch.conftest import Start
from tests.launch.panel import (
    BY_HAND,
    BY_MAKE,
    ENDS_WITHIN_S,
    STARTS_WITHIN_S,
    PanelProcess,
    answers_mi,
    until,
)

RUNS = r"EFCP runs at http://127\.0\.0\.1:(\d+)/cp/"
FIRST = r"First sign-in: admin / opensips, which has to be changed at once\."
PARTS = ("manage.py run", "gunicorn", "manage.py watch", "manage.py work", "manage.py sandbox")


def test_one_command_starts_everything_and_sigterm_ends_everything(start: Start) -> None:
    panel = start()
    assert panel.wait_for_line(RUNS)[1] == panel.port
    panel.wait_for_line(FIRST)
    assert panel.get("/cp/healthz") == "ok\n"
    assert until(lambda: all(part in " ".join(panel.processes().values()) for part in PARTS), 20)
    _walk_by_efcpctl(panel)
    assert panel.end(signal.SIGTERM) == 0
    assert panel.processes() == {}


def _walk_by_efcpctl(panel: PanelProcess) -> None:
    """The walk of the README: from a token to a state and a reload on the sandbox proxy."""
    settings = {"EFCP_DATA_DIR": str(panel.folder), "EFCP_URL": f"http://127.0.0.1:{panel.port}"}

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            check=False,
            cwd=PROJECT_DIR,
            env=without_settings() | settings,
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN_S,
        )
        assert done.returncode == 0, done
        return done.stdout

    def efcpctl(*arguments: str) -> Any:
        return json.loads(command("-m", "efcp.client", "--json", *arguments) or "null")

    settings["EFCP_TOKEN"] = command("manage.py", "apitoken", "walk", "--role", "administrator").strip()
    assert until(lambda: len(efcpctl("state")) > 0, STARTS_WITHIN_S)
    [first, *_others] = efcpctl("list", "destinations", "--where", "setid=1")
    document = panel.folder / "efcp.yaml"
    document.write_text(efcpctl("export", "sets")["document"])
    assert efcpctl("plan", str(document))["change_count"] == 0
    document.write_text(document.read_text().replace("weight: 2", "weight: 3"))
    run = efcpctl("apply", str(document), "--only", "sets=1", "--reload", "--first", "trial")
    assert (run["change_count"], run["state"]) == (1, "done")
    assert efcpctl("reload", "--first", "trial")["clean"]
    assert (
        efcpctl("state", "inactive", str(first["id"]), "--reason", "walk")["results"][0]["after"]
        == "inactive"
    )


def test_a_reload_refuses_and_cuts_no_request(start: Start) -> None:
    panel = start(("setsid", *BY_HAND), migrated=True)
    panel.wait_for_line("EFCP runs at")
    former = {pid for pid, command in panel.processes().items() if "sandbox" not in command}
    panel.top.send_signal(signal.SIGHUP)
    statuses: list[int] = []
    while "panel was reloaded" not in panel.output and len(statuses) < 20_000:
        statuses.append(panel.status("/cp/healthz"))
    statuses += [panel.status("/cp/healthz") for _ in range(100)]
    assert set(statuses) == {200}
    assert "work was reloaded" in panel.output, panel.output
    assert until(lambda: former & set(panel.processes()) == {panel.top.pid}, ENDS_WITHIN_S)
    assert panel.end() == 0


def test_ctrl_c_ends_everything(start: Start) -> None:
    panel = start(migrated=True)
    panel.wait_for_line(RUNS)
    assert panel.end(signal.SIGINT) == 0
    assert panel.processes() == {}


def test_ctrl_c_while_tables_are_created_shows_no_trace_and_the_next_start_goes_on(
    start: Start, tmp_path: Path
) -> None:
    panel = start()
    assert until((tmp_path / "var" / "efcp.sqlite3").exists, ENDS_WITHIN_S)
    assert panel.end(signal.SIGINT) == -signal.SIGINT
    assert panel.output == ""
    assert panel.processes() == {}
    start().wait_for_line(RUNS)


def test_a_sigterm_to_make_ends_everything(start: Start) -> None:
    panel = start(BY_MAKE, migrated=True)
    panel.wait_for_line(RUNS)
    panel.end(signal.SIGTERM)
    assert panel.processes() == {}


@pytest.mark.parametrize("command", [BY_HAND, BY_MAKE], ids=["manage.py", "make"])
def test_nothing_outlives_a_top_process_that_was_killed(start: Start, command: tuple[str, ...]) -> None:
    panel = start(command, migrated=True)
    panel.wait_for_line(RUNS)
    panel.end(signal.SIGKILL)
    assert until(lambda: panel.processes() == {}, ENDS_WITHIN_S), panel.processes()


def test_a_second_run_from_another_folder_finds_the_first_one_s_data(start: Start, tmp_path: Path) -> None:
    first = start()
    first.wait_for_line(r"Sample sets were written")
    first.wait_for_line(RUNS)
    first.end()
    second = start(cwd=tmp_path)
    second.wait_for_line(RUNS)
    second.wait_for_line(r"sandbox \| .*Sandbox proxy: MI on port")
    second.end()
    assert "Sample sets were written" not in second.output
    assert (tmp_path / "var" / "efcp.sqlite3").exists()


def test_a_busy_default_port_of_the_sandbox_is_replaced_with_a_message(start: Start) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # then another holds it already
            holder.bind(("127.0.0.1", 8888))
            holder.listen()
        panel = start(without="EFCP_SANDBOX_MI_PORT", migrated=True)
        listening = panel.wait_for_line(
            r"Port 8888 is busy, so the sandbox takes (\d+) \(EFCP_SANDBOX_MI_PORT\)\."
        )
        panel.wait_for_line(RUNS)
        assert until(lambda: answers_mi(int(listening[1])), 20)


@pytest.mark.parametrize(
    ("name", "kind", "line"),
    [
        ("EFCP_PORT", socket.SOCK_STREAM, "CommandError: Port {port} of 127.0.0.1 is busy: end what listens"),
        (
            "EFCP_SANDBOX_MI_PORT",
            socket.SOCK_STREAM,
            "CommandError: EFCP_SANDBOX_MI_PORT is {port}, which is",
        ),
        (
            "EFCP_SANDBOX_SIP_PORT",
            socket.SOCK_DGRAM,
            "CommandError: EFCP_SANDBOX_SIP_PORT is {port}, which is",
        ),
    ],
)
def test_a_busy_port_that_was_set_ends_the_start_with_one_line(
    start: Start, name: str, kind: socket.SocketKind, line: str
) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            holder.listen()
        port = holder.getsockname()[1]
        panel = start(**{name: str(port)})
        assert panel.top.wait(ENDS_WITHIN_S) == 1
    panel.clean_up()
    assert panel.output.startswith(line.format(port=port))
    assert panel.output.count("\n") == 1


def test_a_data_folder_that_cannot_be_created_ends_the_start_with_one_line(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "var").touch()
    panel = start()
    assert panel.top.wait(ENDS_WITHIN_S) == 2
    panel.clean_up()
    assert panel.output.startswith(f"EFCP_DATA_DIR: can't write to {tmp_path / 'var'}")
    assert panel.output.count("\n") == 1


def test_an_address_of_another_machine_ends_the_start_with_one_line(start: Start) -> None:
    panel = start(EFCP_HOST="192.0.2.7", EFCP_INSECURE_HTTP="1")
    assert panel.top.wait(ENDS_WITHIN_S) == 1
    panel.clean_up()
    assert panel.output == "CommandError: EFCP_HOST is 192.0.2.7: Cannot assign requested address.\n"


def test_events_to_an_address_of_another_machine_end_the_start_with_one_line(start: Start) -> None:
    panel = start(EFCP_EVENT_ADDRESS="192.0.2.7")
    assert panel.top.wait(ENDS_WITHIN_S) == 1
    panel.clean_up()
    assert panel.output == (
        "CommandError: EFCP_EVENT_ADDRESS is 192.0.2.7, which is not an address of this host:"
        " Cannot assign requested address.\n"
    )


@pytest.mark.parametrize(
    ("beyond", "setting"),
    [
        ({"EFCP_HOST": "0.0.0.0", "EFCP_INSECURE_HTTP": "1"}, "EFCP_HOST is 0.0.0.0"),
        ({"EFCP_URL": "https://panel.example.org"}, "EFCP_URL is https://panel.example.org"),
    ],
    ids=["listening", "behind TLS"],
)
def test_beyond_loopback_it_does_not_start_while_the_first_password_is_unchanged(
    start: Start, beyond: dict[str, str], setting: str
) -> None:
    panel = start(**beyond)
    assert panel.top.wait(ENDS_WITHIN_S) == 1
    panel.clean_up()
    assert panel.output.startswith(f"CommandError: {setting}, but the first password is unchanged:")
    assert panel.output.count("\n") == 1


@pytest.mark.parametrize("password", ["b1e9", "Opensips1234", "password123"])
def test_a_first_password_that_the_policy_refuses_ends_the_start_with_one_line(
    start: Start, password: str
) -> None:
    panel = start(EFCP_ADMIN_PASSWORD=password)
    assert panel.top.wait(ENDS_WITHIN_S) == 1
    panel.clean_up()
    assert panel.output.startswith("CommandError: EFCP_ADMIN_PASSWORD: This ")
    assert panel.output.count("\n") == 1
    assert password not in panel.output
    assert not (panel.folder / "efcp.sqlite3").exists()
