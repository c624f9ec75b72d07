"""How long a session lives, and what a request costs for it."""

import time
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from efcp.accounts.roles import Role

ClientAs = Callable[[Role | None], Client]
PAGE = "/cp/accounts/password/"


def age_session(client: Client, seconds: int) -> int:
    """Make the session's last activity so many seconds older; return it."""
    session = client.session
    session["active_at"] = int(time.time()) - seconds
    session.save()
    return int(session["active_at"])


def test_a_page_renews_a_session_that_was_idle_for_a_while(client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    before = age_session(client, 3600)

    response = client.get(PAGE)

    assert client.session["active_at"] > before
    assert response.cookies["sessionid"]["max-age"] == 12 * 3600


def test_what_a_page_polls_by_itself_does_not(client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    before = age_session(client, 3600)

    client.get(PAGE, headers={"HX-Request": "true"})

    assert client.session["active_at"] == before


@pytest.mark.urls("tests.accounts.probe_urls")
def test_a_request_costs_one_query_for_the_session_and_one_for_the_user(
    client_as: ClientAs, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_as(Role.VIEWER)

    with django_assert_num_queries(2):
        client.get("/cp/probe")


def test_the_sign_in_page_makes_no_query(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get("/cp/accounts/sign-in/")
