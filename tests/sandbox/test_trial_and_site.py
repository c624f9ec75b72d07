"""What the sandbox may do in a trial, and what it never does on a site."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from dispatcher.models import Destination
from dispatcher.routing.destinations import DestinationState
from dispatcher.routing.memory import UnsavedState
from dispatcher.routing.rows import DestinationRow
from efcp.sandbox import tables
from efcp.sandbox.process import SandboxProcess
from efcp.sandbox.proxy import SandboxTables, TablesUnreadableError
from tests.environment import without_settings
from tests.sandbox.fixtures import RunningSandbox, running_sandbox, settings_of

URI = "sip:127.0.0.1:6001"
PROJECT = Path(__file__).resolve().parents[2]


def add(uri: str = URI, setid: int = 1, state: int = 0) -> None:
    """A row of the table, as another program would write it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dispatcher (setid, destination, state, attrs, description)"
            " VALUES (%s, %s, %s, '', '')",
            [setid, uri, state],
        )


def stored_states() -> list[int]:
    """The column `state` of all rows."""
    return list(Destination.objects.order_by("id").values_list("state", flat=True))


def on_a_site(settings: Settings) -> None:
    """As where DATABASE_URL names a database."""
    settings.CONFIGURATION = replace(settings.CONFIGURATION, trial=False)


def in_the_trial(settings: Settings) -> None:
    """As where nothing is set."""
    settings.CONFIGURATION = replace(settings.CONFIGURATION, trial=True)


def set_inactive(sandbox: RunningSandbox) -> None:
    """Load the table and set its destination inactive."""
    sandbox.call("ds_reload")
    sandbox.call("ds_set_state", state="i", group=1, address=URI.upper())


def test_in_the_trial_a_changed_state_is_written_to_the_table_if_it_is_sqlite_s(
    sandbox: RunningSandbox, settings: Settings
) -> None:
    in_the_trial(settings)
    add()
    add("sip:127.0.0.1:6002")
    sandbox.call("ds_reload")
    sandbox.call("ds_set_state", state="i", group=1, address=URI.upper())
    sandbox.process.flush()
    assert stored_states() == ([1, 0] if connection.vendor == "sqlite" else [0, 0])


def test_on_a_site_nothing_is_written_into_dispatcher(sandbox: RunningSandbox, settings: Settings) -> None:
    on_a_site(settings)
    add()
    set_inactive(sandbox)
    sandbox.process.flush()
    assert stored_states() == [0]


def test_on_a_site_nothing_is_written_at_the_end_either(opensips_tables: None, settings: Settings) -> None:
    on_a_site(settings)
    add()
    with running_sandbox() as sandbox:
        set_inactive(sandbox)
    assert stored_states() == [0]


def test_a_flush_touches_the_row_of_this_set_and_uri_only(opensips_tables: None, settings: Settings) -> None:
    in_the_trial(settings)
    add()
    add(setid=2)
    add(URI.upper())
    written = tables.flush([UnsavedState(1, URI, DestinationState.PROBING)])
    assert written == (1 if connection.vendor == "sqlite" else 0)
    assert stored_states() == ([2, 0, 0] if connection.vendor == "sqlite" else [0, 0, 0])


def test_states_that_could_not_be_written_are_written_later() -> None:
    row, saved = DestinationRow(1, URI), []

    def save(states: Sequence[UnsavedState]) -> None:
        saved.append(list(states))
        if len(saved) == 1:
            raise TablesUnreadableError

    process = SandboxProcess(settings_of(), tables=SandboxTables(lambda: [row], lambda: (), "none", save))
    process.proxy.reload()
    process.proxy.set_state(1, URI, DestinationState.INACTIVE)
    process.flush()
    process.flush()
    process.flush()
    unsaved = UnsavedState(1, URI, DestinationState.INACTIVE)
    assert saved == [[unsaved], [unsaved], []]


def test_on_a_site_it_runs_only_when_enabled(settings: Settings) -> None:
    on_a_site(settings)
    off = replace(settings.CONFIGURATION.sandbox, enabled=False)
    settings.CONFIGURATION = replace(settings.CONFIGURATION, sandbox=off)
    with pytest.raises(CommandError, match="EFCP_SANDBOX=1"):
        call_command("sandbox")


@pytest.mark.parametrize(
    ("named", "enabled", "part_of_all"),
    [
        ({}, True, True),
        ({"DATABASE_URL": "sqlite:///{folder}/site.sqlite3"}, False, False),
        ({"DATABASE_URL": "sqlite:///{folder}/site.sqlite3", "EFCP_SANDBOX": "1"}, True, False),
    ],
)
def test_only_in_the_trial_it_is_on_by_itself_and_part_of_all_proxies(
    tmp_path: Path, named: dict[str, str], enabled: bool, part_of_all: bool
) -> None:
    environment = without_settings() | {"EFCP_DATA_DIR": str(tmp_path), "EFCP_SECRET_KEY": "s" * 50}
    environment |= {name: value.format(folder=tmp_path) for name, value in named.items()}
    code = "from efcp import settings as s; print(s.CONFIGURATION.sandbox.enabled, s.SANDBOX_IS_PART_OF_ALL)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(enabled), str(part_of_all)]
