"""The administrators' pages about users."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.selectors import changed_columns
from tests.conftest import ClientAs, MakeUser
from tests.tokens import fresh

USERS = "/cp/accounts/users/"
NEW = "three green kettles"
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='x'>",
    "{{ user.password }}",
    "a'; DROP TABLE--",
]


@pytest.fixture
def bob(make_user: MakeUser) -> User:
    """A viewer called bob."""
    return make_user(Role.VIEWER, "bob")


def pages_about(user: User) -> list[str]:
    names = ("edit-user", "user-password", "delete-user")
    return [USERS, f"{USERS}add/", *(reverse(f"accounts:{name}", args=[user.pk]) for name in names)]


def new_user(name: str = "carol", role: Role = Role.OPERATOR, password: str = NEW) -> dict[str, str]:
    return {"username": name, "role": role, "new_password": password, "repeated_password": password}


def stored() -> list[tuple[object, ...]]:
    return list(User.objects.order_by("pk").values_list("pk", "username", "role", "is_active", "password"))


class TestWhoMay:
    @pytest.mark.parametrize("page", range(5))
    def test_an_anonymous_visitor_is_led_to_the_sign_in_page(
        self, page: int, client: Client, bob: User
    ) -> None:
        response = client.get(pages_about(bob)[page])

        assert response.headers["Location"].startswith("/cp/accounts/sign-in/?next=")

    @pytest.mark.parametrize("page", range(5))
    @pytest.mark.parametrize(
        ("role", "status"), [(Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.ADMINISTRATOR, 200)]
    )
    def test_only_administrators_see_the_pages(
        self, page: int, role: Role, status: int, client_as: ClientAs, bob: User
    ) -> None:
        assert client_as(role).get(pages_about(bob)[page]).status_code == status

    @pytest.mark.parametrize("page", range(1, 5))
    @pytest.mark.parametrize("role", [None, Role.VIEWER, Role.OPERATOR])
    def test_nobody_else_changes_anything(
        self, page: int, role: Role | None, client_as: ClientAs, bob: User
    ) -> None:
        client = client_as(role)
        before = stored()

        client.post(pages_about(bob)[page], new_user() | {"is_active": ""})

        assert stored() == before

    @pytest.mark.parametrize("page", range(5))
    def test_looking_changes_nothing(self, page: int, administrator: Client, bob: User) -> None:
        before = stored()

        administrator.get(pages_about(bob)[page], new_user())

        assert stored() == before
        assert not AuditRecord.objects.exists()

    @pytest.mark.parametrize("page", range(1, 5))
    def test_a_form_of_another_site_is_refused(self, page: int, bob: User, make_user: MakeUser) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(make_user(Role.ADMINISTRATOR))
        before = stored()

        assert client.post(pages_about(bob)[page], new_user()).status_code == 403
        assert stored() == before

    @pytest.mark.parametrize("number", [0, 999_999, 10**30])
    @pytest.mark.parametrize("page", ["edit", "password", "delete"])
    def test_an_id_that_does_not_exist_is_not_found(
        self, page: str, number: int, administrator: Client
    ) -> None:
        assert administrator.get(f"{USERS}{number}/{page}/").status_code == 404


class TestAdding:
    def test_the_new_user_must_change_the_password(self, administrator: Client) -> None:
        assert administrator.post(f"{USERS}add/", new_user()).headers["Location"] == USERS

        carol = User.objects.get(username="carol")
        assert (carol.role, carol.is_active, carol.must_change_password) == (Role.OPERATOR, True, True)
        assert carol.check_password(NEW)

    def test_it_is_recorded_without_the_password(self, administrator: Client) -> None:
        administrator.post(f"{USERS}add/", new_user())

        (record,) = AuditRecord.objects.all()
        assert (record.action, record.actor, record.subject_label) == ("add", "administrator", "carol")
        assert record.after == {
            "username": "carol",
            "role": "operator",
            "is_active": True,
            "must_change_password": True,
        }

    @pytest.mark.parametrize("name", ["bob", "BOB", " bob ", "ｂｏｂ"])
    def test_a_name_that_another_has_is_refused(self, name: str, administrator: Client, bob: User) -> None:
        page = administrator.post(f"{USERS}add/", new_user(name)).content.decode()

        assert "This name is taken" in page
        assert User.objects.count() == 2

    @pytest.mark.parametrize("name", ["", "  ", "x" * 65, "two\nlines", "nul\0", "\u202etxt"])
    def test_a_name_that_can_t_be_shown_is_refused(self, name: str, administrator: Client) -> None:
        page = administrator.post(f"{USERS}add/", new_user(name)).content.decode()

        assert "field-error" in page
        assert User.objects.count() == 1

    def test_the_password_is_judged_by_the_new_user_s_name(self, administrator: Client) -> None:
        page = administrator.post(f"{USERS}add/", new_user(password="carol123456")).content.decode()

        assert "This password is your user name." in page

    def test_an_unknown_role_is_refused(self, administrator: Client) -> None:
        page = administrator.post(f"{USERS}add/", new_user() | {"role": "god"}).content.decode()

        assert "field-error" in page
        assert User.objects.count() == 1

    def test_the_form_sent_twice_adds_one_user(self, administrator: Client) -> None:
        administrator.post(f"{USERS}add/", new_user())
        administrator.post(f"{USERS}add/", new_user())

        assert User.objects.filter(username="carol").count() == 1


@pytest.mark.parametrize("name", HOSTILE)
class TestHostileNames:
    def test_they_are_shown_as_text_everywhere(
        self, name: str, administrator: Client, make_user: MakeUser
    ) -> None:
        user = make_user(Role.VIEWER, name)
        from django.utils.html import escape

        for page in (*pages_about(user)[2:], USERS):
            shown = administrator.get(page).content.decode()
            assert escape(name) in shown
            assert name not in shown or escape(name) == name

    def test_they_are_shown_as_text_to_their_owner(self, name: str, make_user: MakeUser) -> None:
        client = Client()
        client.force_login(make_user(Role.VIEWER, name))

        shown = client.get("/cp/accounts/password/").content.decode()

        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


class TestEditing:
    def edit(self, client: Client, user: User, role: Role, active: bool = True) -> str:
        form = {"role": role} | ({"is_active": "on"} if active else {})
        response = client.post(f"{USERS}{user.pk}/edit/", form | fresh(User, user.pk))
        user.refresh_from_db()
        return response.content.decode()

    def test_another_role_ends_the_user_s_sessions(self, administrator: Client, bob: User) -> None:
        theirs = Client()
        theirs.force_login(bob)

        self.edit(administrator, bob, Role.ADMINISTRATOR)

        assert theirs.get(USERS).status_code == 302
        theirs.force_login(User.objects.get(pk=bob.pk))
        assert theirs.get(USERS).status_code == 200

    def test_it_is_recorded_with_before_and_after(self, administrator: Client, bob: User) -> None:
        self.edit(administrator, bob, Role.OPERATOR, active=False)

        (record,) = AuditRecord.objects.all()
        assert record.action == "edit"
        assert changed_columns(record) == ["role", "is_active"]

    def test_saving_without_a_change_records_nothing(self, administrator: Client, bob: User) -> None:
        self.edit(administrator, bob, Role.VIEWER)

        assert not AuditRecord.objects.exists()


class TestTheLastAdministrator:
    TEXT = "is the last administrator who can sign in"

    @pytest.fixture
    def own(self, administrator: Client) -> User:
        return User.objects.get(username="administrator")

    @pytest.mark.parametrize("form", [{"role": "viewer", "is_active": "on"}, {"role": "administrator"}])
    def test_can_t_be_demoted_or_shut_out(
        self, form: dict[str, str], administrator: Client, own: User
    ) -> None:
        page = administrator.post(f"{USERS}{own.pk}/edit/", form | fresh(User, own.pk)).content.decode()

        own.refresh_from_db()
        assert self.TEXT in page
        assert (own.role, own.is_active) == (Role.ADMINISTRATOR, True)
        assert not AuditRecord.objects.exists()

    def test_can_t_be_removed(self, administrator: Client, own: User) -> None:
        page = administrator.post(f"{USERS}{own.pk}/delete/", fresh(User, own.pk)).content.decode()

        assert self.TEXT in page
        assert User.objects.filter(pk=own.pk).exists()

    def test_an_administrator_who_may_not_sign_in_does_not_count(
        self, administrator: Client, own: User, make_user: MakeUser
    ) -> None:
        retired = make_user(Role.ADMINISTRATOR, "retired")
        User.objects.filter(pk=retired.pk).update(is_active=False)

        administrator.post(f"{USERS}{own.pk}/delete/", fresh(User, own.pk))

        assert User.objects.filter(pk=own.pk).exists()

    def test_can_go_when_there_is_another(
        self, administrator: Client, own: User, make_user: MakeUser
    ) -> None:
        make_user(Role.ADMINISTRATOR, "second")

        administrator.post(f"{USERS}{own.pk}/delete/", fresh(User, own.pk))

        assert not User.objects.filter(pk=own.pk).exists()


class TestPassword:
    def test_a_new_password_must_be_changed_and_ends_the_sessions(
        self, administrator: Client, bob: User, is_signed_in: Callable[[Client], bool]
    ) -> None:
        theirs = Client()
        theirs.force_login(bob)

        administrator.post(
            f"{USERS}{bob.pk}/password/",
            {"new_password": NEW, "repeated_password": NEW} | fresh(User, bob.pk),
        )

        bob.refresh_from_db()
        assert bob.must_change_password
        assert bob.check_password(NEW)
        assert not is_signed_in(theirs)

    def test_the_policy_judges_it(self, administrator: Client, bob: User) -> None:
        form = {"new_password": "short", "repeated_password": "short"}

        assert (
            "too short"
            in administrator.post(f"{USERS}{bob.pk}/password/", form | fresh(User, bob.pk)).content.decode()
        )

    def test_one_s_own_is_changed_on_its_own_page(self, administrator: Client) -> None:
        own = User.objects.get(username="administrator")

        assert administrator.get(f"{USERS}{own.pk}/password/").headers["Location"] == "/cp/accounts/password/"


class TestRemoving:
    def test_it_needs_confirmation(self, administrator: Client, bob: User) -> None:
        assert "Remove bob?" in administrator.get(f"{USERS}{bob.pk}/delete/").content.decode()

    def test_the_user_s_sessions_end_and_his_records_stay(
        self, administrator: Client, bob: User, is_signed_in: Callable[[Client], bool]
    ) -> None:
        theirs = Client()
        theirs.force_login(bob)
        theirs.post("/cp/accounts/sign-out/")
        theirs.force_login(bob)

        administrator.post(f"{USERS}{bob.pk}/delete/", fresh(User, bob.pk))

        assert not is_signed_in(theirs)
        assert AuditRecord.objects.filter(actor="bob").exists()

    def test_twice_gives_a_message_and_no_error(self, administrator: Client, bob: User) -> None:
        administrator.post(f"{USERS}{bob.pk}/delete/", fresh(User, bob.pk))

        page = administrator.post(
            f"{USERS}{bob.pk}/delete/", fresh(User, bob.pk), follow=True
        ).content.decode()

        assert "has been removed" in page


def test_the_list_costs_the_same_queries_at_any_length(
    administrator: Client, make_user: MakeUser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for index in range(150):
        make_user(Role.VIEWER, f"user-{index:03}")

    with django_assert_max_num_queries(5):
        page = administrator.get(USERS).content.decode()

    assert page.count("user-0") > 50
    assert "user-140" not in page
