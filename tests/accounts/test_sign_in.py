"""Signing in and out."""

import logging
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.accounts.views import WRONG
from efcp.audit.models import AuditRecord
from tests.accounts.conftest import PASSWORD, SIGN_IN, Try
from tests.conftest import ClientAs, MakeUser


def test_the_page_is_reachable_by_anybody(client: Client, db: None) -> None:
    response = client.get(SIGN_IN)

    assert response.status_code == 200
    assert b'type="password"' in response.content


def test_a_right_password_opens_the_panel(
    try_sign_in: Try, make_user: MakeUser, client: Client, is_signed_in: Callable[[Client], bool]
) -> None:
    make_user(Role.VIEWER, "ada")

    response = try_sign_in("ada", PASSWORD, client=client)

    assert (response.status_code, response.headers["Location"]) == (302, "/cp/")
    assert is_signed_in(client)


def test_a_wrong_password_is_reported(try_sign_in: Try, make_user: MakeUser) -> None:
    make_user(Role.VIEWER, "ada")

    assert WRONG in try_sign_in("ada", "wrong").content.decode()


def test_an_unknown_name_an_inactive_user_and_a_wrong_password_read_the_same(
    try_sign_in: Try, make_user: MakeUser
) -> None:
    make_user(Role.VIEWER, "ada")
    left = make_user(Role.VIEWER, "bob")
    left.is_active = False
    left.save()

    def page(name: str, password: str) -> str:
        lines = try_sign_in(name, password).content.decode().replace(name, "NAME").splitlines()
        return "\n".join(line for line in lines if "csrf" not in line and "nonce" not in line)

    assert page("ada", "wrong") == page("bob", PASSWORD) == page("eve", PASSWORD)


@pytest.mark.parametrize("name", ["ada", "eve"])
def test_a_password_is_hashed_once_whether_the_name_exists_or_not(
    name: str,
    try_sign_in: Try,
    make_user: MakeUser,
    settings: Settings,
) -> None:
    settings.PASSWORD_HASHERS = ["tests.accounts.hashing.CountingHasher"]
    from tests.accounts.hashing import CountingHasher

    make_user(Role.VIEWER, "ada")
    CountingHasher.count = 0

    try_sign_in(name, "wrong")

    assert CountingHasher.count == 1


def test_the_name_comes_back_after_a_wrong_password_but_the_password_does_not(try_sign_in: Try) -> None:
    page = try_sign_in("ada", "a-very-secret-thing").content.decode()

    assert 'value="ada"' in page
    assert "a-very-secret-thing" not in page


@pytest.mark.parametrize("name", ["", " ", "a\0b", "x" * 5000, "<script>alert(1)</script>"])
def test_hostile_names_get_the_form_back(name: str, try_sign_in: Try) -> None:
    response = try_sign_in(name, "wrong")

    assert response.status_code == 422
    assert b"<script>alert" not in response.content


def test_an_endless_password_is_not_hashed(try_sign_in: Try) -> None:
    assert "at most 1024 characters" in try_sign_in("ada", "x" * 100_000).content.decode()


@pytest.mark.parametrize("target", ["/cp/audit/", "/cp/audit/?kind=user&id=1", "http://testserver/cp/audit/"])
def test_signing_in_leads_to_the_requested_page(target: str, try_sign_in: Try, make_user: MakeUser) -> None:
    make_user(Role.VIEWER, "ada")

    assert try_sign_in("ada", PASSWORD, target=target).headers["Location"] == target


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/cp/",
        "//evil.example/cp/",
        "///evil.example/cp/",
        "http:///evil.example/cp/",
        "/\\evil.example/cp/",
        "/cp/\\..\\evil",
        "/cp/../../evil",
        "/cp/%2e%2e/%2E%2e/evil",
        "/cp/./../evil",
        "/cp/..",
        "javascript:alert(1)//cp/",
        "/cp/\r\nSet-Cookie: a=b",
        "/elsewhere/",
        "/cpanel/",
        "/cp",
        "http://testserver@evil.example/cp/",
        SIGN_IN,
        "",
    ],
)
def test_signing_in_never_leads_out_of_the_panel(target: str, try_sign_in: Try, make_user: MakeUser) -> None:
    make_user(Role.VIEWER, "ada")

    assert try_sign_in("ada", PASSWORD, target=target).headers["Location"] == "/cp/"


def test_the_next_page_in_the_address_is_carried_by_the_form(client: Client, db: None) -> None:
    page = client.get(SIGN_IN, {"next": "/cp/audit/?q=a&kind=b"}).content.decode()

    assert 'name="next" value="/cp/audit/?q=a&amp;kind=b"' in page


def test_who_is_signed_in_is_led_on_from_the_sign_in_page(client_as: ClientAs) -> None:
    response = client_as(Role.VIEWER).get(SIGN_IN, {"next": "/cp/audit/"})

    assert (response.status_code, response.headers["Location"]) == (302, "/cp/audit/")


def test_signing_in_changes_the_session_s_key(try_sign_in: Try, make_user: MakeUser, client: Client) -> None:
    make_user(Role.VIEWER, "ada")
    session = client.session
    session["visited"] = True
    session.save()
    before = session.session_key or ""
    client.cookies["sessionid"] = before

    try_sign_in("ada", PASSWORD, client=client)

    assert client.cookies["sessionid"].value != before


def test_the_session_s_cookie_is_out_of_scripts_reach(try_sign_in: Try, make_user: MakeUser) -> None:
    make_user(Role.VIEWER, "ada")

    cookie = try_sign_in("ada", PASSWORD).cookies["sessionid"]

    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 12 * 3600)


def test_signing_in_and_out_is_recorded_with_the_address(
    try_sign_in: Try, make_user: MakeUser, client: Client
) -> None:
    make_user(Role.VIEWER, "ada")
    try_sign_in("ada", PASSWORD, client=client, address="198.51.100.7")
    client.post("/cp/accounts/sign-out/", REMOTE_ADDR="198.51.100.8")

    records = AuditRecord.objects.order_by("id").values_list("action", "actor", "address", "subject_label")

    assert list(records) == [
        ("sign in", "ada", "198.51.100.7", "ada"),
        ("sign out", "ada", "198.51.100.8", "ada"),
    ]


def test_signing_out_ends_the_session(client_as: ClientAs, is_signed_in: Callable[[Client], bool]) -> None:
    client = client_as(Role.VIEWER)

    response = client.post("/cp/accounts/sign-out/")

    assert response.headers["Location"] == SIGN_IN
    assert not is_signed_in(client)


def test_signing_out_twice_is_no_error(client: Client, db: None) -> None:
    assert client.post("/cp/accounts/sign-out/").headers["Location"] == SIGN_IN


def test_following_a_link_never_signs_out(
    client_as: ClientAs, is_signed_in: Callable[[Client], bool]
) -> None:
    client = client_as(Role.VIEWER)

    assert client.get("/cp/accounts/sign-out/").status_code == 405
    assert is_signed_in(client)


def test_a_password_is_never_logged_nor_recorded(
    try_sign_in: Try, make_user: MakeUser, caplog: pytest.LogCaptureFixture
) -> None:
    make_user(Role.VIEWER, "ada")
    with caplog.at_level(logging.DEBUG):
        for _ in range(8):
            try_sign_in("ada", "a-very-secret-thing")
        try_sign_in("ada", PASSWORD, address="198.51.100.9")

    recorded = str(list(AuditRecord.objects.values()))
    assert "a-very-secret-thing" not in caplog.text + recorded
    assert PASSWORD not in caplog.text + recorded


def test_a_user_who_may_not_sign_in_any_more_is_out_at_the_next_request(
    try_sign_in: Try, make_user: MakeUser, client: Client, is_signed_in: Callable[[Client], bool]
) -> None:
    user = make_user(Role.VIEWER, "ada")
    try_sign_in("ada", PASSWORD, client=client)

    User.objects.filter(pk=user.pk).update(is_active=False)

    assert not is_signed_in(client)
