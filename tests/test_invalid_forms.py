"""An invalid form that is posted answers 422, whichever page it is on."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from efcp.accounts.models import User
from efcp.accounts.roles import Role

TOO_LONG = "x" * 5_000


@pytest.mark.parametrize(
    ("page", "args", "posted"),
    [
        ("accounts:add-user", [], {}),
        ("accounts:password", [], {"current_password": "wrong"}),
        ("accounts:time-zone", [], {"time_zone": "Nowhere/Land"}),
        ("dispatcher:add", [], {"setid": "none"}),
        ("dispatcher:name-set", [1], {"name": TOO_LONG}),
        ("dialplan:add", [], {"dpid": "none"}),
        ("dialplan:name", [1], {"name": TOO_LONG}),
        ("proxies:add", [], {"name": ""}),
        ("notifications:add", [], {"name": ""}),
    ],
)
def test_an_invalid_post_answers_422(
    administrator: Client, page: str, args: list[int], posted: dict[str, str]
) -> None:
    assert administrator.get(reverse(page, args=args)).status_code == 200
    assert administrator.post(reverse(page, args=args), posted).status_code == 422


@pytest.mark.parametrize("page", ["accounts:edit-user", "accounts:user-password"])
def test_an_invalid_post_about_a_user_answers_422(
    administrator: Client, make_user: Callable[..., User], page: str
) -> None:
    address = reverse(page, args=[make_user(Role.VIEWER).pk])
    assert administrator.get(address).status_code == 200
    assert administrator.post(address, {"role": "emperor"}).status_code == 422


def test_a_wrong_password_answers_422(db: None, client: Client) -> None:
    posted = {"username": "nobody", "password": "wrong"}
    assert client.post(reverse("accounts:sign-in"), posted).status_code == 422
