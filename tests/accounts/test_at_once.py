"""What several processes do at the same moment, on a database of their own."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from efcp.accounts.throttle import ACCOUNT_PACE
from tests.environment import DATABASE, migrated_database

pytestmark = pytest.mark.long
PROJECT = Path(__file__).parent.parent.parent
PREAMBLE = """
import sys, django
django.setup()
from datetime import UTC, datetime
from efcp.accounts.models import User, FailedLogins
from efcp.accounts.roles import Role
from efcp.accounts import services, throttle
from efcp.audit.services import Actor
print("ready", flush=True)
sys.stdin.readline()
"""


class Installation:
    """An installation with a database of its own, in which processes can be run side by side."""

    def __init__(self, folder: Path, database_url: str | None) -> None:
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "efcp.settings",
            "EFCP_DATA_DIR": str(folder),
        }
        self.environment.pop("DATABASE_URL", None)
        if database_url is not None:
            self.environment["DATABASE_URL"] = database_url
        self.running: list[subprocess.Popen[str]] = []

    def start(self, code: str) -> "subprocess.Popen[str]":
        """A process that waits for a line before it runs `code`."""
        process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + code],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def at_once(self, *codes: str) -> list[str]:
        """Run the codes in processes of their own, started together; return what each printed."""
        processes = [self.start(code) for code in codes]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [process.communicate(timeout=60)[0].strip() for process in processes]


@pytest.fixture(scope="module")
def schema_url(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str | None]:
    """A migrated schema of its own on the server that the tests run on; None on SQLite."""
    if connection.vendor != "mysql":
        yield None
        return
    name = f"efcp_at_once_{secrets.token_hex(6)}"
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET latin1")
        command = [sys.executable, "manage.py", "migrate", "--skip-checks", "-v0"]
        subprocess.run(command, cwd=PROJECT, env=os.environ | {"DATABASE_URL": url}, check=True)
        yield url
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def installation(db: None, tmp_path: Path, schema_url: str | None) -> Iterator[Installation]:
    if schema_url is None:
        (tmp_path / DATABASE).write_bytes(migrated_database())
    else:
        schema = urlsplit(schema_url).path[1:]
        with connection._nodb_cursor() as cursor:
            for table in ("efcp_user", "efcp_wrong_tries", "efcp_audit"):
                cursor.execute(f"DELETE FROM {schema}.{table}")  # noqa: S608 - our own names
    created = Installation(tmp_path, schema_url)
    yield created
    for process in created.running:
        process.kill()
        process.communicate()


def test_wrong_tries_at_once_all_count_and_no_more_are_let_through_than_one_after_another(
    installation: Installation,
) -> None:
    tries = """
now = datetime(2026, 3, 1, tzinfo=UTC)
results = [throttle.count_attempt("ada", "192.0.2.1", now) for _ in range(5)]
print(sum(isinstance(each, throttle.LoginAttempt) for each in results))
"""
    let_through = installation.at_once(*[tries] * 4)
    (count,) = installation.at_once('print(FailedLogins.objects.get(key__startswith="account:").count)')

    assert sum(map(int, let_through)) == ACCOUNT_PACE.free + 1 == int(count)


@pytest.mark.parametrize(
    "removal",
    [
        "services.delete_user({}, Actor('x'))",
        "services.change_user({}, Role.VIEWER, True, Actor('x'))",
        "services.change_user({}, Role.ADMINISTRATOR, False, Actor('x'))",
    ],
)
def test_two_administrators_who_remove_each_other_at_once_leave_one(
    removal: str, installation: Installation
) -> None:
    (ids,) = installation.at_once(
        """
for name in ("ada", "bob"):
    print(User.objects.create(username=name, role=Role.ADMINISTRATOR).pk, end=" ")
"""
    )
    attempt = """
try:
    {}
    print("removed")
except services.LastAdministratorError:
    print("refused")
"""
    outcomes = installation.at_once(*[attempt.format(removal.format(each)) for each in ids.split()])
    (left,) = installation.at_once(
        "print(User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).count())"
    )

    assert sorted(outcomes) == ["refused", "removed"]
    assert left == "1"


def test_several_starts_at_once_create_one_first_administrator(installation: Installation) -> None:
    created = installation.at_once(*["print(services.create_first_administrator('opensips', True))"] * 3)
    (left,) = installation.at_once("print(User.objects.count())")

    assert sorted(created) == ["False", "False", "True"]
    assert left == "1"
