"""The pages of API tokens."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from efcp.accounts import tokens
from efcp.accounts.models import ApiToken, User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord

LIST, ADD = "/cp/accounts/tokens/", "/cp/accounts/tokens/add/"
TOKEN = {"name": "ci", "role": "viewer", "days": "30", "sets": "2, 1", "networks": "192.0.2.7/24"}


def secret_on(page: str) -> str:
    return str(re.findall(r'id="secret"[^>]*value="(efcp_[^"]+)"', page)[0])


def test_a_token_is_shown_once_and_found_by_its_secret(client_as: Callable[[Role | None], Client]) -> None:
    client = client_as(Role.VIEWER)
    secret = secret_on(client.post(ADD, TOKEN | {"modules": ["dispatcher"]}).content.decode())
    token = tokens.find_token(secret)
    assert token is not None
    assert (token.owner, token.modules, token.sets) == (User.objects.get(), ["dispatcher"], [1, 2])
    assert token.networks == ["192.0.2.0/24"]
    page = client.get(LIST).content.decode()
    assert token.prefix in page
    assert secret not in page
    assert secret not in str(list(AuditRecord.objects.values()))


@pytest.mark.parametrize(
    ("field", "value"),
    [("role", "operator"), ("days", "7000"), ("sets", "x"), ("sets", "-1"), ("networks", "a"), ("name", "")],
)
def test_a_viewer_gets_no_more_than_a_viewer_may(
    client_as: Callable[[Role | None], Client], field: str, value: str
) -> None:
    assert client_as(Role.VIEWER).post(ADD, TOKEN | {field: value}).status_code == 422
    assert not ApiToken.objects.exists()


def test_only_administrators_create_and_see_tokens_of_service_accounts(
    client_as: Callable[[Role | None], Client],
) -> None:
    sent = TOKEN | {"name": "robot", "is_service": "on"}
    client_as(Role.ADMINISTRATOR).post(ADD, sent)
    viewer = client_as(Role.VIEWER)
    viewer.post(ADD, sent | {"name": "own"})
    assert {token.name: token.owner is None for token in ApiToken.objects.all()} == {
        "robot": True,
        "own": False,
    }
    assert "robot" not in viewer.get(LIST).content.decode()


def test_one_revokes_ones_own_tokens_and_an_administrator_everybodys(
    client_as: Callable[[Role | None], Client],
) -> None:
    viewer, administrator = client_as(Role.VIEWER), client_as(Role.ADMINISTRATOR)
    viewer.post(ADD, TOKEN)
    administrator.post(ADD, TOKEN | {"name": "theirs"})
    by_name = {token.name: token for token in ApiToken.objects.all()}
    address = {name: reverse("accounts:revoke-token", args=[token.pk]) for name, token in by_name.items()}
    assert viewer.post(address["theirs"]).status_code == 404
    assert viewer.post(address["ci"]).status_code == 302
    assert administrator.post(address["theirs"]).status_code == 302
    assert all(token.is_over for token in ApiToken.objects.all())
    assert AuditRecord.objects.filter(action="revoke").count() == 2


def test_the_api_page_shows_every_operation_and_loads_nothing_from_elsewhere(
    client_as: Callable[[Role | None], Client],
) -> None:
    page = client_as(Role.VIEWER).get("/cp/api/v1/").content.decode()
    assert page.count("data-api-method=") > 50
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
