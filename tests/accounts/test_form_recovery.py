"""What was typed comes back after a session ended in the middle of a form."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import QueryDict
from django.test import Client

from efcp.accounts.form_recovery import LARGEST, NOTICE
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.accounts.throttle import SESSIONS_A_DAY
from tests.accounts.conftest import PASSWORD, SIGN_IN, Try

FORM = "/cp/accounts/users/add/"
RECOVERED = {
    "username": "carol",
    "role": "operator",
    "new_password": "three green kettles",
    "repeated_password": "three green kettles",
}


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    """An administrator."""
    return make_user(Role.ADMINISTRATOR, "ada")


@pytest.fixture
def client(client: Client, ada: User, try_sign_in: Try) -> Client:
    """A browser in which ada had signed in; her session has ended."""
    try_sign_in("ada", PASSWORD, client=client)
    Session.objects.all().delete()
    del client.cookies[settings.SESSION_COOKIE_NAME]
    return client


def test_the_form_is_not_carried_out_and_the_sign_in_page_leads_back(client: Client, ada: User) -> None:
    response = client.post(FORM, RECOVERED)

    assert response.headers["Location"] == SIGN_IN + "?next=%2Fcp%2Faccounts%2Fusers%2Fadd%2F"
    assert not User.objects.filter(username="carol").exists()


def test_the_sign_in_page_shows_that_nothing_is_lost(client: Client, ada: User) -> None:
    page = client.post(FORM, RECOVERED, follow=True).content.decode()

    assert "Your input is restored after you sign in." in page


def test_after_signing_in_the_form_is_filled_and_nothing_is_saved(
    client: Client, ada: User, try_sign_in: Try
) -> None:
    client.post(FORM, RECOVERED)
    try_sign_in("ada", PASSWORD, client=client, target=FORM)

    page = client.get(FORM).content.decode()

    assert NOTICE in page
    assert 'value="carol"' in page
    assert '<option value="operator" selected>' in page
    assert not User.objects.filter(username="carol").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("csrfmiddlewaretoken", "s3cret"),
        ("MI_Password", "s3cret"),
        ("secret", "s3cret"),
        ("url", "https://hooks.example.org/s3cret"),
        ("weight", "fs://:s3cret@10.0.0.1:8021"),
        ("db_url", "mysql://opensips:s3cret@127.0.0.1/opensips"),
    ],
)
def test_secrets_are_never_kept(client: Client, ada: User, name: str, value: str) -> None:
    client.post(FORM, RECOVERED | {name: value})

    kept = str(dict(client.session))
    assert "carol" in kept
    assert "kettles" not in kept
    assert "s3cret" not in kept


def test_it_comes_back_once(client: Client, ada: User, try_sign_in: Try) -> None:
    client.post(FORM, RECOVERED)
    try_sign_in("ada", PASSWORD, client=client)
    client.get(FORM)

    assert "carol" not in client.get(FORM).content.decode()


def test_it_comes_back_to_its_own_form_only(client: Client, ada: User, try_sign_in: Try) -> None:
    client.post(FORM, RECOVERED)
    try_sign_in("ada", PASSWORD, client=client)

    assert NOTICE not in client.get(f"/cp/accounts/users/{ada.pk}/edit/").content.decode()
    assert NOTICE in client.get(FORM).content.decode()


def test_a_form_that_posts_elsewhere_leads_back_to_the_page_it_stands_on(client: Client, ada: User) -> None:
    response = client.post(
        FORM, RECOVERED, headers={"Referer": "http://testserver/cp/accounts/users/?page=2"}
    )

    assert response.headers["Location"] == SIGN_IN + "?next=%2Fcp%2Faccounts%2Fusers%2F%3Fpage%3D2"


def test_another_site_can_t_choose_where_it_leads(client: Client, ada: User) -> None:
    response = client.post(FORM, RECOVERED, headers={"Referer": "https://evil.example/cp/trap/"})

    assert "evil" not in response.headers["Location"]


def test_a_field_s_check_while_typing_leaves_the_page_with_what_was_typed(
    client: Client, ada: User, try_sign_in: Try
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{FORM}"}
    response = client.post("/cp/accounts/users/", RECOVERED, headers=headers)
    try_sign_in("ada", PASSWORD, client=client)

    assert response.headers["HX-Redirect"] == SIGN_IN + "?next=%2Fcp%2Faccounts%2Fusers%2Fadd%2F"
    assert 'value="carol"' in client.get(FORM).content.decode()


def test_a_polled_fragment_is_never_the_sign_in_form(client: Client, db: None) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/cp/audit/?q=a"}
    response = client.get("/cp/audit/", headers=headers)

    assert response.content == b""
    assert response.headers["HX-Redirect"] == SIGN_IN + "?next=%2Fcp%2Faudit%2F%3Fq%3Da"


def test_a_requested_page_leads_back_to_itself_and_not_to_the_page_before(client: Client, db: None) -> None:
    response = client.get("/cp/audit/?q=a", headers={"Referer": "http://testserver/cp/system/dispatcher/"})

    assert response.headers["Location"] == SIGN_IN + "?next=%2Fcp%2Faudit%2F%3Fq%3Da"


def test_what_is_too_large_is_dropped_with_a_message(client: Client, ada: User) -> None:
    page = client.post(FORM, RECOVERED | {"username": "x" * LARGEST}, follow=True).content.decode()

    assert "too large to keep" in page
    assert "comes back" not in page
    assert "xxxxxxxx" not in str(dict(client.session))


def test_a_visitor_s_session_lives_an_hour_and_a_user_s_twelve(
    client: Client, ada: User, try_sign_in: Try
) -> None:
    client.post(FORM, RECOVERED)
    visitor = client.session.get_expiry_age()
    try_sign_in("ada", PASSWORD, client=client)

    assert (visitor, client.session.get_expiry_age()) == (3600, 12 * 3600)


def test_hostile_fields_are_shown_as_text(client: Client, ada: User, try_sign_in: Try) -> None:
    client.post(FORM, RECOVERED | {"username": '"><script>alert(1)</script>'})
    try_sign_in("ada", PASSWORD, client=client)

    assert "<script>alert(1)" not in client.get(FORM).content.decode()


def test_several_values_of_one_field_are_all_kept(client: Client, ada: User) -> None:
    client.post(
        FORM, QueryDict("chosen=1&chosen=2").urlencode(), content_type="application/x-www-form-urlencoded"
    )

    assert client.session["typed"]["fields"] == "chosen=1&chosen=2"


def test_a_form_of_another_site_leaves_nothing_behind(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)

    assert client.post(FORM, RECOVERED, headers={"Origin": "https://evil.example"}).status_code == 403
    assert not Session.objects.exists()


def test_a_browser_without_a_sign_in_keeps_nothing_and_gets_a_message(ada: User) -> None:
    page = (
        Client().post(FORM, RECOVERED, headers={"Origin": "http://testserver"}, follow=True).content.decode()
    )

    assert "your input was not kept" in page
    assert "comes back" not in page
    assert not Session.objects.exists()


def test_a_known_browser_begins_only_so_many_sessions(client: Client) -> None:
    for _ in range(2 * SESSIONS_A_DAY):
        client.post(FORM, RECOVERED)
        client.cookies.pop(settings.SESSION_COOKIE_NAME, None)

    assert Session.objects.count() == SESSIONS_A_DAY


def test_a_large_body_is_not_read(client: Client) -> None:
    response = client.post(FORM, {"username": "x" * 5 * LARGEST})

    assert response.status_code == 302
    assert not Session.objects.exists()
