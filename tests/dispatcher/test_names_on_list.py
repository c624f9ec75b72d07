"""Rows that no load takes, and names that do not resolve or moved: what the list and the forms say."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dispatcher import list_page
from dispatcher.environment import form_environment
from dispatcher.list_page import RowView
from dispatcher.loss import loss_of
from dispatcher.models import Destination, NameLookup
from dispatcher.name_watch import carry_out
from dispatcher.routing.rows import DestinationRow
from dispatcher.selectors import DestinationQuery
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRow
from tests.dispatcher.conftest import hold
from tests.dns_server import NameServer

URI = "sip:gw.example.test:5060"


def lines() -> dict[str, RowView]:
    page = list_page.build(DestinationQuery.parse({}), watched_proxies())
    return {line.values.destination: line for line in page.lines}


def shown(client: Client, query: str = "") -> str:
    """The list's text, on one line."""
    return " ".join(unescape(client.get(reverse("dispatcher:list") + query).content.decode()).split())


BAD = ["10.0.0.1", "sip:", "tel:+4930", "", "sips:gw.example.test;transport=tcp"]


@pytest.mark.parametrize("destination", BAD)
def test_a_row_that_no_load_takes_gets_no_calls(proxy: Proxy, add_row: AddRow, destination: str) -> None:
    add_row(destination)
    add_row("sip:10.0.0.2")
    found = lines()
    assert (found[destination].share_text, found["sip:10.0.0.2"].share_after) == ("0 %", 100.0)
    assert found[destination].left_out


def test_a_name_that_does_not_resolve_gets_no_calls(
    proxy: Proxy, add_row: AddRow, name_server: NameServer
) -> None:
    add_row(URI)
    carry_out(timezone.now())
    line = lines()[URI]
    assert (line.share_text, line.left_out) == (
        "0 %",
        "gw.example.test does not resolve: the proxy would reject the destination.",
    )


def test_a_name_that_resolves_gets_its_calls(proxy: Proxy, add_row: AddRow, name_server: NameServer) -> None:
    add_row(URI)
    name_server.addresses["gw.example.test"] = ["127.0.0.5"]
    carry_out(timezone.now())
    assert (lines()[URI].share_after, lines()[URI].left_out) == (100.0, "")


def test_what_no_load_takes_is_named_with_its_reason_where_it_is_not_loaded(
    viewer: Client, proxy: Proxy, add_row: AddRow
) -> None:
    add_row("10.0.0.1")
    page = shown(viewer, "?live=absent")
    assert "not loaded: rejected" in page
    assert "The proxy would reject this row:" in page


def test_a_name_that_stopped_resolving_shows_since_when_and_that_a_load_drops_it(
    viewer: Client, proxy: Proxy, add_row: AddRow, name_server: NameServer
) -> None:
    add_row(URI)
    hold(proxy, URI, addresses=["127.0.0.5:5060"])
    carry_out(timezone.now() - timedelta(minutes=3))
    page = shown(viewer)
    assert "rejected at next reload" in page
    assert "name does not resolve" in page
    since = NameLookup.objects.get().outcome_since.isoformat()
    assert re.search(rf'<time datetime="{re.escape(since)}" data-show="age"[^>]*>3 min</time>', page)


def test_a_name_that_moved_shows_both_addresses(
    viewer: Client, proxy: Proxy, add_row: AddRow, name_server: NameServer
) -> None:
    add_row(URI)
    hold(proxy, URI, addresses=["127.0.0.5:5060"])
    name_server.addresses["gw.example.test"] = ["127.0.0.5"]
    carry_out(timezone.now() - timedelta(minutes=3))
    assert "name is" not in shown(viewer)
    name_server.addresses["gw.example.test"] = ["127.0.0.6"]
    carry_out(timezone.now() - timedelta(minutes=1))
    assert "resolves to 127.0.0.6 here, edge-1 loaded 127.0.0.5:5060" in shown(viewer)


def test_a_set_of_what_no_load_takes_has_nobody_to_take_calls(db: None, add_row: AddRow) -> None:
    row_id = add_row("10.0.0.1", weight="7")
    sums = form_environment().set_of(1)
    assert (sums.rows, sums.weight, sums.active, sums.left_out) == (1, 0, 0, frozenset({row_id}))


def test_nothing_is_lost_with_a_row_that_no_load_takes(db: None, add_row: AddRow) -> None:
    row = DestinationRow.of(Destination.objects.get(pk=add_row("10.0.0.1")))
    add_row("sip:10.0.0.2")
    assert (loss_of(row).share, loss_of(row).no_active_left) == (0.0, False)


def test_ten_thousand_names_cost_as_many_queries_as_a_few(
    viewer: Client, proxy: Proxy, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    Destination.objects.bulk_create(
        [
            Destination(setid=1, destination=f"sip:gw{n}.example.test", attrs="", description="")
            for n in range(10_000)
        ],
        batch_size=500,
    )
    NameLookup.objects.bulk_create(
        [
            NameLookup(
                uri_key=f"sip:gw{n}.example.test",
                host=f"gw{n}.example.test",
                outcome="none" if n % 100 == 0 else "found",
                outcome_since=now,
                addresses=["127.0.0.5"],
                looked_up_at=now,
                due_at=now,
            )
            for n in range(10_000)
        ],
        batch_size=500,
    )
    with django_assert_max_num_queries(14):
        page = shown(viewer)
    assert "name does not resolve" in page
