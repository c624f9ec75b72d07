"""Fixtures for every test: people of each role, and clients signed in as them."""

from collections.abc import Callable

import pytest
from django.db import connections
from django.test import Client

from efcp.accounts.models import User
from efcp.accounts.roles import Role


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Give each worker a test database; SQLite's is a file, since in memory threads lock each other out."""
    database = connections["default"]
    if database.vendor == "sqlite":
        path = tmp_path_factory.mktemp("database") / "test.sqlite3"
        database.settings_dict["TEST"]["NAME"] = str(path)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: pytest.FixtureRequest) -> None:
    """Hash with MD5 in tests: Argon2 is slow by design, and only tests/accounts is about it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Return a function that stores a user of a role and returns it; the password is `long-enough-1`."""

    def make(role: Role, username: str | None = None) -> User:
        user = User(username=username or role.value, role=role)
        user.set_password("long-enough-1")
        user.save()
        return user

    return make


@pytest.fixture
def client_as(make_user: Callable[..., User]) -> Callable[[Role | None], Client]:
    """Return a function that gives a client signed in as a new user of the role, or anonymous for None."""

    def make(role: Role | None) -> Client:
        client = Client()
        if role is not None:
            client.force_login(make_user(role))
        return client

    return make
