"""Who may call what: every operation of the description, by every kind of token."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from efcp.accounts import tokens
from efcp.accounts.models import ApiToken, User
from efcp.accounts.roles import PERMISSIONS, Role
from efcp.api import authentication
from efcp.api.urls import description
from tests.api.conftest import SOMEBODY, V1, ApiClient, make_token

OPERATIONS = [
    (method, path, operation)
    for path, operations in description()["paths"].items()
    for method, operation in operations.items()
]
NAMES = [f"{method} {path}" for method, path, _operation in OPERATIONS]
REFUSED = {401, 403}


def call(client: Client, method: str, path: str, **headers: str) -> int:
    """Call an operation on what does not exist, with an empty body; its status."""
    for name in ("row_id", "id", "number", "run_id"):
        path = path.replace(f"{{{name}}}", "999999")
    sent = {"data": "{}", "content_type": "application/json"} if method in {"post", "patch"} else {}
    status: int = getattr(client, method)(path, headers=headers, **sent).status_code
    return status


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_an_operation_is_for_the_roles_that_its_description_names(
    api: Callable[..., ApiClient], method: str, path: str, operation: dict[str, Any]
) -> None:
    for role in Role:
        permitted = operation["x-permission"] in PERMISSIONS[role]
        assert (call(api(role), method, path) not in REFUSED) is permitted, role


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_an_operation_refuses_who_has_no_valid_token_for_it(
    api: Callable[..., ApiClient],
    client_as: Callable[[Role | None], Client],
    method: str,
    path: str,
    operation: dict[str, Any],
) -> None:
    assert call(Client(), method, path) == 401
    assert call(client_as(Role.ADMINISTRATOR), method, path) == 401, "a session"
    assert call(ApiClient("efcp_0123456789ab_x"), method, path) == 401
    other = {"dispatcher": "dialplan"}.get(operation["x-module"], "dispatcher")
    assert call(api(modules=(other,)), method, path) == 403
    assert call(api(networks=("192.0.2.0/24",)), method, path) == 403
    for column in ("revoked_at", "expires_at"):
        token, secret = make_token()
        ApiToken.objects.filter(pk=token.pk).update(**{column: timezone.now() - timedelta(seconds=1)})
        assert call(ApiClient(secret), method, path) == 401, column


def test_every_operation_is_described(db: None) -> None:
    for method, path, operation in OPERATIONS:
        name = f"{method} {path}"
        assert operation["description"], name
        assert all(each.get("description") for each in operation.get("parameters", [])), name
        assert {"401", "403"} <= {str(status) for status in operation["responses"]}, name
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["example"], name


class TestToken:
    def test_it_can_do_no_more_than_its_owner_can_by_now(
        self, api: Callable[..., ApiClient], make_user: Callable[..., User]
    ) -> None:
        owner = make_user(Role.ADMINISTRATOR)
        client = api(Role.ADMINISTRATOR, owner)
        User.objects.update(role=Role.VIEWER)
        assert client.send("POST", "/destinations", {}).status_code == 403
        assert client.send("GET", "/destinations").status_code == 200
        User.objects.update(must_change_password=True)
        assert client.send("GET", "/destinations").status_code == 403
        User.objects.update(must_change_password=False, is_active=False)
        assert client.send("GET", "/destinations").status_code == 401

    def test_a_role_above_the_owners_is_refused(self, make_user: Callable[..., User]) -> None:
        with pytest.raises(ValueError, match="role"):
            make_token(Role.OPERATOR, make_user(Role.VIEWER))

    def test_its_secret_is_stored_nowhere(self, db: None) -> None:
        token, secret = make_token()
        assert secret not in str(ApiToken.objects.values().get())
        assert tokens.find_token(secret) == token
        assert tokens.find_token(secret[:-1] + "!") is None

    def test_the_log_of_requests_names_it_and_its_owner(
        self,
        api: Callable[..., ApiClient],
        make_user: Callable[..., User],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        owner = make_user(Role.VIEWER)
        client = api(Role.VIEWER, owner)
        with caplog.at_level("INFO", "efcp.logs"):
            client.send("GET", "/rules")
            client.send("POST", "/rules", {})
            Client().get(f"{V1}/rules")
        logged = [each.fields for each in caplog.records if each.name == "efcp.logs"]  # type: ignore[attr-defined]
        assert [(each["status"], each["user"], each["token"]) for each in logged] == [
            (200, owner.username, "ci"),
            (403, owner.username, "ci"),
            (401, "", ""),
        ]

    def test_administrators_list_and_revoke_all_and_everyone_sees_their_own(
        self, admin: ApiClient, api: Callable[..., ApiClient], make_user: Callable[..., User]
    ) -> None:
        client = api(Role.VIEWER, make_user(Role.VIEWER), sets=(1,))
        own = client.send("GET", "/token").json()
        assert (own["name"], own["owner"], own["role"], own["sets"]) == ("ci", "viewer", "viewer", [1])
        assert client.send("GET", "/tokens").status_code == 403
        path = f"/tokens/{own['id']}"
        assert admin.send("DELETE", path).status_code == 428
        assert admin.send("DELETE", path, If_Match=own["etag"]).status_code == 200
        assert client.send("GET", "/token").status_code == 401
        listed = admin.send("GET", "/tokens").json()["items"]
        assert {each["id"]: each["state"] for each in listed}[own["id"]] == "revoked"
        assert not any("digest" in each or "prefix" in each for each in listed)

    def test_it_notes_its_last_use(self, admin: ApiClient) -> None:
        admin.send("GET", "/rules")
        used = ApiToken.objects.get()
        assert used.last_used_at is not None
        assert used.last_address == "127.0.0.1"

    def test_many_calls_are_slowed_down(self, admin: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(authentication, "CALLS", authentication.Throttle(2, 0.1, clock=lambda: 0))
        answers = [admin.send("GET", "/rules") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0

    def test_wrong_tokens_are_slowed_down_before_they_are_looked_for(
        self, admin: ApiClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authentication, "FAILURES", authentication.Throttle(2, 0.1, clock=lambda: 0))
        wrong = ApiClient("efcp_0123456789ab_x")
        assert [wrong.send("GET", "/rules").status_code for _ in range(3)] == [401, 401, 429]

    def test_revoking_ends_it_at_once(self, db: None) -> None:
        token, secret = make_token()
        tokens.revoke_token(token, timezone.now(), SOMEBODY)
        assert ApiClient(secret).send("GET", "/rules").status_code == 401
