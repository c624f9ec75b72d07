"""An upgrade from the version before keeps every row of every table, whatever its columns are called now."""

import json
import subprocess
import sys
from typing import Any

import pytest

from efcp.configuration import PROJECT_DIR
from tests.database.conftest import Schema

pytestmark = pytest.mark.long

RENAMED = {
    "efcp_maintenance": {"despite_empty": "allow_empty_set"},
    "efcp_notice": {"made_at": "created_at"},
    "efcp_notification_rule": {"tells_back": "notify_recovery"},
    "efcp_outage": {"told_at": "notified_at"},
    "efcp_job_run": {"asked_at": "requested_at"},
    "efcp_proxy_contact": {
        "asked_at": "requested_at",
        "tried_at": "attempted_at",
        "seen_at": "answered_at",
        "probes_seen_at": "probes_reported_at",
        "reports_asked_at": "reports_requested_at",
        "switches_mark": "flags_cursor",
        "loads_mark": "loads_cursor",
        "late_switches": "late_reports",
    },
    "efcp_proxy_load": {
        "mark": "reports_cursor",
        "begun_at": "started_at",
        "reports_asked_at": "reports_requested_at",
    },
    "efcp_reload_result": {"settled_at": "reconciled_at"},
    "efcp_state_result": {"settled_at": "reconciled_at", "state_wanted": "state_requested"},
}
"""Columns by table: the former name, and the one of now."""


def row_of(schema: Schema, table: str) -> dict[str, Any]:
    """The only row of a table, by column."""
    with schema.connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - a table's name
        (row,) = cursor.fetchall()
        return dict(zip((column[0] for column in cursor.description), row, strict=True))


def test_an_upgrade_keeps_a_row_of_each_table(schema: Schema) -> None:
    former = subprocess.run(
        [sys.executable, "-m", "tests.database.former_rows"],
        cwd=PROJECT_DIR,
        env=schema.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert former.returncode == 0, former.stderr
    before = {table: row_of(schema, table) for table in json.loads(former.stdout)}
    assert len(before) > 30
    upgraded = schema.manage("migrate")
    assert (upgraded.returncode, upgraded.stderr) == (0, "")
    for table, row in before.items():
        renamed = RENAMED.get(table, {})
        expected = {renamed.get(column, column): value for column, value in row.items()}
        now = row_of(schema, table)
        assert {column: now.get(column) for column in expected} == expected, table
