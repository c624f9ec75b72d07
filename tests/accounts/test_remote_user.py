"""Signing in by the header of a trusted proxy, and what is refused of it."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from efcp import configuration
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.environment import ConfigurationError
from efcp.sign_in_settings import RemoteUser
from tests.conftest import MakeUser

PAGE = "/cp/accounts/security/"
TRUSTED = {
    "EFCP_REMOTE_USER_HEADER": "X-Remote-User",
    "EFCP_REMOTE_ROLES": "noc=operator",
    "EFCP_TRUSTED_PROXIES": "192.0.2.10",
    "EFCP_URL": "https://panel.example.org",
    "EFCP_SECRET_KEY": "x" * 40,
}


@pytest.fixture(autouse=True)
def _by_header(settings: Settings, db: None) -> None:
    """Have one proxy trusted, whose header names the user."""
    settings.REMOTE_USER = RemoteUser("X-Remote-User", "X-Remote-Groups", (("noc", "operator"),))
    settings.EFCP_TRUSTED_PROXIES = configuration.load(TRUSTED).trusted_proxies
    settings.MIDDLEWARE = [*settings.MIDDLEWARE]
    place = settings.MIDDLEWARE.index("efcp.accounts.middleware.EndedSessionMiddleware")
    settings.MIDDLEWARE.insert(place, "efcp.accounts.remote_user.RemoteUserMiddleware")


def see(client: Client, name: str | None, groups: str = "noc", peer: str = "192.0.2.10") -> int:
    """Open a page by way of a peer; returns the status."""
    headers = {"X-Remote-Groups": groups} | ({"X-Remote-User": name} if name else {})
    return client.get(PAGE, headers=headers, REMOTE_ADDR=peer).status_code


def test_the_proxy_s_user_is_signed_in_and_out_with_the_header(client: Client) -> None:
    assert see(client, "ada") == 200
    assert User.objects.get().role == Role.OPERATOR
    assert see(client, "ada") == 200
    assert AuditRecord.objects.filter(action="sign in", after={"means": "proxy"}).count() == 1
    assert see(client, "grace") == 200
    assert client.session["_auth_user_id"] == str(User.objects.get(username="grace").pk)
    assert see(client, "grace", groups="staff") == 403
    assert see(client, None) == 302


def test_the_header_of_others_counts_for_nothing(client: Client) -> None:
    assert see(client, "ada", peer="192.0.2.11") == 302
    assert see(client, "ada") == 200
    assert see(client, "ada", peer="192.0.2.11") == 302  # nor goes a session on that it began


@pytest.mark.parametrize("name", ["ada,root", "a" * 65, "ada\x7f"])
def test_two_values_and_what_is_no_name_are_refused_and_recorded(name: str, client: Client) -> None:
    assert see(client, name) == 403
    assert not User.objects.exists()
    assert "more than one value" in AuditRecord.objects.get(action="sign in failed").reason


def test_a_user_with_a_password_is_not_taken_over(client: Client, make_user: MakeUser) -> None:
    make_user(Role.ADMINISTRATOR, "root")
    assert see(client, "ROOT") == 403


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"EFCP_TRUSTED_PROXIES": ""}, "could be forged"),
        ({"EFCP_TRUSTED_PROXIES": "0.0.0.0/0"}, "too wide"),
        ({"EFCP_TRUSTED_PROXIES": "192.0.2.10,fd00::/8"}, "too wide"),
        ({"EFCP_REMOTE_USER_HEADER": "X_Remote_User"}, "header of its own"),
        ({"EFCP_REMOTE_USER_HEADER": "X-Forwarded-For"}, "header of its own"),
        ({"EFCP_REMOTE_GROUPS_HEADER": "x-remote-user"}, "another header"),
        ({"EFCP_REMOTE_ROLES": ""}, "is not set"),
        ({"EFCP_REMOTE_ROLES": "noc=boss"}, "group=role"),
        ({"EFCP_OIDC": "company"}, "CLIENT_ID is not set"),
        ({"EFCP_OIDC": "Company"}, "lower-case"),
        (
            {
                "EFCP_OIDC": "a",
                "EFCP_OIDC_A_CLIENT_ID": "x",
                "EFCP_OIDC_A_ISSUER": "http://login.example.org",
            },
            "https",
        ),
    ],
)
def test_what_could_be_forged_is_refused_at_start(changes: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        configuration.load(TRUSTED | changes)
