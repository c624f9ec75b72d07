"""OpenSIPS's tables: adopted as they are where they exist, made as OpenSIPS makes them where not."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from dialplan.table import DIALPLAN
from dispatcher import services
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.table import DISPATCHER
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.database.opensips import OpenSIPSTable, UnusableTableError, adopt_or_create, verify_version
from tests.database import releases
from tests.database.conftest import Schema

SOMEBODY = Actor("somebody", "192.0.2.7")
ROW = "INSERT INTO dispatcher (setid, destination) VALUES (7, 'sip:10.0.0.1')"


def migrate(schema: Schema, table: OpenSIPSTable) -> None:
    """Do the migration's step for the table alone."""
    with schema.connection.schema_editor() as editor:
        adopt_or_create(table)(None, editor)


def definition(schema: Schema, table: str) -> Any:
    """All that the database itself tells of how a table was made."""
    if schema.connection.vendor == "mysql":
        return schema.rows(f"SHOW CREATE TABLE {table}")
    return schema.rows("SELECT sql FROM sqlite_master WHERE tbl_name = %s ORDER BY name", table)


@pytest.mark.parametrize("release", ["3.4", "4.0"])
def test_every_migration_leaves_an_existing_table_and_its_rows_as_they_are(
    schema: Schema, release: str
) -> None:
    schema.execute(
        releases.version(schema.connection),
        releases.dispatcher(schema.connection, release),
        "INSERT INTO version VALUES ('dispatcher', 9)",
        "INSERT INTO version VALUES ('address', 5)",
        ROW,
    )
    before = definition(schema, "dispatcher"), definition(schema, "version")
    rows = schema.rows("SELECT * FROM dispatcher")
    ended = schema.manage("prepare")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (definition(schema, "dispatcher"), definition(schema, "version")) == before
    assert schema.rows("SELECT * FROM dispatcher") == rows
    assert sorted(schema.rows("SELECT * FROM version")) == [
        ("address", 5),
        ("dialplan", 5),
        ("dispatcher", 9),
    ]


@pytest.mark.parametrize("table", [DISPATCHER, DIALPLAN], ids=lambda table: table.name)
def test_a_missing_table_is_created_with_its_version_row(schema: Schema, table: OpenSIPSTable) -> None:
    migrate(schema, table)
    assert schema.rows("SELECT * FROM version") == [(table.name, table.version)]
    assert schema.rows(f"SELECT * FROM {table.name}") == []  # noqa: S608 - our own names


def test_the_version_row_of_a_table_that_was_dropped_is_renewed(schema: Schema) -> None:
    schema.execute(releases.version(schema.connection), "INSERT INTO version VALUES ('dispatcher', 8)")
    migrate(schema, DISPATCHER)
    assert schema.rows("SELECT * FROM version") == [("dispatcher", 9)]


@pytest.mark.parametrize(
    ("found", "message"),
    [(8, "version 8 (OpenSIPS 2.3 to 3.3)"), (10, "version 10"), (4, "version 4")],
)
def test_a_table_of_another_version_is_refused_with_both_versions_and_the_release(
    schema: Schema, found: int, message: str
) -> None:
    schema.execute(
        releases.version(schema.connection),
        releases.dispatcher(schema.connection, "3.4"),
        f"INSERT INTO version VALUES ('dispatcher', {found})",  # noqa: S608 - our own numbers
    )
    with pytest.raises(UnusableTableError) as caught:
        migrate(schema, DISPATCHER)
    assert str(caught.value) == (
        f"The table dispatcher has {message}; this panel needs version 9 (OpenSIPS 3.4 to 4.0)."
    )


@pytest.mark.parametrize("command", ["prepare", "migrate"])
def test_a_start_on_a_table_of_another_version_ends_with_that_one_line(schema: Schema, command: str) -> None:
    schema.execute(
        releases.version(schema.connection),
        releases.dispatcher(schema.connection, "3.4"),
        "INSERT INTO version VALUES ('dispatcher', 8)",
    )
    ended = schema.manage(command)
    assert ended.returncode != 0
    assert ended.stderr.endswith(
        "The table dispatcher has version 8 (OpenSIPS 2.3 to 3.3);"
        " this panel needs version 9 (OpenSIPS 3.4 to 4.0).\n"
    )
    assert ended.stderr.count("\n") == 1


def test_a_table_that_changed_its_version_after_the_migrations_is_refused_at_start(schema: Schema) -> None:
    assert schema.manage("prepare").returncode == 0
    schema.execute("UPDATE version SET table_version = 6 WHERE table_name = 'dialplan'")
    ended = schema.manage("prepare")
    assert ended.stderr == (
        "CommandError: The table dialplan has version 6; this panel needs version 5 (OpenSIPS 2.1 to 4.0).\n"
    )


def test_tables_of_a_newer_panel_are_refused_at_start(schema: Schema) -> None:
    assert schema.manage("prepare").returncode == 0
    schema.execute(
        "INSERT INTO django_migrations (app, name, applied)"
        " VALUES ('audit', '9999_newer', '2026-11-27 12:00:00')"
    )
    ended = schema.manage("prepare")
    assert ended.returncode != 0
    assert ended.stderr == (
        "CommandError: The database was made by a newer version of the panel (audit.9999_newer):"
        " install that, or restore a backup.\n"
    )


def test_a_table_of_the_panel_that_is_missing_is_reported_at_start(schema: Schema) -> None:
    assert schema.manage("prepare").returncode == 0
    schema.execute("DROP TABLE efcp_audit")
    ended = schema.manage("prepare")
    assert ended.returncode != 0
    assert ended.stderr == (
        "CommandError: The database lacks the table efcp_audit: restore a backup, or begin with an empty"
        " schema.\n"
    )


@pytest.mark.parametrize("with_version_table", [True, False], ids=["no row", "no table version"])
def test_a_table_without_a_version_row_is_refused(schema: Schema, with_version_table: bool) -> None:
    schema.execute(releases.dispatcher(schema.connection, "3.4"))
    if with_version_table:
        schema.execute(releases.version(schema.connection))
    with pytest.raises(UnusableTableError, match=r"^The table dispatcher has no row in the table version;"):
        migrate(schema, DISPATCHER)


def test_a_table_that_vanished_is_reported(schema: Schema) -> None:
    with pytest.raises(UnusableTableError, match=r"^The table dispatcher does not exist: run"):
        verify_version(schema.connection, DISPATCHER)


@pytest.fixture(params=["3.4", "4.0"])
def table_of_release(transactional_db: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """Put a release's own table `dispatcher` in place of the panel's, until the test's end."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE dispatcher")
        cursor.execute(releases.dispatcher(connection, request.param))
    yield request.param
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE dispatcher")
        cursor.execute(DISPATCHER.ddl[connection.vendor])


@pytest.mark.usefixtures("table_of_release")
def test_rows_are_added_and_edited_whether_empty_text_is_null_or_not() -> None:
    row_id = services.add(DestinationRow(setid=7, destination="sip:10.0.0.1"), SOMEBODY)
    original = DestinationRow.of(Destination.objects.get(pk=row_id))
    services.update(row_id, original, replace(original, weight="5", attrs="a=1"), SOMEBODY)
    stored = Destination.objects.get(pk=row_id)
    assert (stored.weight, stored.attrs, stored.description) == ("5", "a=1", "")


@pytest.mark.usefixtures("table_of_release")
def test_the_pages_add_and_edit_there() -> None:
    client = Client()
    client.force_login(User.objects.create(username="anna", role=Role.ADMINISTRATOR))
    typed = {
        "setid": "7",
        "destination": "sip:10.0.0.1",
        "state": "0",
        "weight": "1",
        "probe_mode": "0",
        "priority": "0",
    }
    assert client.post(reverse("dispatcher:add"), typed).status_code == 302
    row = Destination.objects.get()
    page = reverse("dispatcher:edit", args=[row.pk])
    original = client.get(page).context["form"]["original"].value()
    changed = typed | {"description": "gateway", "original": original}
    assert client.post(page, changed).status_code == 302
    row.refresh_from_db()
    assert row.description == "gateway"
