"""How long a session lives, and what a request costs for it."""

import time

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from efcp.accounts import session_store
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from tests.conftest import ClientAs

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
def test_a_request_costs_one_query_for_the_session_with_its_user(
    client_as: ClientAs, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_as(Role.VIEWER)

    with django_assert_num_queries(1):
        client.get("/cp/probe")


def test_whose_a_session_is_stands_in_the_session_alone(
    client_as: ClientAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = client_as(Role.VIEWER), client_as(Role.ADMINISTRATOR)
    remembered = {mine.session.session_key: int(other.session["_auth_user_id"])}
    monkeypatch.setattr(session_store, "_user_ids", remembered)

    for _again in range(2):
        assert mine.get("/cp/").context["user"].role == Role.VIEWER


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
def test_a_user_who_was_locked_out_by_other_hands_is_out_at_the_next_request(
    client_as: ClientAs, change: dict[str, object]
) -> None:
    client = client_as(Role.VIEWER)
    assert client.get("/cp/").status_code == 200

    User.objects.filter(pk=client.session["_auth_user_id"]).update(**change)

    assert client.get("/cp/").status_code == 302


def test_the_sign_in_page_makes_no_query(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get("/cp/accounts/sign-in/")
