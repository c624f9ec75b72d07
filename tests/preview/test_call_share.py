"""The share of calls that a destination's page shows."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.preview.call_share import MAX_SOURCES, CallShare
from tests.conftest import ClientAs
from tests.operations.fake_proxy import Play
from tests.proxies.mi_server import listed

A, B, C = (f"sip:192.0.2.{number}:5060" for number in (1, 2, 3))


@pytest.fixture
def first(transactional_db: None) -> Iterator[Destination]:
    """The first of three rows of set 1; the table is not managed, so that a flush leaves them."""
    rows = [
        Destination.objects.create(setid=1, destination=uri, attrs="", description="") for uri in (A, B, C)
    ]
    yield rows[0]
    Destination.objects.all().delete()


def shares(client: Client, row: Destination) -> list[CallShare]:
    """The shares in the fragment."""
    found: list[CallShare] = client.get(reverse("preview:call-share", args=[row.pk])).context["shares"]
    return found


def test_by_the_table_alone(first: Destination, viewer: Client) -> None:
    (by_table,) = shares(viewer, first)
    assert by_table.is_first
    assert round(by_table.now, 1) == round(by_table.healthy, 1) == 33.3


def test_in_a_memory_the_states_count(first: Destination, viewer: Client, play: Play) -> None:
    edge = play(sets={1: [listed(A), listed(B, "Probing"), listed(C)]})
    edge.remembered(edge.row())
    by_memory = shares(viewer, first)[0]
    assert (round(by_memory.now, 1), round(by_memory.healthy, 1)) == (50.0, 33.3)


def test_one_that_is_down_takes_nothing_and_is_no_first_entry(
    first: Destination, viewer: Client, play: Play
) -> None:
    edge = play(sets={1: [listed(A, "Inactive"), listed(B), listed(C)]})
    edge.remembered(edge.row())
    by_memory = shares(viewer, first)[0]
    assert (by_memory.now, by_memory.is_first) == (0.0, False)


def test_a_proxy_that_does_not_hold_it_reports_it(first: Destination, viewer: Client, play: Play) -> None:
    edge = play(sets={1: [listed(B)]})
    edge.remembered(edge.row())
    assert shares(viewer, first)[0] == CallShare(
        "live on edge-1", problem="It doesn't have this destination."
    )


def test_no_more_tables_are_loaded_than_a_page_may(first: Destination, viewer: Client, play: Play) -> None:
    edge = play(sets={1: [listed(A)]})
    for number in range(12):
        edge.remembered(edge.row(f"other-{number}"))
    context = viewer.get(reverse("preview:call-share", args=[first.pk])).context
    assert (len(context["shares"]), context["not_shown"]) == (MAX_SOURCES, 4)


@pytest.mark.parametrize("role", list(Role))
def test_everybody_who_is_signed_in_may_look(first: Destination, client_as: ClientAs, role: Role) -> None:
    assert client_as(role).get(reverse("preview:call-share", args=[first.pk])).status_code == 200


def test_nobody_else_may(first: Destination, client: Client) -> None:
    assert client.get(reverse("preview:call-share", args=[first.pk])).status_code == 302


def test_a_row_that_does_not_exist_is_not_found(viewer: Client, transactional_db: None) -> None:
    assert viewer.get(reverse("preview:call-share", args=[999_999])).status_code == 404
