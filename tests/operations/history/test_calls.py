"""Calls over time on the pages of a set and a destination, and on the home page."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from efcp.operations.history.calls import CallsOverTime
from efcp.proxies.call_counts import slot_of
from efcp.proxies.models import CallCount, Proxy, ProxyContact
from tests.operations.conftest import URI
from tests.operations.fake_proxy import FakeProxy
from tests.proxies.mi_server import listed

OTHER = "sip:192.0.2.9:5060"
AddRow = Callable[..., int]


@pytest.fixture
def edge(play: Callable[..., FakeProxy]) -> Proxy:
    """A proxy with two destinations of equal weight, whose calls are counted since twelve hours."""
    played = play(sets={1: [listed(URI), listed(OTHER)]})
    played.remembered(played.row("edge"))
    ProxyContact.objects.update(
        calls_since=timezone.now() - timedelta(hours=12), known_since=timezone.now() - timedelta(days=365)
    )
    return Proxy.objects.get(name="edge")


def counted(proxy: Proxy, hours_ago: float, calls: dict[str, int], setid: int = 1) -> None:
    """Store calls of a quarter of an hour."""
    slot = slot_of(timezone.now() - timedelta(hours=hours_ago))
    row = CallCount(proxy=proxy, partition="default", setid=setid, slot=slot)
    row.set_calls({(uri, 0): count for uri, count in calls.items()})
    row.save()


def shown(client: Client, url: str) -> CallsOverTime:
    """The page's values."""
    found: CallsOverTime = client.get(url).context["calls"]
    return found


def test_an_uneven_set_is_named_and_the_time_before_counting_is_unknown(edge: Proxy, viewer: Client) -> None:
    counted(edge, 1, {URI: 300, OTHER: 50})
    counted(edge, 5, {URI: 50})
    found = shown(viewer, reverse("operations:set", args=[1]))
    assert [(row.uri, row.calls, row.by_weight) for row in found.rows] == [(URI, 350, 50), (OTHER, 50, 50)]
    assert (found.total, found.uneven) == (400, 2)
    values = found.chart.series[0].values
    assert values[:20] == (None,) * 20
    assert sum(value or 0 for value in values) == 350


def test_a_destination_stands_beside_what_its_weight_asks_for(
    edge: Proxy, add_row: AddRow, viewer: Client
) -> None:
    counted(edge, 1, {URI: 300, OTHER: 50})
    found = shown(viewer, reverse("operations:calls", args=[add_row(URI)]))
    assert [(each.name, each.total) for each in found.chart.series] == [("Calls", 300), ("By weight", 175)]


def test_the_home_page_has_the_busiest_sets_and_all_others_together(
    edge: Proxy, viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for setid in range(1, 12):
        counted(edge, 1, {URI: 100 * setid}, setid)
    with django_assert_max_num_queries(12):
        found = shown(viewer, reverse("panel:calls"))
    assert [each.total for each in found.chart.series] == [1100, 1000, 900, 800, 700, 600, 500, 1000]
    assert found.total == 6600


def test_a_proxy_without_a_counter_is_named(edge: Proxy, viewer: Client) -> None:
    ProxyContact.objects.update(calls_since=None, hits_stored_at=timezone.now())
    page = viewer.get(reverse("operations:set", args=[1]))
    assert "edge: no call counter in ds_list" in page.text
    assert page.context["calls"].chart.is_empty
