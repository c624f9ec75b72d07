"""Tokens and clients that send them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dispatcher import names
from efcp.accounts import tokens
from efcp.accounts.models import ApiToken, User
from efcp.accounts.roles import Role
from efcp.accounts.tokens import TokenLimits
from efcp.api import authentication
from efcp.audit.services import Actor

SOMEBODY = Actor("somebody")
V1 = "/cp/api/v1"


class ApiClient(Client):
    """A program with a token: it sends and gets JSON, and sends no cookie."""

    def __init__(self, secret: str, **kwargs: Any) -> None:
        super().__init__(headers={"Authorization": f"Bearer {secret}"}, **kwargs)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request; underscores of header names are hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.generic(
            method,
            f"{V1}{path}",
            "" if body is None else json.dumps(body),
            "application/json",
            headers=named,
        )


def make_token(
    role: Role = Role.ADMINISTRATOR, owner: User | None = None, **limits: Any
) -> tuple[ApiToken, str]:
    """A token of this role and its secret; of a service account unless it has an owner."""
    given = TokenLimits(role, **limits)
    return tokens.create_token("ci", owner, given, None, timezone.now(), SOMEBODY)


@pytest.fixture(autouse=True)
def _unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every test begin with full buckets, and no name looked up."""
    monkeypatch.setattr(authentication, "CALLS", authentication.Throttle(10_000, 10_000))
    monkeypatch.setattr(authentication, "FAILURES", authentication.Throttle(10_000, 10_000))
    monkeypatch.setattr(names, "look_up", lambda *_args: names.Lookup(names.Outcome.NO_ANSWER))


@pytest.fixture
def api(db: None) -> Callable[..., ApiClient]:
    """Return a function that gives a program with a new token."""

    def make(role: Role = Role.ADMINISTRATOR, owner: User | None = None, **limits: Any) -> ApiClient:
        return ApiClient(make_token(role, owner, **limits)[1])

    return make


@pytest.fixture
def admin(api: Callable[..., ApiClient]) -> ApiClient:
    """A program that may do everything."""
    return api()
