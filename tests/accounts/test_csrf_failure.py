"""Forms whose token is missing or of another session."""

import re
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from efcp.accounts.form_recovery import NOTICE
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.accounts.views import OUT_OF_DATE
from tests.accounts.conftest import PASSWORD, SIGN_IN

FORM = "/cp/accounts/users/add/"
OWN = {"Origin": "http://testserver"}


def token(client: Client, page: str) -> str:
    """The token in the first form of a page."""
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(page).content.decode())
    assert found
    return found[1]


@pytest.fixture
def browser(make_user: Callable[..., User]) -> Client:
    """A browser in which nobody has signed in yet; ada could."""
    make_user(Role.ADMINISTRATOR, "ada")
    return Client(enforce_csrf_checks=True)


def sign_in(browser: Client, csrf: str, password: str = PASSWORD) -> object:
    form = {"username": "ada", "password": password, "next": "/cp/audit/", "csrfmiddlewaretoken": csrf}
    return browser.post(SIGN_IN, form, headers=OWN)


def test_signing_in_in_two_tabs_works_in_both(browser: Client) -> None:
    first, second = token(browser, SIGN_IN), token(browser, SIGN_IN)
    sign_in(browser, first)

    response = browser.post(
        SIGN_IN,
        {"username": "ada", "password": PASSWORD, "next": "/cp/audit/", "csrfmiddlewaretoken": second},
        headers=OWN,
    )

    assert (response.status_code, response.headers["Location"]) == (302, "/cp/audit/")


def test_a_sign_in_page_from_before_signing_out_starts_anew(browser: Client) -> None:
    old = token(browser, SIGN_IN)
    sign_in(browser, old)
    browser.post("/cp/accounts/sign-out/", {"csrfmiddlewaretoken": token(browser, "/cp/accounts/password/")})

    response = browser.post(SIGN_IN, {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": old})

    page = response.content.decode()
    assert response.status_code == 403
    assert OUT_OF_DATE in page
    assert 'value="ada"' in page
    assert PASSWORD not in page


def test_an_out_of_date_form_is_kept_and_can_be_opened_again(browser: Client) -> None:
    sign_in(browser, token(browser, SIGN_IN))
    form = {"username": "carol", "role": "viewer", "csrfmiddlewaretoken": "x" * 64}

    refused = browser.post(FORM, form, headers=OWN)
    again = browser.get(FORM).content.decode()

    assert refused.status_code == 403
    assert f'href="{FORM}">Reopen form' in refused.content.decode()
    assert NOTICE in again
    assert 'value="carol"' in again
    assert not User.objects.filter(username="carol").exists()


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_what_may_come_from_another_site_is_not_kept(origin: dict[str, str], browser: Client) -> None:
    response = browser.post(FORM, {"username": "carol"}, headers=origin)

    assert response.status_code == 403
    assert "Nothing was saved" in response.content.decode()
    assert not Session.objects.exists()


def test_the_page_shows_what_to_do(browser: Client) -> None:
    page = browser.post(FORM, {}).content.decode()

    assert "reload the page and submit again" in page
    assert 'href="/cp/"' in page
