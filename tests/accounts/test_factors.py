"""Second factors: codes by RFC 6238, used once; the second step of signing in; what roles require."""

import base64
import re
import time
from threading import Barrier, Thread

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.urls import reverse

from efcp.accounts import factors, policy
from efcp.accounts.factors import FactorRefusedError
from efcp.accounts.models import User
from efcp.accounts.policy import Requirements
from efcp.accounts.roles import Role
from efcp.accounts.services import reset_administrator
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor
from tests.accounts.conftest import PASSWORD, SIGN_IN, Try
from tests.conftest import ClientAs, MakeUser

ACTOR = Actor("ada")
SECRET = base64.b32encode(b"12345678901234567890").decode()
SECURITY = "/cp/accounts/security/"


def code_at(moment: float, secret: str = SECRET) -> str:
    """The code that an authenticator app shows at a moment."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    return str(format_hotp_value(hotp_value(secret, int(moment) // 30)))


def with_app(user: User) -> list[str]:
    """Give the user an authenticator app whose first code was used long ago; returns the recovery codes."""
    codes = factors.add_app(user, SECRET, code_at(time.time()), ACTOR)
    app = Authenticator.objects.get(user=user, type=factors.APP)
    app.data["last_step"] = 0
    app.save()
    return codes


def send_code(client: Client, code: str) -> int:
    """Send the second step of signing in; returns the status."""
    return client.post("/cp/accounts/sign-in/second-factor/", {"code": code, "next": SECURITY}).status_code


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(moment: int, code: str) -> None:
    assert factors.step_of(SECRET, code, moment) == moment // 30


@pytest.mark.parametrize(("off_s", "good"), [(0, True), (-30, True), (30, True), (-90, False), (90, False)])
def test_a_clock_may_be_30_seconds_off_and_not_90(off_s: int, good: bool) -> None:
    now = 1_800_000_000
    assert (factors.step_of(SECRET, code_at(now + off_s), now) is not None) is good


def test_the_second_factor_follows_the_password(
    try_sign_in: Try, make_user: MakeUser, client: Client
) -> None:
    with_app(make_user(Role.VIEWER, "ada"))
    redirect = try_sign_in("ada", PASSWORD, client=client, target=SECURITY)
    assert "second-factor" in redirect.headers["Location"]
    assert client.get(SECURITY).status_code == 302  # not signed in yet
    assert send_code(client, "000000") == 422
    code = code_at(time.time())
    assert send_code(client, code) == 302
    assert client.get(SECURITY).status_code == 200
    records = AuditRecord.objects.filter(actor="ada", action__startswith="sign in").order_by("id")
    assert [(each.action, each.after) for each in records] == [
        ("sign in failed", None),
        ("sign in", {"means": "password and authenticator app"}),
    ]
    again = Client()
    try_sign_in("ada", PASSWORD, client=again)
    answer = again.post("/cp/accounts/sign-in/second-factor/", {"code": code})
    assert "This code was used before" in answer.content.decode()


def test_wrong_codes_are_slowed_down_and_the_password_does_not_reset_that(
    try_sign_in: Try, make_user: MakeUser
) -> None:
    with_app(make_user(Role.VIEWER, "ada"))
    statuses = []
    for number in range(8):
        client = Client()
        try_sign_in("ada", PASSWORD, client=client, address=f"198.51.100.{number}")
        page, address = "/cp/accounts/sign-in/second-factor/", f"198.51.100.{number}"
        statuses.append(client.post(page, {"code": "1"}, REMOTE_ADDR=address).status_code)
    # From the sixth on the password itself has to wait, so that there is no second step.
    assert statuses == [422] * 6 + [302] * 2


def test_recovery_codes_count_once(make_user: MakeUser) -> None:
    user = make_user(Role.VIEWER, "ada")
    codes = with_app(user)
    assert len(set(codes)) == 10
    assert factors.use_code(user, codes[3]) == "recovery code"
    with pytest.raises(FactorRefusedError):
        factors.use_code(user, codes[3])
    assert factors.factors_of(user).codes_left == 9
    new = factors.renew_codes(user, ACTOR)
    assert not set(new) & set(codes)
    assert factors.factors_of(user).codes_left == 10


@pytest.mark.django_db(transaction=True)
def test_a_code_sent_at_once_from_several_places_counts_once(make_user: MakeUser) -> None:
    user = make_user(Role.VIEWER, "ada")
    with_app(user)
    code, together, taken = code_at(time.time()), Barrier(4), []

    def attempt() -> None:
        together.wait()
        try:
            taken.append(factors.use_code(user, code))
        except FactorRefusedError as refused:
            taken.append(str(refused))
        finally:
            connection.close()

    threads = [Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(["authenticator app", *[factors.USED_CODE] * 3])


def test_an_app_is_added_by_its_first_code(client_as: ClientAs) -> None:
    client = client_as(Role.OPERATOR)
    page = client.get(reverse("accounts:add-app")).content.decode()
    secret = re.search(r'class="mono" type="text" readonly value="([A-Z2-7 ]+)"', page)
    signed = re.search(r'name="secret" value="([^"]+)"', page)
    assert secret
    assert signed
    form = {"secret": signed[1], "code": "12345"}
    assert client.post(reverse("accounts:add-app"), form).status_code == 422
    form["code"] = code_at(time.time(), secret[1].replace(" ", ""))
    codes = client.post(reverse("accounts:add-app"), form)
    assert "Recovery codes" in codes.content.decode()
    user = User.objects.get(username="operator")
    stored = Authenticator.objects.get(user=user, type=factors.APP)
    assert secret[1].replace(" ", "") not in str(stored.data)
    assert client.post(reverse("accounts:remove-factor", args=[stored.pk])).status_code == 302
    assert not Authenticator.objects.filter(user=user).exists()


def test_an_administrator_resets_factors_and_the_user_is_informed(
    client_as: ClientAs, make_user: MakeUser, try_sign_in: Try
) -> None:
    user = make_user(Role.VIEWER, "ada")
    with_app(user)
    theirs = Client()
    theirs.force_login(user)
    administrator = client_as(Role.ADMINISTRATOR)
    assert ">yes</a>" in administrator.get(reverse("accounts:users")).content.decode()
    administrator.post(reverse("accounts:reset-factors", args=[user.pk]))
    assert theirs.get(SECURITY).status_code == 302
    assert try_sign_in("ada", PASSWORD, client=theirs).status_code == 302
    assert "administrator removed your second factors" in theirs.get(SECURITY).content.decode()
    assert "administrator removed your second factors" not in theirs.get(SECURITY).content.decode()
    assert AuditRecord.objects.filter(action="reset factors", actor="administrator").count() == 1


def test_a_role_may_need_a_second_factor_and_an_idle_limit(
    client_as: ClientAs, make_user: MakeUser, try_sign_in: Try, client: Client
) -> None:
    user = make_user(Role.OPERATOR, "ada")
    client.force_login(user)
    sent = {"operator-needs_factor": "on", "operator-idle_minutes": "20"}
    assert client_as(Role.ADMINISTRATOR).post(reverse("accounts:policy"), sent).status_code == 302
    assert client.get(SECURITY).status_code == 302  # signed out
    answer = try_sign_in("ada", PASSWORD, client=client)
    assert answer.cookies["sessionid"]["max-age"] == 1200
    for page in ("/cp/", "/cp/system/dispatcher/", reverse("accounts:tokens")):
        assert client.get(page).headers["Location"] == SECURITY
    assert "Add a second factor" in client.get(SECURITY).content.decode()
    with_app(user)
    other = Client()
    try_sign_in("ada", PASSWORD, client=other)
    assert send_code(other, code_at(time.time())) == 302
    assert other.get("/cp/").status_code == 200
    app = Authenticator.objects.get(user=user, type=factors.APP)
    other.post(reverse("accounts:remove-factor", args=[app.pk]))
    assert Authenticator.objects.filter(pk=app.pk).exists()


def test_resetadmin_is_the_way_back_without_the_factor(make_user: MakeUser, try_sign_in: Try) -> None:
    with_app(make_user(Role.ADMINISTRATOR, "admin"))
    password = reset_administrator("admin")
    assert try_sign_in("admin", password).headers["Location"] == "/cp/"


def test_what_touches_rights_is_confirmed_again_after_a_while(client_as: ClientAs) -> None:
    client = client_as(Role.ADMINISTRATOR)
    page = reverse("accounts:add-user")
    assert client.get(page).status_code == 200
    session = client.session
    session["confirmed_at"] = int(time.time()) - 3700
    session.save()
    confirm = client.get(page).headers["Location"]
    assert confirm.startswith(reverse("accounts:confirm"))
    assert client.get(reverse("accounts:users")).status_code == 200
    # A form that was opened before is still taken.
    assert client.post(page, {"username": ""}).status_code == 422
    assert client.post(confirm, {"next": page, "password": "wrong-one"}).status_code == 422
    assert client.post(confirm, {"next": page, "password": PASSWORD}).headers["Location"] == page
    assert client.get(page).status_code == 200


def test_sessions_are_listed_and_ended(make_user: MakeUser, try_sign_in: Try) -> None:
    make_user(Role.VIEWER, "ada")
    here, there, third = Client(), Client(headers={"User-Agent": "X Firefox/130 Linux"}), Client()
    for client, address in ((here, "192.0.2.1"), (there, "198.51.100.7"), (third, "198.51.100.8")):
        try_sign_in("ada", PASSWORD, client=client, address=address)
    page = here.get(SECURITY).content.decode()
    assert "Firefox on Linux" in page
    assert "198.51.100.7" in page
    number = re.search(r"sessions/(\d+)/end/", page)
    assert number
    here.post(reverse("accounts:end-session", args=[number[1]]))
    assert sorted(each.get(SECURITY).status_code for each in (there, third)) == [200, 302]
    here.post(reverse("accounts:end-sessions"))
    assert [each.get(SECURITY).status_code for each in (here, there, third)] == [200, 302, 302]
    assert here.get(SECURITY).content.decode().count("this one") == 1
    new = {"new_password": "another-long-one", "repeated_password": "another-long-one"}
    here.post(reverse("accounts:password"), {"current_password": PASSWORD} | new)
    assert here.get(SECURITY).content.decode().count("this one") == 1


def test_a_policy_that_is_the_same_is_not_recorded(make_user: MakeUser) -> None:
    policy.change(dict.fromkeys(Role, Requirements()), ACTOR)
    assert not AuditRecord.objects.exists()


def test_a_visitor_without_a_password_has_no_second_step(client: Client, db: None) -> None:
    assert client.get("/cp/accounts/sign-in/second-factor/").headers["Location"] == SIGN_IN
    assert client.post("/cp/accounts/sign-in/passkey/", {}).status_code == 404
