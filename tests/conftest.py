"""Fixtures for every test: people of each role, and clients signed in as them."""

import os
from collections.abc import Callable, Iterator
from itertools import chain, groupby

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection, connections
from django.db.models.signals import post_migrate
from django.http import HttpResponse
from django.test import Client
from hypothesis import settings
from pytest_django.fixtures import Settings

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.accounts.sessions import COOKIE, remember_browser
from tests.dns_server import name_server
from tests.factories import UserFactory

__all__ = ["name_server"]

# No test asserts how long it takes. CI draws the same examples each time; `make fuzz` draws many new ones,
# and `make mutants` few, since it runs the tests thousands of times.
settings.register_profile("efcp", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("fuzz", deadline=None, derandomize=False, max_examples=1_000, print_blob=True)
settings.register_profile("mutants", deadline=None, derandomize=True, database=None, max_examples=20)
settings.load_profile("ci" if os.environ.get("CI") else "efcp")

LONG_DIRECTORIES = {"browser", "database", "launch"}
EMPTIED = {"dispatcher": "DELETE FROM dispatcher", "dialplan": "DELETE FROM dialplan"}
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_serialized_rollback", "live_server"}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Give each worker a test database; SQLite's is a file, since in memory threads lock each other out."""
    database = connections["default"]
    if database.vendor == "sqlite":
        path = tmp_path_factory.mktemp("database") / "test.sqlite3"
        database.settings_dict["TEST"]["NAME"] = str(path)
        database.settings_dict["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
    # Each flush sends post_migrate, and to store permissions and content types again takes twenty times as
    # long as to empty the tables. The panel has neither.
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--database-only` leaves out the tests that would do the same on every database."""
    parser.addoption("--database-only", action="store_true", help="only tests that use the database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, never skip, what this run leaves out."""
    on_mariadb = connections["default"].vendor == "mysql"

    def is_selected(item: pytest.Item) -> bool:
        if item.get_closest_marker("mariadb"):
            return on_mariadb
        if on_mariadb and item.get_closest_marker("sqlite"):
            return False
        if item.get_closest_marker("browser") or not config.getoption("--database-only"):
            return not config.getoption("--database-only")
        fixtures = set(getattr(item, "fixturenames", ()))
        return bool(fixtures & DATABASE_FIXTURES) or item.get_closest_marker("django_db") is not None

    selected = [item for item in items if is_selected(item)]
    config.hook.pytest_deselected(items=[item for item in items if not is_selected(item)])
    # Each worker begins with an equal part of the list. Its share of the long tests comes first, or the last
    # of them would run while the others have nothing left to do. A module's tests stay together, since each
    # worker that runs some of them starts the module's panel again.
    long = groupby((item for item in selected if _is_long(item)), key=lambda item: item.path)
    modules = [list(tests) for _path, tests in long]
    short = [item for item in selected if not _is_long(item)]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    parts = ((*chain(*modules[worker::workers]), *short[worker::workers]) for worker in range(workers))
    items[:] = [item for part in parts for item in part]


def _is_long(item: pytest.Item) -> bool:
    """Whether a test takes seconds, most of them waiting for processes that it starts."""
    return item.get_closest_marker("long") is not None or not LONG_DIRECTORIES.isdisjoint(item.path.parts)


@pytest.fixture(autouse=True)
def _opensips_tables_are_left_empty(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty OpenSIPS's tables after a test that commits: Django empties only those that it manages."""
    marker = request.node.get_closest_marker("django_db")
    commits = marker is not None and bool(marker.kwargs.get("transaction"))
    if not commits and "transactional_db" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as cursor:
        present = connection.introspection.table_names(cursor)
        for table, statement in EMPTIED.items():
            if table in present:
                cursor.execute(statement)


@pytest.fixture(autouse=True)
def _quick_passwords_and_plain_static_files(settings: Settings) -> None:
    """Hash with MD5, since Argon2 is slow by design; and need no manifest of collected static files."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STATIC_ROOT = settings.STATICFILES_DIRS[0]
    settings.STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


MakeUser = Callable[..., User]
ClientAs = Callable[[Role | None], Client]
AddRow = Callable[..., int]
AddRule = Callable[..., int]


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Return a function that stores a user of a role and returns it; the password is `long-enough-1`."""

    def make(role: Role, username: str | None = None) -> User:
        return UserFactory.create(role=role, **({"username": username} if username else {}))

    return make


@pytest.fixture
def client_as(make_user: MakeUser) -> ClientAs:
    """Return a function that gives a client signed in as a new user of the role, or anonymous for None."""

    def make(role: Role | None) -> Client:
        client = Client()
        if role is not None:
            client.force_login(make_user(role))
        return client

    return make


@pytest.fixture
def viewer(client_as: ClientAs) -> Client:
    """A client signed in as a viewer."""
    return client_as(Role.VIEWER)


@pytest.fixture
def operator(client_as: ClientAs) -> Client:
    """A client signed in as an operator."""
    return client_as(Role.OPERATOR)


@pytest.fixture
def administrator(client_as: ClientAs) -> Client:
    """A client signed in as an administrator."""
    return client_as(Role.ADMINISTRATOR)


@pytest.fixture
def client_whose_session_ended() -> Client:
    """A browser that somebody was signed in with, and is not any more."""
    client, response = Client(), HttpResponse()
    remember_browser(response, "somebody")
    client.cookies[COOKIE] = response.cookies[COOKIE].value
    return client
