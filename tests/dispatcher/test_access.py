"""Who may do what: each page for anonymous, viewer, operator and administrator."""

import pytest
from django.test import Client
from django.urls import reverse

from dispatcher.models import Destination, DestinationSet
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from tests.conftest import AddRow, ClientAs
from tests.tokens import fresh

NEW = {
    "setid": "3",
    "destination": "sip:10.0.0.9",
    "state": "0",
    "weight": "1",
    "probe_mode": "0",
    "priority": "0",
}
PAGES = {
    "list": ("dispatcher:list", "get", {Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR}),
    "pending": ("dispatcher:pending", "get", {Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR}),
    "add": ("dispatcher:add", "get", {Role.ADMINISTRATOR}),
    "add it": ("dispatcher:add", "post", {Role.ADMINISTRATOR}),
    "check": ("dispatcher:check", "post", {Role.ADMINISTRATOR}),
    "edit": ("dispatcher:edit", "get", {Role.ADMINISTRATOR}),
    "edit it": ("dispatcher:edit", "post", {Role.ADMINISTRATOR}),
    "clone": ("dispatcher:clone", "get", {Role.ADMINISTRATOR}),
    "delete": ("dispatcher:delete", "get", {Role.ADMINISTRATOR}),
    "delete it": ("dispatcher:delete", "post", {Role.ADMINISTRATOR}),
    "name a set": ("dispatcher:name-set", "get", {Role.ADMINISTRATOR}),
    "name it": ("dispatcher:name-set", "post", {Role.ADMINISTRATOR}),
}
WITH_ROW = {"dispatcher:edit", "dispatcher:clone", "dispatcher:delete"}


def address(name: str, row_id: int) -> str:
    if name in WITH_ROW:
        return reverse(name, args=[row_id])
    return reverse(name, args=[1]) if name == "dispatcher:name-set" else reverse(name)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_a_page_is_open_to_its_roles_only(
    client_as: ClientAs, add_row: AddRow, page: str, role: Role | None
) -> None:
    name, method, permitted = PAGES[page]
    url = address(name, add_row("sip:10.0.0.1"))
    before = (Destination.objects.count(), DestinationSet.objects.count())
    client = client_as(role)
    headers = {"HX-Trigger-Name": "weight"}
    response = (
        client.post(url, NEW | fresh(DestinationSet, 1), headers=headers)
        if method == "post"
        else client.get(url)
    )
    if role is None:
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("accounts:sign-in"))
    elif role in permitted:
        assert response.status_code in {200, 302}
    else:
        assert response.status_code == 403
    if role not in permitted:
        assert (Destination.objects.count(), DestinationSet.objects.count()) == before


@pytest.mark.parametrize("page", [page for page, (_, method, _) in PAGES.items() if method == "get"])
def test_a_get_changes_nothing(client_as: ClientAs, add_row: AddRow, page: str) -> None:
    row_id = add_row("sip:10.0.0.1")
    client = client_as(Role.ADMINISTRATOR)
    before = (list(Destination.objects.values()), AuditRecord.objects.count())
    url = address(PAGES[page][0], row_id)
    client.get(url)
    client.get(url, {"action": "delete", "id": str(row_id), "state": "1", "destination": "sip:10.0.0.2"})
    assert (list(Destination.objects.values()), AuditRecord.objects.count()) == before


@pytest.mark.parametrize("page", [page for page, (_, method, _) in PAGES.items() if method == "post"])
def test_a_post_without_a_token_is_refused(client_as: ClientAs, add_row: AddRow, page: str) -> None:
    url = address(PAGES[page][0], add_row("sip:10.0.0.1"))
    administrator = client_as(Role.ADMINISTRATOR)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = administrator.cookies
    assert strict.post(url, NEW).status_code == 403
    assert Destination.objects.count() == 1


@pytest.mark.parametrize("name", sorted(WITH_ROW))
@pytest.mark.parametrize("row_id", [999_999, 0, 2**40])
def test_a_row_that_does_not_exist_is_not_found(client_as: ClientAs, name: str, row_id: int) -> None:
    assert client_as(Role.ADMINISTRATOR).get(reverse(name, args=[row_id])).status_code == 404
