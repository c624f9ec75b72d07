"""The health check, whose word about the way here counts, and what a page says when the database is away."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from tests.conftest import ClientAs

NEW = {
    "setid": "3",
    "destination": "sip:10.0.0.99",
    "state": "0",
    "weight": "1",
    "probe_mode": "0",
    "priority": "0",
}


@pytest.fixture
def https(settings: Settings) -> None:
    """Force TLS as EFCP_URL=https://... does, behind a proxy at 192.0.2.1."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^cp/healthz$"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.EFCP_TRUSTED_PROXIES = (ip_network("192.0.2.1/32"),)


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    """Point the connection to where no database is, until the test's end."""
    place = {"sqlite": ("NAME", "/nowhere/efcp.sqlite3"), "mysql": ("PORT", "9")}[connection.vendor]
    kept = connection.settings_dict[place[0]]
    connection.close()
    connection.settings_dict[place[0]] = place[1]
    yield
    connection.close()
    connection.settings_dict[place[0]] = kept


@pytest.mark.django_db
def test_the_health_check_needs_no_signing_in(client: Client) -> None:
    answer = client.get("/cp/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
@pytest.mark.usefixtures("https")
def test_the_health_check_does_not_redirect_where_tls_is_forced(client: Client) -> None:
    assert client.get("/cp/healthz").status_code == 200


@pytest.mark.django_db
def test_the_health_check_is_never_cached(client: Client) -> None:
    assert "no-store" in client.get("/cp/healthz").headers["Cache-Control"]


@pytest.mark.usefixtures("no_database")
def test_the_health_check_shows_that_the_database_is_away(client: Client) -> None:
    answer = client.get("/cp/healthz")
    assert (answer.status_code, answer.content) == (503, b"the database does not answer\n")


@pytest.mark.django_db
@pytest.mark.usefixtures("https")
def test_a_trusted_proxy_s_word_that_the_client_came_by_tls_counts(client: Client) -> None:
    answer = client.get(
        reverse("accounts:sign-in"), REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-Proto": "https"}
    )
    assert answer.status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("https")
def test_anybody_else_s_word_that_he_came_by_tls_does_not_count(client: Client) -> None:
    answer = client.get(
        reverse("accounts:sign-in"), REMOTE_ADDR="192.0.2.2", headers={"X-Forwarded-Proto": "https"}
    )
    assert answer.status_code == 301
    assert answer.headers["Location"].startswith("https://")


@pytest.mark.usefixtures("no_database")
def test_a_page_whose_database_is_away_offers_to_try_again(client: Client) -> None:
    client.raise_request_exception = False
    client.cookies["sessionid"] = "abcdefghijklmnopqrstuvwxyz012345"
    answer = client.get(reverse("dispatcher:list"))
    assert answer.status_code == 503
    assert 'href="">Try again' in answer.content.decode()


@pytest.mark.usefixtures("no_database")
def test_a_page_that_only_reads_never_denies_the_save_that_led_to_it(client: Client) -> None:
    """A save sends the browser on to the list: who reads "nothing written" there sends it again."""
    client.raise_request_exception = False
    client.cookies["sessionid"] = "abcdefghijklmnopqrstuvwxyz012345"
    page = client.get(reverse("dispatcher:list")).content.decode()
    assert "Nothing was saved" not in page
    assert "Nothing you saved is lost" in page


@pytest.fixture
def away_during_the_audit(transactional_db: None) -> Iterator[Callable[..., object]]:
    """Return a wrapper of statements under which the database goes away, once, after the row is inserted."""
    connection.ensure_connection()
    is_cut = False

    def wrapper(
        execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
    ) -> object:
        nonlocal is_cut
        if not is_cut and "efcp_audit" in sql and sql.startswith("INSERT"):
            is_cut = True
            _cut_off()
        return execute(sql, params, many, context)

    yield wrapper
    connection.close()


def _cut_off() -> None:
    """Let the server end the connection; SQLite, which has no server, refuses to write from here on."""
    if connection.vendor == "mysql":
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute(f"KILL CONNECTION {connection.connection.thread_id()}")
        other.close()
    else:
        connection.connection.execute("PRAGMA query_only = ON")


def test_a_database_that_goes_away_during_a_save_leaves_nothing_half_written(
    client_as: ClientAs, away_during_the_audit: Callable[..., object]
) -> None:
    client = client_as(Role.ADMINISTRATOR)
    client.raise_request_exception = False
    before = (Destination.objects.count(), AuditRecord.objects.count())
    with connection.execute_wrapper(away_during_the_audit):
        answer = client.post(reverse("dispatcher:add"), NEW)
    connection.close()
    assert answer.status_code == 503
    assert "Nothing was saved" in answer.content.decode()
    assert (Destination.objects.count(), AuditRecord.objects.count()) == before
