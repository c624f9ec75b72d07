"""The list is kept while nothing that it shows has changed, and shows what other hands changed at once."""

import gzip
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispatcher import list_page
from dispatcher.models import Destination
from dispatcher.selectors import DestinationQuery
from dispatcher.table_index import read_index
from efcp.accounts.roles import Role
from efcp.compression import deflated, gzip_of
from efcp.database.versions import SETTLED_AFTER_S
from efcp.kept import EACH_VISIT
from efcp.proxies.models import KnownDestination, ProxyContact
from efcp.proxies.selectors import watched_proxies
from tests.dispatcher.conftest import hold, make_proxy

LIST = reverse("dispatcher:list")
PENDING = reverse("dispatcher:pending")
PART = {"HX-Request": "true", "HX-Target": "destinations"}


def text(client: Client, path: str = LIST) -> str:
    return client.get(path).content.decode()


def change_the_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE dispatcher SET description = 'by other hands'")


def change_the_memory() -> None:
    KnownDestination.objects.update(state="probing")


@pytest.mark.django_db(transaction=True)
def test_a_change_by_other_hands_shows_in_the_next_answer(
    client_as: Callable[[Role | None], Client],
) -> None:
    proxy = make_proxy("edge-1")
    Destination.objects.create(setid=1, destination="sip:10.0.0.1", weight="1")
    hold(proxy, "sip:10.0.0.1", weight=1, since=timezone.now() - timedelta(days=3))
    # However slow the machine is, the proxy counts as answering, and the age above stays the same.
    ProxyContact.objects.update(interval_s=3600)
    administrator, viewer = client_as(Role.ADMINISTRATOR), client_as(Role.VIEWER)
    keeps = connection.vendor == "mysql"
    for change, shows, count in (
        (change_the_table, "by other hands", "1 change"),
        (change_the_memory, "chip-probing", "1 change"),
    ):
        if keeps:
            time.sleep(SETTLED_AFTER_S + 1.1)
        assert shows not in text(administrator)
        text(administrator, PENDING)
        with CaptureQueriesContext(connection) as queries:
            text(administrator)
            text(administrator, PENDING)
        assert not keeps or len(queries) == 4  # the session with its user, and the proxies, for each
        tag = administrator.get(LIST, headers=PART).headers.get("ETag", "")
        known = PART | {"If-None-Match": tag}
        assert administrator.get(LIST, headers=known).status_code == (304 if keeps else 200)
        assert 'name="id"' not in text(viewer)

        change()

        assert shows in text(administrator)
        assert count in text(administrator, PENDING)
        assert shows in administrator.get(LIST, headers=known).content.decode()


@pytest.mark.parametrize("address", ["", "page=2", "page=9", "setid=3", "q=10.0&page=2", "sort=-weight"])
def test_a_page_by_the_index_is_the_page_without_it(db: None, address: str) -> None:
    proxy = make_proxy("edge-1")
    for number in range(70):
        uri = f"sip:10.0.{number % 4}.{number}"
        Destination.objects.create(setid=number % 7, destination=uri, priority=number % 3, weight="2")
        hold(proxy, uri if number % 5 else f"{uri};gone", setid=number % 7)
    query = DestinationQuery.parse(dict(parse_qsl(address)))
    watched = watched_proxies()
    assert list_page.build(query, watched, read_index()) == list_page.build(query, watched)


def test_the_columns_that_a_visit_changes_are_those_of_the_model() -> None:
    assert {each.attname for each in ProxyContact._meta.concrete_fields} >= EACH_VISIT


def test_each_answer_has_a_token_and_a_nonce_of_its_own(client_as: Callable[[Role | None], Client]) -> None:
    client = client_as(Role.ADMINISTRATOR)
    one, other = (client.get(LIST) for _ in range(2))
    assert one.content != other.content
    assert b"of-this-answer" not in one.content
    assert one.headers["Content-Security-Policy"] != other.headers["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("wording", ["csrf-token-of-this-answer", "nonce-of-this-answer"])
def test_a_text_of_the_table_is_never_taken_for_a_token(
    client_as: Callable[[Role | None], Client], wording: str
) -> None:
    Destination.objects.create(setid=1, destination="sip:10.0.0.1", description=f"<{wording}>")
    assert f"&lt;{wording}&gt;" in text(client_as(Role.VIEWER))


@pytest.mark.parametrize("path", [LIST, reverse("audit:list")])
def test_a_page_is_compressed_where_the_browser_takes_it(
    client_as: Callable[[Role | None], Client], path: str
) -> None:
    client = client_as(Role.VIEWER)
    response = client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.content).startswith(b"<!doctype html>")
    assert "Accept-Encoding" in response.headers["Vary"]
    assert "Content-Encoding" not in client.get(path).headers


def test_what_differs_from_answer_to_answer_is_stored_as_it_is() -> None:
    """A secret that is compressed along with what a visitor chose can be guessed by the length (BREACH)."""
    parts = [b"<p>" * 500, b"token", b"", b"nonce", b"token" * 9]
    stream = gzip_of(parts, [deflated(part) for part in parts[::2]])
    assert gzip.decompress(stream) == b"".join(parts)
    assert b"token" in stream
    assert b"nonce" in stream
