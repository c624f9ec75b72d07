"""Browsers and pages for the tests about people."""

from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

SIGN_IN = "/cp/accounts/sign-in/"
PASSWORD = "long-enough-1"
Try = Callable[..., HttpResponse]


@pytest.fixture
def try_sign_in(db: None) -> Try:
    """Return a function that tries to sign in, each time from a browser of its own unless one is given."""

    def attempt(
        username: str,
        password: str,
        *,
        client: Client | None = None,
        address: str = "192.0.2.1",
        target: str = "",
    ) -> HttpResponse:
        form = {"username": username, "password": password, "next": target}
        return (client or Client()).post(SIGN_IN, form, REMOTE_ADDR=address)  # type: ignore[return-value]

    return attempt


@pytest.fixture
def is_signed_in() -> Callable[[Client], bool]:
    """Return a function that checks whether a client's session is a user's."""
    return lambda client: client.get(reverse("accounts:password")).status_code == 200
