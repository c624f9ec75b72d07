"""Webhooks of events: each event once, signed, in order, with a log; also after failures."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from efcp.api import event_delivery
from efcp.api.event_delivery import run_due
from efcp.api.models import DeliveryState, EventDelivery, prune_deliveries
from efcp.audit.models import AuditRecord
from efcp.operations.alerts.delivery import PAUSES, signature
from tests.api.conftest import ApiClient
from tests.operations.alerts.receivers import HookServer

SECRET = "sixteen or more of it"
GATEWAY = {"setid": 1, "destination": "sip:10.0.0.1:5060"}


@pytest.fixture
def hook(transactional_db: None) -> Iterator[HookServer]:
    """A webhook's server."""
    server = HookServer()
    server.start()
    yield server
    server.stop()


def add(admin: ApiClient, url: str, **more: Any) -> dict[str, Any]:
    answer = admin.send("POST", "/webhooks", {"name": "chat", "url": url, "secret": SECRET, **more})
    assert answer.status_code == 201, answer.content
    created: dict[str, Any] = answer.json()["data"]
    return created


def messages(hook: HookServer) -> list[dict[str, Any]]:
    return [json.loads(body) for _headers, body in hook.received]


def labels(hook: HookServer) -> list[str]:
    """What the events that came are about."""
    return [event["data"]["label"] for message in messages(hook) for event in message["events"]]


def later(**how: float) -> datetime:
    return timezone.now() + timedelta(**how)


def test_each_event_comes_once_signed_and_in_order(hook: HookServer, admin: ApiClient) -> None:
    admin.send("POST", "/destinations", GATEWAY)
    created = add(admin, hook.url, kinds=["write"])
    assert "secret" not in json.dumps(created)
    for number in range(3):
        admin.send("POST", "/destinations", {"setid": 2, "destination": f"sip:10.0.0.{number}"})
        run_due(later(seconds=number))
        run_due(later(seconds=number))
    assert labels(hook) == ["chat", *(f"sip:10.0.0.{number} in set 2" for number in range(3))]
    headers, body = hook.received[-1]
    sent_at = int(headers["EFCP-Signature"].removeprefix("t=").partition(",")[0])
    assert headers["EFCP-Signature"] == signature(SECRET, sent_at, body)
    log = admin.send("GET", f"/webhooks/{created['id']}/deliveries").json()["items"]
    assert [(each["state"], each["tries"]) for each in log] == [("sent", 1)] * 3
    assert messages(hook)[-1]["id"] == log[0]["key"]


def test_without_a_receipt_a_message_is_repeated_by_its_id_and_the_next_waits(
    hook: HookServer, admin: ApiClient
) -> None:
    created = add(admin, hook.url, kinds=["write"])
    hook.status = 500
    run_due(later())
    admin.send("POST", "/destinations", GATEWAY)
    run_due(later())
    assert len(hook.received) == 1
    for pause in PAUSES:
        EventDelivery.objects.update(next_try_at=timezone.now())
        run_due(later())
        assert pause
    ids = {each["id"] for each in messages(hook)}
    assert (len(ids), len(hook.received)) == (1, len(PAUSES) + 1)
    assert set(EventDelivery.objects.values_list("state", flat=True)) == {"given up", "waiting"}
    hook.status = 200
    run_due(later())
    assert labels(hook)[-1] == "sip:10.0.0.1:5060 in set 1"
    assert admin.send("GET", f"/webhooks/{created['id']}/deliveries").json()["items"][1]["error"]


def test_one_that_was_being_sent_when_its_process_died_is_sent_again(
    hook: HookServer, admin: ApiClient
) -> None:
    add(admin, hook.url, kinds=["write"])
    run_due(later())
    EventDelivery.objects.update(state=DeliveryState.SENDING, next_try_at=timezone.now())
    run_due(later(seconds=1))
    assert len(hook.received) == 1
    run_due(later(minutes=3))
    assert len(hook.received) == 2


def test_a_receiver_that_is_down_has_the_cursor_wait_and_loses_nothing(
    hook: HookServer, admin: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_delivery, "MOST_WAITING", 3)
    add(admin, hook.url, kinds=["write"])
    hook.status = 500
    for number in range(5):
        AuditRecord.objects.create(at=timezone.now(), action="edit", subject_label=str(number))
        run_due(later())
    assert EventDelivery.objects.count() == 3
    hook.status = 200
    hook.received.clear()
    for _message in range(5):
        EventDelivery.objects.update(next_try_at=timezone.now())
        run_due(later())
    assert labels(hook) == ["chat", *map(str, range(5))]
    sent = EventDelivery.objects.count()
    assert (prune_deliveries(later(days=6)), prune_deliveries(later(days=8))) == (0, sent)


def test_it_is_changed_by_version_and_new_kinds_begin_now(hook: HookServer, admin: ApiClient) -> None:
    created = add(admin, hook.url, kinds=["state"])
    path = f"/webhooks/{created['id']}"
    admin.send("POST", "/destinations", GATEWAY)
    assert admin.send("PATCH", path, {"enabled": False}).status_code == 428
    assert admin.send("PATCH", path, {"url": hook.url}, If_Match=created["etag"]).status_code == 422
    changed = admin.send("PATCH", path, {"kinds": ["write"]}, If_Match=created["etag"])
    assert changed.status_code == 200
    assert admin.send("PATCH", path, {"enabled": False}, If_Match=created["etag"]).status_code == 412
    run_due(later())
    assert labels(hook) == ["chat"]
    assert admin.send("DELETE", path, If_Match=changed.json()["data"]["etag"]).status_code == 200
    assert not EventDelivery.objects.exists()
    assert list(
        AuditRecord.objects.filter(subject_kind="event webhook").values_list("action", flat=True)
    ) == [
        "delete",
        "edit",
        "add",
    ]


@pytest.mark.parametrize("url", ["ftp://x", "x"])
def test_an_address_that_may_not_be_posted_to_is_refused(admin: ApiClient, url: str) -> None:
    answer = admin.send("POST", "/webhooks", {"name": "chat", "url": url, "secret": SECRET})
    assert (answer.status_code, answer.json()["findings"][0]["field"]) == (422, "url")
