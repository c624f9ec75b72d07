"""The panel's own resources over the API: each is added, versioned, changed and deleted as by its pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.api import records
from efcp.audit.models import AuditRecord
from efcp.proxies.models import Proxy, StateChange
from tests.api.conftest import ApiClient
from tests.factories import DestinationFactory, KnownDestinationFactory, ProxyContactFactory, RuleFactory

PASSWORD = "three green kettles"
WEBHOOK = {"channel": "webhook", "url": "http://127.0.0.1:9/hook", "secret": "s" * 20}
RESOURCES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "/proxies": ({"name": "edge", "mi_url": "http://127.0.0.1:9/mi", "mi_password": "p"}, {"cluster": "a"}),
    "/users": ({"username": "bob", "role": "viewer", "password": PASSWORD}, {"role": "operator"}),
    "/notification-rules": ({"name": "night", **WEBHOOK}, {"after_s": 300}),
    "/cases": ({"dpid": 1, "input": "030", "expected": "x"}, {"expected": None}),
}


@pytest.mark.parametrize("path", RESOURCES)
def test_a_resource_is_added_changed_and_deleted_with_its_version(
    admin: ApiClient, make_user: Callable[..., User], path: str
) -> None:
    make_user(Role.ADMINISTRATOR)
    body, changes = RESOURCES[path]
    others = admin.send("GET", path).json()["items"]
    dry = admin.send("POST", f"{path}?dry_run=true", body)
    assert dry.status_code == 200, dry.content
    assert dry.json()["dry_run"] is True
    assert admin.send("GET", path).json()["items"] == others
    added = admin.send("POST", path, body, Idempotency_Key="a")
    assert added.status_code == 201, added.content
    assert admin.send("POST", path, body, Idempotency_Key="a").content == added.content
    assert admin.send("POST", path, body).status_code == 422, "a second one of that name"
    one = added.headers["Location"].removeprefix("/cp/api/v1")
    shown = admin.send("GET", one)
    assert shown.headers["ETag"] == added.headers["ETag"]
    assert "s" * 20 not in shown.content.decode()
    assert admin.send("PATCH", one, changes).status_code == 428
    changed = admin.send("PATCH", one, changes, If_Match=shown.headers["ETag"])
    assert changed.status_code == 200, changed.content
    assert changes.items() <= changed.json()["data"].items()
    stale = admin.send("PATCH", one, changes, If_Match=shown.headers["ETag"])
    assert (stale.status_code, stale.json()["current"]) == (412, changed.json()["data"])
    assert admin.send("DELETE", one, If_Match=shown.headers["ETag"]).status_code == 412
    assert admin.send("DELETE", one, If_Match=changed.headers["ETag"]).status_code == 200
    assert admin.send("GET", one).status_code == 404
    writes = AuditRecord.objects.exclude(subject_kind="token").values_list("action", "token")
    assert list(writes.order_by("pk")) == [("add", "ci"), ("edit", "ci"), ("delete", "ci")]


@pytest.mark.parametrize(("path", "make"), [("/sets", DestinationFactory), ("/dialplans", RuleFactory)])
def test_groups_have_names(admin: ApiClient, path: str, make: Any) -> None:
    make.create()
    [group] = admin.send("GET", path).json()["items"]
    assert (group["id"], group["name"], group["rows"]) == (1, "", 1)
    named = admin.send("PATCH", f"{path}/1", {"name": "media"}, If_Match=group["etag"])
    assert named.json()["data"]["name"] == "media"
    assert admin.send("PATCH", f"{path}/1", {"name": "x"}, If_Match=group["etag"]).status_code == 412
    named = admin.send("PATCH", f"{path}/7", {"name": "later"}, If_Match="*")
    assert [each["id"] for each in admin.send("GET", path).json()["items"]] == [1, 7]
    [first] = admin.send("GET", f"{path}?limit=1").json()["items"]
    assert first["id"] == 1


def test_the_last_administrator_stays(admin: ApiClient, make_user: Callable[..., User]) -> None:
    user = make_user(Role.ADMINISTRATOR)
    answer = admin.send("DELETE", f"/users/{user.pk}", If_Match="*")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")


def test_maintenance_is_planned_and_ended(admin: ApiClient) -> None:
    row = DestinationFactory.create()
    proxy = ProxyContactFactory.create().proxy
    KnownDestinationFactory.create(proxy=proxy)
    body = {"destination": row.pk, "reason": "firmware", "minutes": 30}
    refused = admin.send("POST", "/maintenance", body)
    assert refused.json()["findings"][0]["code"] == "set_emptied"
    planned = admin.send("POST", "/maintenance", body | {"allow_empty_set": True})
    assert planned.status_code == 201, planned.content
    one = f"/maintenance/{planned.json()['data']['id']}"
    assert admin.send("PATCH", one, {"minutes": 60}).status_code == 428
    ended = admin.send("PATCH", one, {"minutes": 0}, If_Match=planned.headers["ETag"]).json()["data"]
    assert ended["proxies"][0]["step"] == "not taken"
    assert admin.send("PATCH", one, {"minutes": 9}, If_Match=planned.headers["ETag"]).status_code == 412


def test_what_proxies_hold_is_listed_with_its_freshness(admin: ApiClient) -> None:
    row = DestinationFactory.create()
    KnownDestinationFactory.create(proxy=ProxyContactFactory.create().proxy)
    [state] = admin.send("GET", "/states?state=active").json()["items"]
    assert (state["proxy"], state["uri"], state["fresh"]) == ("edge-1", "sip:10.0.0.1:5060", True)
    [available] = admin.send("GET", f"/destinations/{row.pk}/availability").json()["items"]
    assert available["state"] == "active"
    [listed] = admin.send("GET", "/proxies").json()["items"]
    assert (listed["freshness"], listed["has_mi_password"]) == ("live", False)


class TestEvents:
    @pytest.fixture
    def cursor(self, admin: ApiClient) -> str:
        return str(admin.send("GET", "/events").json()["next"])

    def test_a_watch_goes_on_where_it_ended(self, admin: ApiClient, cursor: str) -> None:
        DestinationFactory.create()
        page = admin.send("GET", f"/events?cursor={cursor}&wait=5").json()
        assert [(each["kind"], each["data"]["action"]) for each in page["items"]] == [("write", "add")]
        again = admin.send("GET", f"/events?cursor={page['next']}").json()
        assert again == {"items": [], "next": page["next"]}

    def test_states_and_writes_come_together(self, admin: ApiClient, cursor: str) -> None:
        row = StateChange.objects.create(
            proxy=Proxy.objects.create(name="a", mi_url="http://127.0.0.1:9/mi"),
            partition="default",
            setid=1,
            uri="sip:a",
            uri_key="sip:a",
            at=timezone.now() - timedelta(minutes=1),
            state_before="active",
            state_after="probing",
        )
        [event] = admin.send("GET", f"/events?cursor={cursor}").json()["items"]
        assert (event["kind"], event["data"]["id"], event["data"]["after"]) == ("state", row.pk, "probing")

    @pytest.mark.mariadb
    def test_a_gap_is_waited_for_while_a_transaction_may_fill_it(self, admin: ApiClient, cursor: str) -> None:
        source, now = records.SOURCES[0], timezone.now()
        last = AuditRecord.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        for number, age in ((1, 300), (3, 300), (4, 0), (6, 0)):
            at = now - timedelta(seconds=age)
            AuditRecord.objects.create(pk=last + number, at=at, subject_kind="x", subject_id="1")
        assert [row.pk - last for row in records.settled(source, last, 10)] == [1, 3, 4]


def test_previews_change_nothing(admin: ApiClient) -> None:
    DestinationFactory.create()
    RuleFactory.create(match_exp="^0(.*)$", subst_exp="^0(.*)$", repl_exp="49\\1")
    before = AuditRecord.objects.count()
    call = admin.send("POST", "/previews/call", {"setid": 1}).json()
    assert call["chosen"]["uri"] == "sip:10.0.0.1:5060"
    translated = admin.send("POST", "/previews/translation", {"dpid": 1, "input": "030"}).json()
    assert translated["output"] == "4930"
    script = admin.send("POST", "/previews/script", {"text": "route { ds_select_dst(1, 4); }\n"}).json()
    assert script["findings"]
    assert AuditRecord.objects.count() == before
