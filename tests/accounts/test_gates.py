"""What stands between a session and a page, over every address: a missing factor, an old confirmation."""

import time

from django.test import Client
from django.urls import reverse

from efcp.accounts.roles import Role
from efcp.accounts.sessions import MUST_ADD_FACTOR
from tests.conftest import ClientAs
from tests.test_hostile_requests import ADDRESSES

PUBLIC = {
    *("healthz", "readyz", "metrics"),
    *(f"accounts:{name}" for name in ("sign-in", "second-factor", "passkey-sign-in")),
    *(f"accounts:{name}" for name in ("oidc-begin", "oidc-callback", "sign-out", "choose-password")),
}
ADDING = {
    f"accounts:{name}" for name in ("security", "add-app", "add-key", "confirm", "oidc-confirm", "password")
}
CONFIRMED = {
    *(
        f"accounts:{name}"
        for name in ("add-user", "edit-user", "user-password", "delete-user", "reset-factors")
    ),
    *(f"accounts:{name}" for name in ("add-token", "policy", "add-app", "add-key")),
    *(f"proxies:{name}" for name in ("add", "edit", "delete")),
}


def leading_to(client: Client, page: str) -> set[str]:
    """The names of the addresses that lead to a page when they are opened."""
    found = set()
    for name, numbers in ADDRESSES:
        if name.startswith("api:") and name != "api:reference":
            continue  # by tokens only
        response = client.get(reverse(name, args=[1] * numbers))
        if response.headers.get("Location", "").startswith(reverse(page)):
            found.add(name)
    return found


def test_nothing_is_reached_before_a_required_factor_is_added(client_as: ClientAs) -> None:
    client = client_as(Role.ADMINISTRATOR)
    session = client.session
    session[MUST_ADD_FACTOR] = True
    session.save()
    pages = {name for name, _numbers in ADDRESSES if not name.startswith("api:") or name == "api:reference"}
    assert pages - leading_to(client, "accounts:security") == (PUBLIC | ADDING) & pages


def test_an_old_confirmation_is_renewed_before_rights_and_secrets_are_changed(
    client_as: ClientAs,
) -> None:
    client = client_as(Role.ADMINISTRATOR)
    session = client.session
    session["confirmed_at"] = int(time.time()) - 7200
    session.save()
    assert leading_to(client, "accounts:confirm") == CONFIRMED
