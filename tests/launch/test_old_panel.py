"""`manage.py importpanel`: what it would take over, and what it does."""

import re
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from dialplan.models import DialplanName
from dispatcher.models import DestinationSet
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.launch.old_panel import role_of
from efcp.proxies.models import Proxy

TABLES = {
    "ocp_boxes_config": "id integer, name varchar(64), mi_conn varchar(64), assoc_id varchar(10),"
    " `desc` varchar(128)",
    "ocp_system_config": "assoc_id integer, name varchar(64), `desc` varchar(64)",
    "ocp_admin_privileges": "id integer, username varchar(64), password varchar(64), blocked varchar(60),"
    " available_tools varchar(512), permissions varchar(512)",
    "ocp_tools_config": "id integer, module varchar(64), param varchar(64), value blob, box_id varchar(15)",
    "ds_mappings": "id integer, name varchar(64)",
}
ROWS: dict[str, list[tuple[int | str | bytes | None, ...]]] = {
    "ocp_boxes_config": [
        (1, "edge", "json:127.0.0.1:8888/mi", "1", "first"),
        (2, "", "json:127.0.0.1:8889/mi", "1", "second"),
        (3, "old", "fifo:/tmp/opensips_fifo", "1", "no HTTP"),
        (4, "known", "json:127.0.0.1:8890/mi", "1", ""),
    ],
    "ocp_system_config": [(1, "System 0", "Default")],
    "ocp_admin_privileges": [
        (1, "admin", "x", None, "all", "all"),
        (2, "ops", "x", None, "cdrviewer,dispatcher", "admin,read-write"),
        (3, "eyes", "x", "2026-01-01", "dialplan", "read-only"),
        (4, "billing", "x", None, "cdrviewer", "admin"),
    ],
    "ocp_tools_config": [
        (1, "dispatcher", "dispatcher_groups_mode", b"array", ""),
        (2, "dispatcher", "dispatcher_groups", b'{"2": "Media", "x": "no number"}', ""),
        (3, "dispatcher", "results_per_page", b"90", ""),
        (4, "dispatcher", "dispatcher_partition", b"carriers", "2"),
        (5, "dialplan", "dialplan_groups_mode", b"database", ""),
        (6, "dialplan", "dialplan_groups", b'{"table": "ds_mappings", "id": "id", "name": "name"}', ""),
        (7, "dialplan", "dialplan_attributes_mode", b"0", ""),
    ],
    "ds_mappings": [(7, "Inbound")],
}


@pytest.fixture
def old_panel(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        for table, columns in TABLES.items():
            cursor.execute(f"CREATE TABLE {table} ({columns})")
            for row in ROWS[table]:
                marks = ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
    yield
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TABLE {table}")


def run(*options: str) -> str:
    printed = StringIO()
    call_command("importpanel", *options, stdout=printed)
    return printed.getvalue()


def test_the_plan_is_printed_first_and_carried_out_once(old_panel: None) -> None:
    Proxy.objects.create(name="here", mi_url="http://127.0.0.1:8890/mi")
    User.objects.create(username="Admin", role=Role.VIEWER, password="!")
    plan = run()
    for line in (
        "add   proxy          edge  (http://127.0.0.1:8888/mi, partition default, of the system System 0)",
        "add   proxy          second  (http://127.0.0.1:8889/mi, partition carriers, of the system System 0)",
        "skip  proxy          old  (its MI connector is not JSON-RPC over HTTP)",
        "keep  proxy          known  (http://127.0.0.1:8890/mi is the proxy here already)",
        "keep  user           admin  (a user of this name exists)",
        "add   user           eyes  (viewer, blocked)",
        "skip  user           billing  (may use neither dispatcher nor dialplan)",
        "add   set name       2: Media",
        "add   dialplan name  7: Inbound",
        "skip  setting        attribute check boxes",
        "6 to add. Nothing was written",
    ):
        assert line in plan, plan
    assert (Proxy.objects.count(), AuditRecord.objects.count()) == (1, 0)
    done = run("--apply")
    assert set(Proxy.objects.values_list("name", "partition")) == {
        ("here", "default"),
        ("edge", "default"),
        ("second", "carriers"),
    }
    assert User.objects.get(username="ops").role == Role.OPERATOR
    assert (User.objects.get(username="eyes").is_active, User.objects.get(username="ops").page_size) == (
        False,
        100,
    )
    assert DestinationSet.objects.get(pk=2).name == "Media"
    assert DialplanName.objects.get(pk=7).name == "Inbound"
    assert "0 to add" in run()
    link = re.search(r"Link for ops to set a password: \S+?(/cp/\S+)", done)
    assert link
    assert "for eyes" not in done
    client = Client()
    assert "For the user ops" in client.get(link[1]).content.decode()
    assert client.post(link[1], {"new_password": "x", "repeated_password": "x"}).status_code == 422
    password = {"new_password": "three green kettles", "repeated_password": "three green kettles"}
    assert client.post(link[1], password).status_code == 302
    assert User.objects.get(username="ops").check_password("three green kettles")
    assert client.get(link[1]).status_code == 404
    assert client.get(link[1].replace("/password/", "/password/9")).status_code == 404


def test_without_its_tables_there_is_nothing_to_take_over(db: None) -> None:
    with pytest.raises(CommandError, match="no tables of the OpenSIPS Control Panel"):
        run()


@pytest.mark.parametrize(
    ("tools", "permissions", "role"),
    [
        ("all", "all", Role.ADMINISTRATOR),
        ("dispatcher,dialplan", "read-only,admin", Role.ADMINISTRATOR),
        ("dispatcher", "read-write", Role.OPERATOR),
        ("all", "read-only", Role.VIEWER),
        ("cdrviewer", "read-write", None),
        ("", "", None),
    ],
)
def test_roles_are_the_nearest_ones(tools: str, permissions: str, role: Role | None) -> None:
    assert role_of(tools, permissions) is role
