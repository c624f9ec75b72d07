"""Signing in at an OpenID Connect provider, also at one that lies, hangs or is away."""

import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from efcp.accounts import oidc
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.sign_in_settings import OidcProvider
from tests.accounts.conftest import PASSWORD, Try
from tests.accounts.oidc_server import CLIENT, SECRET, OidcServer, oidc_server
from tests.conftest import ClientAs, MakeUser

BEGIN = "/cp/accounts/sign-in/at/company/"
SECURITY = "/cp/accounts/security/"
ROLES = (("noc", "operator"), ("admins", "administrator"))


@pytest.fixture
def provider(settings: Settings, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[OidcServer]:
    """A provider on loopback, in the settings; nothing is remembered of another on that port."""
    monkeypatch.setattr(oidc, "_documents", {})
    monkeypatch.setattr(oidc, "_keys", {})
    with oidc_server() as server:
        scopes = ("openid", "profile")
        of_settings = OidcProvider(
            "company", "Company", server.issuer, CLIENT, SECRET, scopes, "groups", ROLES
        )
        settings.OIDC_PROVIDERS = {"company": of_settings}
        yield server


def arrive(client: Client, provider: OidcServer, begin: str = BEGIN) -> str:
    """Go to the provider and back; returns where that leads."""
    response = client.get(begin)
    back = provider.authorize(response.headers["Location"])
    return client.get(back.partition("testserver")[2]).headers["Location"]


def refusal_of(client: Client) -> str:
    """What the page says after a refusal; it is in the change log, too."""
    page = client.get("/cp/accounts/sign-in/").content.decode()
    shown = re.search(r"Company: ([^<]+)<", page)
    assert shown, page
    text = unescape(shown[1]).strip()
    record = AuditRecord.objects.filter(action="sign in failed").latest("id")
    assert record.reason == text
    return text


def test_a_user_signs_in_with_the_role_of_the_groups_of_now(provider: OidcServer, client: Client) -> None:
    assert arrive(client, provider, f"{BEGIN}?next={SECURITY}") == SECURITY
    user = User.objects.get(username="ada")
    assert (user.role, user.has_usable_password()) == (Role.OPERATOR, False)
    assert "Company" in client.get(SECURITY).content.decode()
    provider.claims["groups"] = ["noc", "admins"]
    arrive(Client(), provider)
    assert User.objects.get(pk=user.pk).role == Role.ADMINISTRATOR
    assert client.get(SECURITY).status_code == 302  # another role: the other session ended
    assert AuditRecord.objects.filter(action="sign in", after={"means": "Company"}).count() == 2
    provider.claims["groups"] = ["staff"]
    client = Client()
    arrive(client, provider)
    assert refusal_of(client) == "None of your groups has a role in this panel."
    assert client.get(SECURITY).status_code == 302


def _wrong_key(provider: OidcServer) -> None:
    provider.signing_key = ec.generate_private_key(ec.SECP256R1())


def _no_signature(provider: OidcServer) -> None:
    provider.algorithm, provider.signing_key = "none", ""


def _by_the_secret(provider: OidcServer) -> None:
    provider.algorithm, provider.signing_key = "HS256", SECRET + "." * 32


def _claims(**lies: Any) -> Callable[[OidcServer], None]:
    return lambda provider: provider.lies.update(lies)


@pytest.mark.parametrize(
    ("lie", "text"),
    [
        (_claims(iss="https://evil.example"), "comes from another issuer"),
        (_claims(aud="another-program"), "wrong audience"),
        (_claims(aud=[CLIENT, "another-program"]), "wrong azp"),
        (_claims(nonce="of another sign-in"), "wrong nonce"),
        (_claims(nonce=None), "wrong nonce"),
        (_claims(exp=int(time.time()) - 3600), "has expired"),
        (_claims(iat=int(time.time()) + 3600), "not valid yet"),
        (_claims(sub=None), "lacks a required claim"),
        (_claims(groups=[str(number) for number in range(10_001)]), "more than 10,000 groups"),
        (_wrong_key, "signature is wrong"),
        (_no_signature, "of a kind that is not accepted"),
        (_by_the_secret, "of a kind that is not accepted"),
        (lambda provider: setattr(provider, "redirects_token", True), "redirects to another address"),
        (lambda provider: provider.document.update(issuer="https://evil.example"), "names another issuer"),
        (lambda provider: provider.document.update(token_endpoint="ftp://x/"), "no good token_endpoint"),
    ],
)
def test_what_can_not_be_trusted_is_refused(
    lie: Callable[[OidcServer], None], text: str, provider: OidcServer, client: Client
) -> None:
    lie(provider)
    response = client.get(BEGIN)
    if not response.headers["Location"].startswith("/cp/"):
        client.get(provider.authorize(response.headers["Location"]).partition("testserver")[2])
    assert text in refusal_of(client)
    assert not User.objects.exists()
    assert "/elsewhere" not in provider.requests


def test_10_000_groups_are_read(provider: OidcServer, client: Client) -> None:
    provider.claims["groups"] = ["noc", *(str(number) for number in range(9_999))]
    assert arrive(client, provider) == "/cp/"


def test_new_keys_of_the_provider_are_fetched(provider: OidcServer, client: Client) -> None:
    arrive(client, provider)
    provider.new_key()
    assert arrive(Client(), provider) == "/cp/"
    provider.new_key()
    provider.key_id = "2"  # another key under the former id
    assert arrive(Client(), provider) == "/cp/"


@pytest.mark.parametrize("stage", [".well-known/openid-configuration", "token", "keys"])
def test_a_provider_that_hangs_is_left_within_the_limit(
    stage: str,
    provider: OidcServer,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    make_user: MakeUser,
    try_sign_in: Try,
) -> None:
    monkeypatch.setattr(oidc, "LIMIT_S", 0.3)
    provider.stage_that_hangs = stage
    response = client.get(BEGIN)
    if not response.headers["Location"].startswith("/cp/"):
        client.get(provider.authorize(response.headers["Location"]).partition("testserver")[2])
    assert refusal_of(client) == "The provider does not answer."
    make_user(Role.ADMINISTRATOR, "root")
    assert try_sign_in("root", PASSWORD, client=client).status_code == 302


def test_an_answer_belongs_to_one_browser_and_counts_once(provider: OidcServer, client: Client) -> None:
    back = provider.authorize(client.get(BEGIN).headers["Location"]).partition("testserver")[2]
    other = Client()
    other.get(back)
    assert "not started in this browser" in refusal_of(other)
    forged = Client()
    forged.cookies.load(client.cookies.output(header=""))
    forged.get(back.partition("state=")[0] + "state=guessed")
    assert "wrong state" in refusal_of(forged)
    assert client.get(back).headers["Location"] == "/cp/"
    client.get(back)
    assert AuditRecord.objects.filter(action="sign in").count() == 1


def test_a_user_who_exists_is_never_taken_over_but_links_the_account(
    provider: OidcServer, client: Client, make_user: MakeUser
) -> None:
    local = make_user(Role.OPERATOR, "ADA")
    arrive(client, provider)
    assert "is a user here already" in refusal_of(client)
    mine = Client()
    mine.force_login(local)
    page = mine.post(reverse("accounts:oidc-link", args=["company"]))
    back = provider.authorize(page.headers["Refresh"].partition("url=")[2])
    assert mine.get(back.partition("testserver")[2]).headers["Location"] == SECURITY
    assert arrive(client, provider) == "/cp/"
    assert client.session["_auth_user_id"] == str(local.pk)
    others = Client()
    others.force_login(make_user(Role.VIEWER, "eve"))
    page = others.post(reverse("accounts:oidc-link", args=["company"]))
    back = provider.authorize(page.headers["Refresh"].partition("url=")[2])
    others.get(back.partition("testserver")[2])
    assert "linked already" in others.get(SECURITY).content.decode()


def test_confirmation_at_the_provider_takes_the_same_account_and_a_new_sign_in(
    provider: OidcServer, client: Client
) -> None:
    provider.claims["groups"] = ["admins"]
    arrive(client, provider)
    session = client.session
    session["confirmed_at"] = 0
    session.save()
    page, confirm = reverse("accounts:add-user"), reverse("accounts:oidc-confirm", args=["company"])
    assert confirm in client.get(page, follow=True).content.decode()
    provider.lies["auth_time"] = int(time.time()) - 3600
    assert arrive(client, provider, f"{confirm}?next={page}") == SECURITY
    assert client.get(page).status_code == 302
    provider.lies = {"sub": "somebody-else"}
    assert arrive(client, provider, f"{confirm}?next={page}") == SECURITY
    provider.lies = {}
    assert arrive(client, provider, f"{confirm}?next={page}") == page
    assert client.get(page).status_code == 200


def test_signing_out_goes_on_at_the_provider(provider: OidcServer, client: Client) -> None:
    arrive(client, provider)
    response = client.post("/cp/accounts/sign-out/")
    assert response.headers["Refresh"].startswith(f"0; url={provider.issuer}/end?")
    assert client.get(SECURITY).status_code == 302


def test_only_named_users_sign_in_with_a_password(
    provider: OidcServer, settings: Settings, make_user: MakeUser, try_sign_in: Try
) -> None:
    settings.LOCAL_USERS = frozenset({"root"})
    make_user(Role.ADMINISTRATOR, "root")
    make_user(Role.ADMINISTRATOR, "eve")
    assert try_sign_in("eve", PASSWORD).status_code == 422
    assert try_sign_in("root", PASSWORD).status_code == 302


def test_next_never_leads_to_another_host(provider: OidcServer, client: Client) -> None:
    assert arrive(client, provider, f"{BEGIN}?next=https://evil.example/cp/") == "/cp/"


def test_an_unknown_provider_is_not_found(client_as: ClientAs) -> None:
    assert client_as(None).get(BEGIN).status_code == 404
