"""Changing one's own password, and that nothing else is reachable while it must be changed."""

from collections.abc import Callable

import pytest
from django.test import Client

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.selectors import changed_columns
from tests.accounts.conftest import PASSWORD, SIGN_IN, Try
from tests.conftest import MakeUser

PAGE = "/cp/accounts/password/"
NEW = "three green kettles"


def change(client: Client, new: str = NEW, repeated: str | None = None, current: str = PASSWORD) -> str:
    """Send the form; return the page that follows, or nothing where it led on."""
    form = {"current_password": current, "new_password": new, "repeated_password": repeated or new}
    response = client.post(PAGE, form)
    return "" if response.status_code == 302 else response.content.decode()


@pytest.fixture
def newcomer(make_user: MakeUser) -> User:
    """An administrator called ada whose password must be changed."""
    user = make_user(Role.ADMINISTRATOR, "ada")
    user.must_change_password = True
    user.save()
    return user


@pytest.fixture
def signed_in(newcomer: User) -> Client:
    """A browser in which the newcomer has signed in."""
    client = Client()
    client.force_login(newcomer)
    return client


class TestMustChange:
    @pytest.mark.parametrize(
        "path",
        ["/cp/", "/cp/system/dispatcher/", "/cp/audit/", "/cp/accounts/users/", "/cp/accounts/users/add/"],
    )
    def test_every_page_leads_to_the_change(self, path: str, signed_in: Client) -> None:
        response = signed_in.get(path)

        assert (response.status_code, response.headers["Location"]) == (302, PAGE)

    def test_a_form_is_not_carried_out(self, signed_in: Client) -> None:
        form = {"username": "bob", "role": "viewer", "new_password": NEW, "repeated_password": NEW}

        assert signed_in.post("/cp/accounts/users/add/", form).headers["Location"] == PAGE
        assert not User.objects.filter(username="bob").exists()

    def test_a_fragment_sends_the_browser_to_the_change(self, signed_in: Client) -> None:
        response = signed_in.get("/cp/audit/", headers={"HX-Request": "true"})

        assert response.headers["HX-Redirect"] == PAGE
        assert response.content == b""

    def test_the_change_itself_signing_out_and_the_health_check_are_reachable(
        self, signed_in: Client
    ) -> None:
        assert signed_in.get(PAGE).status_code == 200
        assert signed_in.get("/cp/healthz").content == b"ok\n"
        assert signed_in.post("/cp/accounts/sign-out/").headers["Location"] == SIGN_IN

    def test_the_page_offers_nothing_that_is_not_reachable(self, signed_in: Client) -> None:
        assert "/cp/audit/" not in signed_in.get(PAGE).content.decode()

    def test_the_change_opens_the_panel(self, signed_in: Client, newcomer: User) -> None:
        assert change(signed_in) == ""

        newcomer.refresh_from_db()
        assert not newcomer.must_change_password
        assert signed_in.get("/cp/audit/").status_code == 200


class TestPolicy:
    def faults(self, page: str) -> list[str]:
        lines = page.split('<div class="field-error">')[1:]
        return [line.partition("</div>")[0] for line in lines]

    def test_all_faults_stand_at_the_field_at_once(self, signed_in: Client) -> None:
        assert self.faults(change(signed_in, "opensips")) == [
            "This password is too short. It must contain at least 10 characters.",
            "This is the well-known default password (“opensips”).",
        ]

    @pytest.mark.parametrize(
        ("password", "fault"),
        [
            ("nine-char", "This password is too short. It must contain at least 10 characters."),
            ("password123", "This password is too common."),
            ("ada1234567890!", "This password is your user name."),
            ("ADA...........", "This password is your user name."),
            ("OpenSIPS-2026", "This is the well-known default password (“opensips”)."),
            ("x" * 1025, "This password is too long (at most 1024 characters)."),
            (PASSWORD, "This is your current password. Choose another."),
        ],
    )
    def test_a_bad_password_is_refused_with_its_reason(
        self, password: str, fault: str, signed_in: Client, newcomer: User
    ) -> None:
        assert fault in self.faults(change(signed_in, password))

        newcomer.refresh_from_db()
        assert newcomer.check_password(PASSWORD)

    def test_a_slip_in_the_repetition_is_reported(self, signed_in: Client) -> None:
        assert self.faults(change(signed_in, NEW, "three green kettle")) == [
            "The new passwords don&#x27;t match."
        ]

    @pytest.mark.parametrize("password", ["ten chars!", "пароль-длинный", "  spaces around  ", "🐍" * 10])
    def test_any_long_enough_password_is_taken_as_typed(
        self, password: str, signed_in: Client, newcomer: User
    ) -> None:
        assert change(signed_in, password) == ""

        newcomer.refresh_from_db()
        assert newcomer.check_password(password)

    def test_what_was_typed_is_never_shown_again(self, signed_in: Client) -> None:
        page = change(signed_in, "three green kettles", "another thing entirely")

        assert "kettles" not in page
        assert "entirely" not in page


class TestCurrentPassword:
    def test_a_wrong_one_is_refused(self, signed_in: Client, newcomer: User) -> None:
        assert "Wrong current password." in change(signed_in, current="wrong")

        newcomer.refresh_from_db()
        assert newcomer.must_change_password

    def test_guessing_it_is_slowed_down_like_signing_in(self, signed_in: Client) -> None:
        pages = [change(signed_in, current="wrong") for _ in range(8)]

        assert "Too many failed attempts" in pages[-1]


class TestSessions:
    def test_the_change_ends_the_user_s_other_sessions(
        self, try_sign_in: Try, make_user: MakeUser, is_signed_in: Callable[[Client], bool]
    ) -> None:
        make_user(Role.VIEWER, "ada")
        here, there = Client(), Client()
        try_sign_in("ada", PASSWORD, client=here)
        try_sign_in("ada", PASSWORD, client=there)

        change(here)

        assert (is_signed_in(here), is_signed_in(there)) == (True, False)


def test_the_change_is_recorded_without_the_password(signed_in: Client) -> None:
    change(signed_in)

    (record,) = AuditRecord.objects.all()
    assert (record.action, record.actor, record.subject_label) == ("change password", "ada", "ada")
    assert changed_columns(record) == ["must_change_password"]
    assert NEW not in str(AuditRecord.objects.values())


def test_who_is_not_signed_in_is_led_to_the_sign_in_page(client: Client, db: None) -> None:
    assert client.get(PAGE).headers["Location"] == SIGN_IN + "?next=%2Fcp%2Faccounts%2Fpassword%2F"
