"""Proxies that answer the impossible: no page fails or shows more than is known."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from efcp.accounts.roles import Role
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, StateChange
from efcp.proxies.watch import Watcher
from tests.conftest import ClientAs
from tests.factories import ProxyFactory
from tests.operations.conftest import URI
from tests.proxies.mi_server import FakeMi, listed

FAR = int(datetime(9998, 1, 1, tzinfo=UTC).timestamp())
OTHER = "sip:192.0.2.7;transport=tcp"
LISTS: list[dict[int, list[Any]]] = [
    {1: [listed(URI), listed(URI, "Probing"), listed(URI.upper(), "Inactive")]},
    {2147483647: [listed(OTHER, weight=65535, priority=65535)], -5: [listed(URI)]},
    {},
    {1: [listed(URI, "Inactive", hits=2**62)]},
]


@pytest.fixture
def odd(transactional_db: None) -> Any:
    """A proxy that answers in turn with different lists, and reports of the year 9998 and of 1970."""
    server = FakeMi(up_s=10**18 - 1, up_since="?" * 500)
    server.reports = []
    server.start()
    proxy = ProxyFactory.create(name="odd", mi_url=server.url)
    watcher = Watcher(2.0, threading.Event())
    for turn in range(9):
        server.sets = LISTS[turn % len(LISTS)]
        at = FAR if turn % 2 else 3600
        log = f"DESTINATION <{URI}>, set 1 switched to [inactive] due to negative probing reply\n"
        server.reports = [*server.reports, {"Timestamp": at, "Date": "Zone +14:00", "Log": log}]
        server.loads = [{"Timestamp": at, "Date": "x", "Log": "DB data loading successfully completed"}]
        assert watcher.poll_once()["odd"].problem == ""
    yield proxy
    server.stop()


@pytest.mark.parametrize(
    "page",
    [
        "dispatcher:list",
        "operations:board",
        "operations:destination",
        "operations:state",
        "operations:reload",
        "proxies:list",
        "proxies:dots",
        "preview:call-share",
    ],
)
def test_no_page_fails(odd: Proxy, client_as: ClientAs, add_row: Callable[..., int], page: str) -> None:
    row_id = add_row(URI)
    of_one = page in {"operations:destination", "operations:state", "preview:call-share"}
    answer = client_as(Role.ADMINISTRATOR).get(reverse(page, args=[row_id] if of_one else []))
    assert answer.status_code == 200
    assert "9998" not in answer.text
    assert "1970" not in answer.text


def test_nothing_is_dated_into_the_future(odd: Proxy) -> None:
    now = timezone.now()
    assert not StateChange.objects.filter(at__gt=now).exists()
    assert not KnownDestination.objects.filter(since__gt=now).exists()
    assert not KnownDestination.objects.filter(probe_answered_at__gt=now).exists()
    contact = ProxyContact.objects.get(proxy=odd)
    for moment in (contact.up_since, contact.probes_reported_at, contact.probes_read_at):
        assert moment is None or moment <= now


def test_alternating_lists_are_recorded_as_changes(odd: Proxy) -> None:
    of_one = StateChange.objects.filter(uri_key=URI, setid=1, occurrence=0).order_by("pk")
    states = [(each.state_before, each.state_after) for each in of_one]
    assert ("", "inactive") in states
    assert ("inactive", "active") in states
    assert ("active", "") in states
