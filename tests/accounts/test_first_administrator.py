"""The first sign-in, and the way back in."""

import io
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from efcp.accounts.models import FailedLogins, User
from efcp.accounts.roles import Role
from efcp.accounts.services import create_first_administrator, first_password_is_unchanged
from efcp.audit.models import AuditRecord
from tests.accounts.conftest import PASSWORD, Try
from tests.conftest import MakeUser


@pytest.mark.django_db
class TestFirstSignIn:
    def test_admin_is_an_administrator_who_must_change_the_password(self) -> None:
        assert create_first_administrator("opensips", must_change=True)

        admin = User.objects.get()
        assert (admin.username, admin.role, admin.must_change_password) == ("admin", Role.ADMINISTRATOR, True)
        assert admin.check_password("opensips")

    def test_it_is_created_once(self) -> None:
        create_first_administrator("opensips", must_change=True)
        User.objects.update(username="renamed")

        assert not create_first_administrator("opensips", must_change=True)
        assert User.objects.count() == 1

    def test_it_is_recorded(self) -> None:
        create_first_administrator("opensips", must_change=True)

        assert AuditRecord.objects.get().action == "add"

    def test_signing_in_with_it_leads_to_nothing_but_the_change(self, try_sign_in: Try) -> None:
        create_first_administrator("opensips", must_change=True)
        client = Client()

        try_sign_in("admin", "opensips", client=client, target="/cp/audit/")

        assert client.get("/cp/audit/").headers["Location"] == "/cp/accounts/password/"

    def test_the_first_password_is_printed_until_it_is_changed(self) -> None:
        before = first_password_is_unchanged()
        create_first_administrator("opensips", must_change=True)
        created = first_password_is_unchanged()
        admin = User.objects.get()
        admin.set_password("three green kettles")
        admin.save()

        assert (before, created, first_password_is_unchanged()) == (False, True, False)

    def test_who_may_not_sign_in_is_no_open_door(self) -> None:
        create_first_administrator("opensips", must_change=True)
        User.objects.update(is_active=False)

        assert not first_password_is_unchanged()


def test_passwords_are_hashed_with_argon2(settings: Settings, db: None) -> None:
    from efcp import settings as installed

    settings.PASSWORD_HASHERS = installed.PASSWORD_HASHERS

    create_first_administrator("opensips", must_change=True)

    assert User.objects.get().password.startswith("argon2$argon2id$")


def reset(*arguments: str) -> str:
    """Run `manage.py resetadmin`; return the password that it printed."""
    output = io.StringIO()
    call_command("resetadmin", *arguments, stdout=output)
    (line,) = [line for line in output.getvalue().splitlines() if line.startswith("Password:")]
    return line.split()[1]


@pytest.mark.django_db
class TestResetadmin:
    def test_it_creates_an_administrator_where_there_is_none(self) -> None:
        password = reset()

        admin = User.objects.get(username="admin")
        assert (admin.role, admin.is_active, admin.must_change_password) == (Role.ADMINISTRATOR, True, True)
        assert admin.check_password(password)

    def test_it_brings_back_one_who_was_shut_out_or_demoted(self, make_user: MakeUser) -> None:
        user = make_user(Role.VIEWER, "ada")
        User.objects.update(is_active=False)

        reset("--name", "ada")

        user.refresh_from_db()
        assert (user.role, user.is_active) == (Role.ADMINISTRATOR, True)

    def test_it_ends_his_sessions(self, make_user: MakeUser, is_signed_in: Callable[[Client], bool]) -> None:
        client = Client()
        client.force_login(make_user(Role.ADMINISTRATOR, "admin"))

        reset()

        assert not is_signed_in(client)

    def test_each_password_is_another(self) -> None:
        assert reset() != reset()

    def test_it_forgets_the_wrong_tries(self, try_sign_in: Try) -> None:
        for last in range(8):
            try_sign_in("admin", "wrong", address=f"198.51.100.{last}")
        FailedLogins.objects.filter(key__startswith="account:").update(count=50)

        password = reset()

        assert try_sign_in("admin", password).status_code == 302

    def test_it_is_recorded_without_the_password(self) -> None:
        password = reset()

        assert AuditRecord.objects.get().action == "reset"
        assert password not in str(list(AuditRecord.objects.values()))

    @pytest.mark.parametrize("name", ["", "x" * 65, "two\nlines", " ada"])
    def test_a_name_that_nobody_could_type_is_refused(self, name: str) -> None:
        with pytest.raises(CommandError, match="--name"):
            call_command("resetadmin", "--name", name)


def test_the_old_password_is_void_after_a_reset(try_sign_in: Try, make_user: MakeUser) -> None:
    make_user(Role.ADMINISTRATOR, "admin")

    reset()

    assert try_sign_in("admin", PASSWORD).status_code == 422
