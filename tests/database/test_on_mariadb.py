"""What only a MariaDB server can show: its catalogue, its rights, its log, its character sets."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.urls import reverse

from dialplan.table import DIALPLAN
from dispatcher.models import Destination
from dispatcher.table import DISPATCHER
from efcp.accounts.roles import Role
from efcp.database.opensips import adopt_or_create
from tests.conftest import ClientAs
from tests.database import releases
from tests.database.conftest import Schema, mysql_url

pytestmark = pytest.mark.mariadb

COLUMNS = (
    "SELECT column_name, column_type, is_nullable, column_default, extra FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position"
)


def new(**changes: str) -> dict[str, str]:
    """The form to add a destination, as a browser sends it."""
    return {
        "setid": "3",
        "destination": "sip:10.0.0.77",
        "socket": "",
        "state": "0",
        "weight": "1",
        "attrs": "",
        "probe_mode": "0",
        "description": "",
        "priority": "0",
    } | changes


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("dispatcher", releases.DISPATCHER_COLUMNS),
        ("dialplan", releases.DIALPLAN_COLUMNS),
        ("version", releases.VERSION_COLUMNS),
    ],
)
def test_a_table_that_the_panel_makes_equals_opensips_s_column_for_column(
    schema: Schema, table: str, columns: tuple[tuple[object, ...], ...]
) -> None:
    with schema.connection.schema_editor() as editor:
        for each in (DISPATCHER, DIALPLAN):
            adopt_or_create(each)(None, editor)
    assert tuple(schema.rows(COLUMNS, table)) == columns


def test_in_a_latin1_schema_the_panel_s_own_tables_are_utf8mb4_and_the_schema_stays(
    latin1_schema: Schema,
) -> None:
    assert latin1_schema.manage("prepare").returncode == 0
    of_tables = latin1_schema.rows(
        "SELECT table_name, table_collation FROM information_schema.tables WHERE table_schema = DATABASE()"
    )
    theirs = {name for name, collation in of_tables if collation.startswith("latin1_")}
    ours = {name: collation for name, collation in of_tables if name not in theirs}
    assert theirs == {"dispatcher", "dialplan", "version"}
    assert set(ours.values()) == {"utf8mb4_bin"}
    charset = (
        "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = DATABASE()"
    )
    assert latin1_schema.rows(charset) == [("latin1",)]


@contextmanager
def user_with(*grants: str) -> Iterator[str]:
    """Create a database user with these grants for a while, and yield its name; the password is `hush`."""
    name = f"u{uuid.uuid4().hex[:12]}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY 'hush'")
        try:
            for grant in grants:
                cursor.execute(f"GRANT {grant} TO '{name}'@'127.0.0.1'")
            yield name
        finally:
            cursor.execute(f"DROP USER '{name}'@'127.0.0.1'")


@pytest.mark.parametrize("lacking", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_a_right_that_the_database_user_lacks_on_opensips_s_table_is_named_at_start(
    schema: Schema, lacking: str
) -> None:
    assert schema.manage("prepare").returncode == 0
    name = schema.connection.settings_dict["NAME"]
    own = [f"ALL ON {name}.{table}" for (table,) in schema.rows("SHOW TABLES") if table != "dispatcher"]
    rights = ", ".join({"SELECT", "INSERT", "UPDATE", "DELETE"} - {lacking})
    with user_with(*own, f"{rights} ON {name}.dispatcher") as user:
        ended = schema.manage("prepare", url=mysql_url(name, user, "hush"))
    assert ended.returncode == 1
    message = f"The database user lacks the right {lacking} on the table dispatcher: {lacking} command denied"
    assert ended.stderr.startswith(f"CommandError: {message}")
    assert ended.stderr.count("\n") == 1


def test_lacking_rights_to_create_tables_are_reported_in_one_line(schema: Schema) -> None:
    name = schema.connection.settings_dict["NAME"]
    with user_with(f"SELECT ON {name}.*") as user:
        ended = schema.manage("prepare", url=mysql_url(name, user, "hush"))
    assert ended.returncode == 1
    assert "CREATE command denied to user" in ended.stderr
    assert ended.stderr.count("\n") == 1


@contextmanager
def general_log() -> Iterator[list[str]]:
    """Have the server log every statement; at the end the list holds those of this connection."""
    path = Path(os.environ["EFCP_TESTS_MARIADB_FOLDER"]) / f"general-{uuid.uuid4().hex}.log"
    statements: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        own = cursor.fetchone()[0]
        cursor.execute("SET GLOBAL general_log_file = %s", [str(path)])
        cursor.execute("SET GLOBAL log_output = 'FILE'")
        cursor.execute("SET GLOBAL general_log = ON")
        try:
            yield statements
        finally:
            cursor.execute("SET GLOBAL general_log = OFF")
    logged = re.findall(r"\t\s*(\d+) Query\t(.*)", path.read_text(encoding="utf-8"))
    statements += [text for number, text in logged if int(number) == own]


@pytest.mark.django_db
def test_an_ordinary_add_is_one_insert_with_exactly_eight_columns_and_eight_values(
    client_as: ClientAs,
) -> None:
    client = client_as(Role.ADMINISTRATOR)
    with general_log() as statements:
        assert client.post(reverse("dispatcher:add"), new()).status_code == 302
    inserts = [text for text in statements if re.match(r"INSERT INTO `?dispatcher\b", text)]
    columns = "(setid, destination, socket, state, weight, attrs, probe_mode, description)"
    values = "(3, 'sip:10.0.0.77', NULL, 0, '1', '', 0, '')"
    assert inserts == [f"INSERT INTO dispatcher {columns} VALUES {values}"]  # noqa: S608 - compared


@pytest.mark.django_db
def test_an_ordinary_rule_is_one_insert_with_exactly_eight_columns_and_eight_values(
    client_as: ClientAs,
) -> None:
    client = client_as(Role.ADMINISTRATOR)
    rule = {"dpid": "1", "pr": "2", "match_op": "1", "match_exp": "^0", "repl_exp": "1", "attrs": "x"}
    with general_log() as statements:
        assert client.post(reverse("dialplan:add"), rule).status_code == 302
    inserts = [text for text in statements if re.match(r"INSERT INTO `?dialplan\b", text)]
    columns = "(dpid, pr, match_op, match_exp, match_flags, subst_exp, repl_exp, attrs)"
    assert inserts == [f"INSERT INTO dialplan {columns} VALUES (1, 2, 1, '^0', 0, NULL, '1', 'x')"]  # noqa: S608 - compared


@pytest.fixture
def latin1_table(transactional_db: None) -> Iterator[None]:
    """Put a latin1 table `dispatcher` in place of the panel's, until the test's end."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE dispatcher")
        cursor.execute(f"{releases.dispatcher(connection, '3.4')} CHARACTER SET latin1")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE dispatcher")
        cursor.execute(DISPATCHER.ddl["mysql"])


@pytest.mark.usefixtures("latin1_table")
def test_a_character_that_a_latin1_column_lacks_is_an_error_at_its_field(client_as: ClientAs) -> None:
    answer = client_as(Role.ADMINISTRATOR).post(reverse("dispatcher:add"), new(description="Żółw"))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["description"]
    assert not Destination.objects.exists()


@pytest.mark.usefixtures("latin1_table")
def test_a_character_that_a_latin1_column_has_is_stored(client_as: ClientAs) -> None:
    client_as(Role.ADMINISTRATOR).post(reverse("dispatcher:add"), new(description="Zürich"))
    assert Destination.objects.get().description == "Zürich"
