"""The index that is suggested, and created only on request."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from dispatcher import indexes
from efcp.accounts.roles import Role
from tests.conftest import ClientAs


@pytest.fixture
def without_index(transactional_db: None) -> Iterator[None]:
    """Take the index away again: DDL outlives the test's transaction on MariaDB."""
    yield
    if indexes.exists():
        on_table = " ON dispatcher" if connection.vendor == "mysql" else ""
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {indexes.NAME}{on_table}")


@pytest.mark.usefixtures("without_index")
def test_the_index_is_suggested_for_a_large_table_until_it_exists(
    client_as: ClientAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "PAYS_FROM_ROWS", 0)
    administrator = client_as(Role.ADMINISTRATOR)
    assert "dispatcherindex" in administrator.get(reverse("operations:reload")).content.decode()
    assert not indexes.exists()
    call_command("dispatcherindex")
    assert indexes.exists()
    assert "dispatcherindex" not in administrator.get(reverse("operations:reload")).content.decode()


def test_nothing_is_suggested_for_a_small_table(db: None) -> None:
    assert indexes.suggestion() == ""
