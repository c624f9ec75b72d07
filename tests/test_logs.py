"""The log: one line for each request, its id, and nothing secret."""

import json
import logging
from collections.abc import Callable
from ipaddress import ip_network

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django.fixtures import Settings

from efcp.accounts.roles import Role
from efcp.errors import server_error
from efcp.logs import JsonFormatter, PlainFormatter, RequestLogMiddleware

ClientAs = Callable[[Role | None], Client]
PEER = {"REMOTE_ADDR": "192.0.2.9"}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """What the requests' lines say, as JSON has it."""
    found = [each for each in caplog.records if each.name == RequestLogMiddleware.__module__]
    return [json.loads(JsonFormatter().format(each)) for each in found]


def test_a_request_is_one_line_without_its_query(
    client_as: ClientAs, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_as(Role.VIEWER)
    with caplog.at_level(logging.INFO, "efcp.logs"):
        client.get(reverse("audit:list") + "?q=secret", **PEER)  # type: ignore[arg-type]
    (line,) = lines(caplog)
    assert {name: line[name] for name in ("method", "path", "status", "user", "address")} == {
        "method": "GET",
        "path": reverse("audit:list"),
        "status": 200,
        "user": "viewer",
        "address": "192.0.2.9",
    }
    assert isinstance(line["queries"], int)
    assert line["queries"] > 0
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize(
    ("sent", "trusted", "is_taken"),
    [
        ("a1-B2", "192.0.2.0/24", True),
        ("a1-B2", "10.0.0.0/8", False),
        ("a b\r\nX: y", "192.0.2.0/24", False),
        ("x" * 129, "192.0.2.0/24", False),
    ],
)
def test_an_id_is_taken_from_a_trusted_proxy_only(
    client: Client, db: None, settings: Settings, sent: str, trusted: str, is_taken: bool
) -> None:
    settings.EFCP_TRUSTED_PROXIES = (ip_network(trusted),)
    answer = client.get("/cp/healthz", HTTP_X_REQUEST_ID=sent, **PEER)  # type: ignore[arg-type]
    assert (answer["X-Request-ID"] == sent) is is_taken
    assert len(answer["X-Request-ID"]) == (len(sent) if is_taken else 16)


def test_health_checks_are_quiet(client: Client, db: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "efcp.logs"):
        client.get("/cp/healthz")
    assert lines(caplog) == []


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_a_text_with_line_breaks_adds_no_line(formatter: logging.Formatter) -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "%(path)r", ({"path": "/x\nINFO forged"},), None)
    assert "\n" not in formatter.format(record)


def test_a_line_begins_with_its_moment_and_zone() -> None:
    record = logging.LogRecord("efcp", logging.WARNING, "", 0, "text", (), None)
    record.created = 0.0
    assert PlainFormatter().format(record).startswith("1970-01-01T00:00:00.000+00:00 WARNING [")


def test_ready_names_what_it_checks(client: Client, db: None) -> None:
    answer = client.get("/cp/readyz")
    assert answer.status_code == 200
    assert answer.content.decode().splitlines()[1:] == ["tables: of this version", "watcher: never ran"]


def test_a_panel_whose_tables_are_older_is_not_ready(client: Client, db: None) -> None:
    MigrationRecorder.Migration.objects.filter(app="audit").delete()
    answer = client.get("/cp/readyz")
    assert answer.status_code == 503
    assert "the first is audit.0001" in answer.content.decode()


def test_the_error_page_names_the_request(rf: RequestFactory) -> None:
    request = rf.get("/cp/")
    answer = RequestLogMiddleware(server_error)(request)
    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.content.decode()
