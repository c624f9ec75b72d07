"""Alerts from the list of a proxy to a message, through the database: what reconcile alone can't show."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from efcp.audit.models import AuditRecord
from efcp.operations.alerts import outside, process_beats
from efcp.operations.alerts.conditions import Conditions
from efcp.operations.alerts.delivery import Beat, run_due
from efcp.operations.alerts.detection import create_notices
from efcp.operations.alerts.models import Channel, Notice, NoticeState, NotificationRule, Outage, Silence
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, ProxyLoad, WatcherHeartbeat
from tests.operations.alerts.receivers import HookServer
from tests.operations.alerts.test_delivery import NOW, after, become, messages, rule_to
from tests.operations.conftest import URI


@pytest.fixture
def hook(transactional_db: None) -> Iterator[HookServer]:
    """A webhook's server."""
    server = HookServer()
    server.start()
    yield server
    server.stop()


def many(proxy: Proxy, count: int, *, at: datetime) -> None:
    """So many destinations that go down at a moment, each on a host of its own."""
    KnownDestination.objects.all().delete()
    KnownDestination.objects.bulk_create(
        KnownDestination(
            proxy=proxy,
            partition="default",
            setid=1 + number % 10,
            uri=f"sip:10.{number >> 8}.{number & 255}.1",
            uri_key=f"sip:10.{number >> 8}.{number & 255}.1",
            position=number,
            state="probing",
            since=at,
        )
        for number in range(count)
    )


def test_a_mass_outage_is_one_message_after_the_time_of_grouping(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook, after_s=0, group_s=10, states=["probing", "set"])
    many(proxy, 5_000, at=after(0))
    for seconds in (2, 8, 10, 12, 14, 40):
        run_due(after(seconds))
    (message,) = messages(hook)
    assert (len(message["sets"]), message["further"]) == (10, 4_910)
    KnownDestination.objects.update(state="active")
    for seconds in (50, 62, 70):
        run_due(after(seconds))
    assert [each["kind"] for each in messages(hook)] == ["down", "back"]


def test_a_list_that_has_not_changed_is_not_read_again(proxy: Proxy) -> None:
    for number in range(3):
        rule_to(name=f"rule {number}", states=["probing", "set"])
    ProxyContact.objects.filter(proxy=proxy).update(sets_digest="one")
    reader = Conditions()

    def reads() -> int:
        with CaptureQueriesContext(connection) as queries:
            create_notices(after(1), reader)
        return sum("efcp_known_destination" in each["sql"] for each in queries)

    assert [reads(), reads()] == [1, 0], "once for three rules, and once for a list"
    ProxyContact.objects.filter(proxy=proxy).update(sets_digest="two")
    assert reads() == 1


@pytest.mark.parametrize(("share", "is_down"), [(50, False), (51, True)])
def test_a_set_below_its_share_is_reported(proxy: Proxy, hook: HookServer, share: int, is_down: bool) -> None:
    rule_to(hook, states=["set"], after_s=0, min_share=share)
    many(proxy, 2, at=after(0))
    KnownDestination.objects.update(setid=1)
    KnownDestination.objects.filter(position=0).update(state="active")
    run_due(after(5))
    assert bool(hook.received) is is_down


def test_a_restart_and_a_reload_that_discarded_rows_are_reported(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook, states=["restart", "reload"], after_s=0)
    ProxyContact.objects.filter(proxy=proxy).update(known_since=after(-9000), up_since=after(1))
    ProxyLoad.objects.create(
        proxy=proxy, module="dispatcher", partition="default", started_at=after(1), discarded=3
    )
    run_due(after(5))
    (message,) = messages(hook)
    assert {each["what"] for each in message["others"]} == {"restart", "reload"}
    assert "3 rows discarded" in str(message)
    ProxyLoad.objects.update(discarded=0)
    run_due(after(2000))
    run_due(after(2010))
    assert [len(each["others"]) for each in messages(hook)] == [2, 1], "a restart has no end"


def test_a_table_that_differs_is_reported(proxy: Proxy, hook: HookServer, transactional_db: None) -> None:
    rule = rule_to(hook, states=["drift"], after_s=0)
    now = timezone.now()
    run_due(now)
    run_due(now + timedelta(seconds=60))
    states = set(rule.outages.values_list("state", flat=True))
    assert states <= {"drift"}
    assert bool(states) is bool(hook.received)


@pytest.fixture
def alerted(proxy: Proxy, hook: HookServer) -> tuple[NotificationRule, NotificationRule]:
    """Two rules that follow one destination, and one message of each."""
    first = rule_to(hook, after_s=0, repeat_min=1)
    second = rule_to(hook, name="day shift", after_s=0, escalate_to=first, escalate_min=2)
    become("probing", after(0))
    run_due(after(1))
    return first, second


def test_what_is_acknowledged_is_neither_repeated_nor_escalated(
    alerted: tuple[NotificationRule, NotificationRule], hook: HookServer, operator: Client
) -> None:
    key = messages(hook)[0]["id"]
    page = reverse("notifications:message", args=[key])
    assert b"Acknowledge" in operator.get(page).content
    answered = operator.post(reverse("notifications:acknowledge"), {"message": key})
    assert answered["Location"] == page
    operator.post(reverse("notifications:acknowledge"), {"message": key})
    run_due(after(600))
    assert len(hook.received) == 2
    assert AuditRecord.objects.filter(action="acknowledge").count() == 1
    assert Outage.objects.filter(acknowledged_at=None).count() == 0, "in the eyes of both rules"
    become("active", after(700))
    run_due(after(701))
    assert [each["kind"] for each in messages(hook)] == ["down", "down", "back", "back"]


def test_what_nobody_acknowledges_is_repeated_and_escalated_once(
    alerted: tuple[NotificationRule, NotificationRule], hook: HookServer
) -> None:
    for seconds in (62, 122, 130):
        run_due(after(seconds))
    kinds = [each["kind"] for each in messages(hook)]
    assert sorted(kinds) == ["down", "down", "escalated", "still", "still"]
    assert Notice.objects.get(kind="escalated").receiver == alerted[0]


def test_a_viewer_may_not_acknowledge_or_silence(viewer: Client, proxy: Proxy) -> None:
    for name in ("notifications:acknowledge", "notifications:silences"):
        assert viewer.post(reverse(name), {"minutes": "5", "reason": "x"}).status_code == 403
    assert viewer.get(reverse("notifications:silences")).status_code == 200


def test_a_silence_ends_and_is_kept(proxy: Proxy, hook: HookServer, operator: Client) -> None:
    rule = rule_to(hook, after_s=0)
    sent = {"proxy": proxy.pk, "setid": "1", "uri": URI.upper(), "minutes": "60", "reason": "Carrier works"}
    assert operator.post(reverse("notifications:silences"), sent).status_code == 302
    now = timezone.now()
    become("probing", now)
    run_due(now)
    assert [each.silence for each in rule.outages.all()] == ["Carrier works (silenced by operator)"]
    assert b"Carrier works" in operator.get(reverse("notifications:alerts"), {"show": "silent"}).content
    silence = Silence.objects.get()
    operator.post(reverse("notifications:end-silence", args=[silence.pk]))
    run_due(now + timedelta(seconds=30))
    run_due(now + timedelta(seconds=50))
    assert [each["kind"] for each in messages(hook)] == ["down"]


def test_a_receiver_who_was_away_gets_one_summary(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook, after_s=0)
    hook.status = 500
    for number in range(10):
        become("probing", after(number * 400))
        run_due(after(number * 400 + 1))
        become("active", after(number * 400 + 100))
        run_due(after(number * 400 + 101))
    failed = len(hook.received)
    hook.status = 200
    Notice.objects.update(next_try_at=after(0))
    run_due(after(4000))
    assert len(hook.received) == failed + 1
    assert messages(hook)[-1]["kind"] == "summary"
    assert len(messages(hook)[-1]["messages"]) == 20
    states = set(Notice.objects.exclude(kind="summary").values_list("state", flat=True))
    assert states == {NoticeState.MERGED}


def test_a_destination_s_message_names_its_duration_and_its_share(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook, after_s=0)
    become("probing", after(0))
    run_due(after(1))
    become("active", after(100))
    run_due(after(120))
    (back,) = (each["destinations"][0] for each in messages(hook) if each["kind"] == "back")
    assert (back["lasted_s"], back["share"]) == (120, 100.0)


def test_the_worker_notifies_of_a_watcher_that_stopped(
    proxy: Proxy, hook: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_to(hook, states=["panel", "probing"], after_s=0)
    become("probing", after(0))
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"beats": 7, "started_at": NOW, "beat_at": NOW})
    observer = process_beats.Observer()
    observer.stopped(NOW, 0.0)
    observer.observed = {name: (beats, at - 61) for name, (beats, at) in observer.observed.items()}
    monkeypatch.setattr(process_beats, "_OBSERVER", process_beats.Observer({"watcher": (7, -1e9)}))
    outside.watch_the_watcher(after(70))
    (message,) = messages(hook)
    assert [each["name"] for each in message["others"]] == ["watcher"]
    assert message["destinations"] == []
    WatcherHeartbeat.objects.update(beats=8)
    Beat()(after(80))
    kinds = [each["kind"] for each in messages(hook) if each.get("others")]
    assert kinds == ["down", "back"]


def test_the_heartbeat_goes_to_the_outside_address_and_its_path_is_not_logged(
    hook: HookServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HEARTBEAT_URL = hook.url
    outside.send_heartbeat(NOW)
    assert len(hook.received) == 1
    hook.stop()
    outside.send_heartbeat(NOW)
    assert "No heartbeat" in caplog.text
    assert "/hook" not in caplog.text
    hook.start()


@pytest.mark.parametrize("show", ["open", "silent", "closed", "all", "nonsense"])
def test_the_pages_list_alerts_and_messages(
    alerted: tuple[NotificationRule, NotificationRule], viewer: Client, show: str
) -> None:
    page = viewer.get(reverse("notifications:alerts"), {"show": show}).content.decode()
    assert (URI in page) is (show in {"open", "all", "nonsense"})
    assert ("day shift, night shift" in page or "night shift, day shift" in page) is (URI in page)
    log = viewer.get(reverse("notifications:messages")).content.decode()
    assert f"down: {URI}" in log


@pytest.mark.parametrize(("networks", "state"), [((), "sent"), (("192.0.2.0/24",), "waiting")])
def test_by_apprise_where_the_site_permits_its_address(
    proxy: Proxy, hook: HookServer, settings: Any, networks: tuple[str, ...], state: str
) -> None:
    hook.status = 200
    settings.WEBHOOK_NETWORKS = tuple(ip_network(each) for each in networks)
    token = "3ccdd113474722377935511fc85d3dd4"
    url = hook.url.replace("http", "mmost").replace("hook", token)
    rule = rule_to(after_s=0, channel=Channel.APPRISE, url=url)
    become("probing", after(0))
    run_due(after(1))
    notice = Notice.objects.get()
    assert (notice.state, bool(hook.received)) == (state, state == "sent"), notice.error
    assert rule.masked_url == "mmost://…"
    assert token not in notice.error
    assert not hook.received or URI.encode() in hook.received[0][1]
