"""What Ctrl-K finds, who finds it, and the help that each page has."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from pytest_django import DjangoAssertNumQueries

from dialplan.models import DialplanName
from dispatcher.models import DestinationSet
from efcp.accounts.roles import Role
from efcp.operations.home.finder import AT_MOST, OF_A_KIND
from efcp.operations.home.page_help import help_for
from tests.conftest import ClientAs
from tests.factories import ProxyFactory
from tests.test_hostile_requests import named

SEARCH = "/cp/home/search/"
WITHOUT_HELP = {"healthz", "metrics", "readyz"}
"""Addresses for other programs."""


def found(client: Client, text: str) -> list[dict[str, str]]:
    answer = client.get(SEARCH, {"q": text}, headers={"Accept": "application/json"})
    hits: list[dict[str, str]] = answer.json()["hits"]
    return hits


@pytest.fixture
def one_of_each(add_row: Callable[..., int]) -> int:
    ProxyFactory.create(name="berlin-1", mi_url="http://127.0.0.1:8899/mi")
    DestinationSet.objects.create(setid=7, name="Berlin gateways")
    DialplanName.objects.create(dpid=7, name="Berlin prefixes")
    return add_row("sip:gw.berlin.example:5060", setid=7, description="rack 4")


@pytest.fixture
def many_rows(add_row: Callable[..., int]) -> None:
    for number in range(OF_A_KIND + 2):
        add_row(f"sip:10.0.0.{number + 1}")


def test_each_kind_is_found_by_a_few_letters(client_as: ClientAs, one_of_each: int) -> None:
    hits = found(client_as(Role.ADMINISTRATOR), "berl")
    assert [hit["kind"] for hit in hits] == ["Set", "Dialplan", "Proxy", "Destination"]
    assert hits[0]["url"] == f"{reverse('dispatcher:list')}?setid=7"
    assert hits[3]["url"] == reverse("operations:destination", args=[one_of_each])


def test_a_number_finds_its_set_and_dialplan(client_as: ClientAs, one_of_each: int) -> None:
    hits = found(client_as(Role.VIEWER), "7")
    assert [(hit["kind"], hit["detail"]) for hit in hits[:2]] == [("Set", "set 7"), ("Dialplan", "dpid 7")]


@pytest.mark.parametrize(("role", "offered"), [(Role.VIEWER, False), (Role.ADMINISTRATOR, True)])
@pytest.mark.django_db
def test_only_pages_that_the_user_may_open_are_found(client_as: ClientAs, role: Role, offered: bool) -> None:
    labels = {hit["label"] for hit in found(client_as(role), "add")}
    assert ("Add destination" in labels) is offered


@pytest.mark.parametrize("text", ["", " ", "\0", "%", "sip", "x" * 5000, "' OR 1=1", "🐍"])
def test_a_search_is_bounded(
    client_as: ClientAs,
    add_row: Callable[..., int],
    django_assert_max_num_queries: DjangoAssertNumQueries,
    text: str,
) -> None:
    for number in range(OF_A_KIND + 2):
        add_row(f"sip:10.0.0.{number + 1}")
    viewer = client_as(Role.VIEWER)
    with django_assert_max_num_queries(8):
        hits = found(viewer, text)
    assert len(hits) <= AT_MOST
    assert sum(hit["kind"] == "Destination" for hit in hits) <= OF_A_KIND


@pytest.mark.django_db
def test_without_javascript_it_is_a_page(client_as: ClientAs, one_of_each: int) -> None:
    page = client_as(Role.VIEWER).get(SEARCH, {"q": "rack 4"})
    assert "sip:gw.berlin.example:5060" in page.text


@pytest.mark.django_db
def test_nobody_finds_anything_without_signing_in(client: Client) -> None:
    assert client.get(SEARCH, {"q": "sip"}).status_code == 302


def test_every_page_has_help() -> None:
    names: set[Any] = {name for name, _numbers in named(get_resolver().url_patterns)}
    assert {name for name in names if not name.startswith("api") and help_for(name) is None} == WITHOUT_HELP


@pytest.mark.django_db
def test_the_help_page_has_every_term_and_step(client_as: ClientAs) -> None:
    page = client_as(Role.VIEWER).get(reverse("panel:help")).text
    assert 'id="step-5"' in page
    assert 'id="term-call-share"' in page
    assert "GPL-2.0-or-later" in page
