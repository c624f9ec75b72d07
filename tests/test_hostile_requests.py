"""Whatever is sent to whichever page, it answers: no request ends in a server error."""

import random
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from dialplan import services as rules
from dialplan.translation.rules import RuleRow
from dispatcher import names, table_names
from dispatcher import services as destinations
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.models import FailedLogins
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor
from tests.conftest import ClientAs

REQUESTS_OF_A_PAGE = 12
SOMEBODY = Actor("somebody")
METHODS = ("get", "get", "head", "post", "post", "post")
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"HX-Request": "true"},
    {"HX-Request": "true", "HX-Target": "run"},
    {"HX-Request": "true", "HX-Trigger-Name": "destination"},
    {"HX-Request": "true", "HX-Trigger-Name": "match_exp"},
)
IDS = (1, 2, 3, 10**12, 10**30)
VALUES = (
    *("", " ", "0", "-1", "1", "x", "1.5", "1e5", "+1", "99999999999999999999999", "null", "true", "٣"),
    *(
        "\0",
        "a\0b",
        "\r\nX: y",
        "é" * 300,
        "a" * 10_000,
        "\ufffd",
        "💥",
        "<script>",
        "%s",
        "{{7*7}}",
        "$ru$ru",
    ),
    *("^(", "(a+)+$", "[", "\\", "20260101T000000||PT1H|daily", "|" * 200, "2026-13-45", "25:61"),
    *("sip:10.0.0.1:5060", "sip:10.0.0.1;x=💥", "sip:[::1", "10.0.0.1", "edge-1", "dispatcher"),
)
FIELDS = (
    *("q", "page", "size", "sort", "setid", "destination", "socket", "state", "weight", "priority", "attrs"),
    *(
        "description",
        "probe_mode",
        "host",
        "live",
        "dpid",
        "pr",
        "match_op",
        "match_exp",
        "match_flags",
        "input",
    ),
    *(
        "subst_exp",
        "repl_exp",
        "timerec",
        "disabled",
        "expected",
        "nothing",
        "before",
        "behind",
        "moving",
        "row",
    ),
    *("number", "domain", "failures", "source", "algorithm", "flags", "route", "attributes", "of", "calls"),
    *(
        "weekdays",
        "begins",
        "ends",
        "start",
        "until",
        "zone",
        "monthdays",
        "months",
        "proxies",
        "reason",
        "name",
    ),
    *("mi_url", "username", "password", "script", "kind", "text", "version", "confirmed", "next", "since"),
)


def named(
    patterns: list[URLPattern | URLResolver], namespaces: tuple[str, ...] = ()
) -> Iterator[tuple[str, int]]:
    """Each address's name, and how many numbers it takes."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from named(pattern.url_patterns, inner)
        elif pattern.name:
            yield ":".join((*namespaces, pattern.name)), len(pattern.pattern.converters)


ADDRESSES = sorted(set(named(get_resolver().url_patterns)))


@pytest.fixture(autouse=True)
def _no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no name looked up."""
    monkeypatch.setattr(names, "look_up", lambda *_arguments: names.Lookup(names.Outcome.NO_ANSWER))
    monkeypatch.setattr(table_names, "look_up_all", lambda *_arguments: {})


@pytest.fixture
def administrator(client_as: ClientAs) -> Client:
    """Who may do everything, with a destination and two rules there."""
    destinations.add(DestinationRow(setid=1, destination="sip:10.0.0.1:5060"), SOMEBODY)
    for number in range(2):
        rules.add(RuleRow(dpid=1, match_exp=f"^{number}"), SOMEBODY)
    return client_as(Role.ADMINISTRATOR)


def test_no_page_behind_the_sign_in_may_be_stored(administrator: Client) -> None:
    for name, numbers in ADDRESSES:
        answer = administrator.get(reverse(name, args=[1] * numbers))
        assert "no-store" in answer.headers["Cache-Control"], name


@pytest.mark.django_db
def test_nothing_that_an_anonymous_client_sends_is_stored() -> None:
    chance = random.Random("anonymous")
    limited = (FailedLogins, AuditRecord)
    before = {model: model._default_manager.count() for model in apps.get_models() if model not in limited}
    client = Client(headers={"Origin": "http://testserver"})
    for name, numbers in ADDRESSES:
        address = reverse(name, args=[1] * numbers)
        for method in ("get", "post", "put"):
            sent = {field: chance.choice(VALUES) for field in FIELDS}
            getattr(client, method)(address, sent, headers=chance.choice(HEADERS))
        client.cookies.clear()
    # Wrong tries and their records are limited by their own number (tests/accounts/test_throttle.py).
    assert set(AuditRecord.objects.values_list("action", flat=True)) <= {"sign in failed"}
    assert {model: model._default_manager.count() for model in before} == before


@pytest.mark.parametrize(("name", "numbers"), ADDRESSES)
def test_no_request_ends_in_a_server_error(administrator: Client, name: str, numbers: int) -> None:
    chance = random.Random(name)
    for _ in range(REQUESTS_OF_A_PAGE):
        try:
            address = reverse(name, args=[chance.choice(IDS) for _ in range(numbers)])
        except NoReverseMatch:
            continue
        sent = {field: chance.choice(VALUES) for field in chance.sample(FIELDS, chance.randint(0, 20))}
        method = getattr(administrator, chance.choice(METHODS))
        assert method(address, sent, headers=chance.choice(HEADERS)).status_code < 500
