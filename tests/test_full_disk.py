"""A disk that fills in the middle of a write: nothing of it stays, and its page reports it.

SQLite itself is made to refuse another page, between the statement of the row and that of its audit record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dialplan.models import Rule
from dispatcher.models import Destination
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.operations.alerts.models import NotificationRule
from efcp.proxies.models import Proxy
from tests.conftest import ClientAs
from tests.test_stale_forms import (
    GUARDED,
    NEW_PASSWORD,
    PROXY,
    ROW,
    RULE,
    address_of,
    sent_by,
    stored,
    token_fields,
)

pytestmark = pytest.mark.sqlite

ADDED: dict[str, tuple[type[Model], dict[str, Any]]] = {
    "accounts:add-user": (User, {"username": "carol", "role": "viewer"} | NEW_PASSWORD),
    "dispatcher:add": (Destination, ROW),
    "dialplan:add": (Rule, RULE),
    "notifications:add": (NotificationRule, GUARDED["notifications:edit"].sent | {"name": "night"}),
    "proxies:add": (Proxy, PROXY | {"enabled": ""}),
}
FILLER = (4_000, 1_000, 400, 200, 100, 1)
"""Lengths of what fills the last page of the audit records: the long ones first."""


@contextmanager
def full_disk() -> Iterator[None]:
    """Let the audit records have no room for another one."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages + 4}")
    try:
        for length in FILLER:
            _fill(length)
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1000000")


def _fill(length: int) -> None:
    while True:
        try:
            AuditRecord.objects.create(at=timezone.now(), reason="f" * length)
        except DatabaseError:
            return


@pytest.fixture
def administrator(transactional_db: None, client_as: ClientAs) -> Client:
    Destination.objects.all().delete()
    Rule.objects.all().delete()
    client = client_as(Role.ADMINISTRATOR)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("name", GUARDED)
def test_a_change_is_whole_or_not_there(administrator: Client, name: str) -> None:
    form, row = GUARDED[name], GUARDED[name].make()
    fields = sent_by(form, row) | token_fields(administrator, form, row)
    before = stored(row)
    with full_disk():
        records = AuditRecord.objects.count()
        answer = administrator.post(address_of(form, row), fields)
        _is_refused(answer.status_code, answer.content.decode())
        assert (stored(row), AuditRecord.objects.count()) == (before, records)
    administrator.post(address_of(form, row), fields)
    assert stored(row) != before


@pytest.mark.parametrize("name", ADDED)
def test_an_addition_is_whole_or_not_there(administrator: Client, name: str) -> None:
    model, fields = ADDED[name]
    before = model._default_manager.count()
    with full_disk():
        records = AuditRecord.objects.count()
        answer = administrator.post(reverse(name), fields)
        _is_refused(answer.status_code, answer.content.decode())
        assert (model._default_manager.count(), AuditRecord.objects.count()) == (before, records)
    assert administrator.post(reverse(name), fields).status_code == 302
    assert model._default_manager.count() == before + 1


def _is_refused(status: int, page: str) -> None:
    assert status == 503
    assert "The database is full" in page
    assert "Nothing was saved" in page
