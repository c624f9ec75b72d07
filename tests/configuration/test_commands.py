"""`manage.py` under settings good and bad, as a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from efcp.configuration import PROJECT_DIR
from tests.environment import without_settings

KEY = "k3yed-by-f0rty-eight-bytes/of+randomness-0f-0penssl-rand"


def manage(
    command: str, settings: dict[str, str], *, folder: Path, program: tuple[str, ...] = ("manage.py",)
) -> subprocess.CompletedProcess[str]:
    """Run a command of the panel with these settings alone."""
    return subprocess.run(
        [sys.executable, *program, *command.split()],
        cwd=PROJECT_DIR,
        env=without_settings() | {"EFCP_DATA_DIR": str(folder)} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_bad_setting_ends_a_command_with_one_line_and_without_a_trace(tmp_path: Path) -> None:
    ended = manage("check", {"EFCP_PORT": "http"}, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "EFCP_PORT is 'http'; it must be a whole number from 1 to 65535.\n"


def test_a_bad_setting_ends_gunicorn_with_one_line_and_without_a_trace(tmp_path: Path) -> None:
    gunicorn = ("-m", "gunicorn", "--config", "efcp/launch/gunicorn_config.py")
    ended = manage("efcp.asgi", {"EFCP_PORT": "http"}, folder=tmp_path, program=gunicorn)
    assert ended.returncode != 0
    assert ended.stderr == "EFCP_PORT is 'http'; it must be a whole number from 1 to 65535.\n"


@pytest.mark.parametrize("command", ["run", "prepare", "watch", "work", "sandbox", "migrate"])
def test_nothing_starts_on_a_site_without_a_secret_key(command: str, tmp_path: Path) -> None:
    ended = manage(command, {"DATABASE_URL": "mysql://u:p@127.0.0.1:9/opensips"}, folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("EFCP_SECRET_KEY is not set")
    assert ended.stderr.count("\n") == 1


def test_production_settings_leave_the_deployment_check_nothing_to_say(tmp_path: Path) -> None:
    production = {
        "EFCP_URL": "https://panel.example.org",
        "DATABASE_URL": "mysql://u:p@127.0.0.1:9/opensips",
        "EFCP_SECRET_KEY": KEY,
    }
    ended = manage("check --deploy --fail-level INFO", production, folder=tmp_path)
    assert ended.stdout + ended.stderr == "System check identified no issues (0 silenced).\n"
    assert ended.returncode == 0


def test_a_database_that_does_not_answer_is_reported_in_one_line(tmp_path: Path) -> None:
    away = {"DATABASE_URL": "mysql://u:hush@127.0.0.1:9/opensips", "EFCP_SECRET_KEY": KEY}
    ended = manage("prepare", away, folder=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: The database can't be used:")
    assert ended.stderr.count("\n") == 1
    assert "hush" not in ended.stderr


def test_a_process_that_serves_no_pages_loads_nothing_for_them(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'efcp.settings'\n"
        "import django; django.setup(); import efcp.proxies.management.commands.watch\n"
        "print({'ninja', 'pydantic', 'jinja2', 'numpy', 'pyarrow'} & set(sys.modules))"
    )
    ended = manage("", {}, folder=tmp_path, program=("-c", code))
    assert (ended.stdout, ended.returncode) == ("set()\n", 0)
