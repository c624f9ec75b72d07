"""The check of a file without Django and without a database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from efcp.configuration import PROJECT_DIR
from efcp.script.command_line import checked_alone
from tests.environment import without_settings

SOUND = 'socket=udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\nroute { exit; }\n'


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A sound script."""
    path = tmp_path / "opensips.cfg"
    path.write_text(SOUND)
    return path


def nowhere(folder: Path) -> dict[str, str]:
    """An environment without a database."""
    return {"EFCP_DATA_DIR": str(folder / "nothing")}


def test_without_a_database_there_are_no_tables_to_look_at(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked_alone([str(script), "--json"], nowhere(script.parent)) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_an_error_is_the_exit_code(script: Path) -> None:
    script.write_text(SOUND + "route[a] { nosuch(); }\n")
    assert checked_alone([str(script)], nowhere(script.parent)) == 1


@pytest.mark.parametrize("more", [["--help"], ["--nosuch"], ["--opensips", "2.4"], ["--traceback"]])
def test_what_only_django_answers_is_left_to_it(script: Path, more: list[str]) -> None:
    assert checked_alone([str(script), *more], nowhere(script.parent)) is None
    assert checked_alone([], nowhere(script.parent)) is None


@pytest.mark.parametrize("setting", ["DATABASE_URL", "DATABASE_URL_FILE"])
def test_a_configured_database_is_read_by_default(script: Path, setting: str) -> None:
    environ = {setting: "mysql://efcp:secret@127.0.0.1/opensips"}
    assert checked_alone([str(script)], environ) is None
    assert checked_alone([str(script), "--without-tables"], environ) == 0


def test_the_trial_s_tables_are_looked_at(script: Path) -> None:
    (script.parent / "efcp.sqlite3").touch()
    assert checked_alone([str(script)], {"EFCP_DATA_DIR": str(script.parent)}) is None


def test_the_command_starts_no_django_for_it(script: Path) -> None:
    command = [
        sys.executable,
        "-X",
        "importtime",
        "manage.py",
        "script",
        "check",
        str(script),
        "--without-tables",
    ]
    ended = subprocess.run(
        command, cwd=PROJECT_DIR, capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert ended.returncode == 0
    assert ended.stdout == "0 findings, 0 accepted, 0 constructs not understood\n"
    assert "django" not in ended.stderr


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "script", "check", str(tmp_path / "none.cfg"), "--without-tables"]
    ended = subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: ")
    assert ended.stderr.count("\n") == 1


def test_a_database_without_tables_is_one_line(script: Path, tmp_path: Path) -> None:
    (tmp_path / "efcp.sqlite3").touch()
    command = [sys.executable, "manage.py", "script", "check", str(script), "--json"]
    environment = without_settings() | {"EFCP_DATA_DIR": str(tmp_path)}
    ended = subprocess.run(
        command, cwd=PROJECT_DIR, capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("CommandError: The database can't be read: ")
    assert ended.stderr.count("\n") == 1
