"""Notifications: of what, when, how often, and to whom."""

import email
import email.policy
import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from efcp.operations.alerts.delivery import LOST_AFTER, PAUSES, encrypted_secret, run_due
from efcp.operations.alerts.models import Channel, Notice, NoticeState, NotificationRule
from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy, Phase
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, StateChange
from tests.factories import KnownDestinationFactory, ProxyFactory
from tests.operations.alerts.receivers import HookServer, MailReceiver
from tests.operations.conftest import URI

SECRET = "a-secret-of-the-receiver"
NOW = timezone.now()


@pytest.fixture
def hook(transactional_db: None) -> Iterator[HookServer]:
    """A webhook's server."""
    server = HookServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mail(settings: Settings) -> Iterator[MailReceiver]:
    """A mail server that the settings name."""
    server = MailReceiver()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    yield server
    server.stop()


def rule_to(hook: HookServer | None = None, **more: Any) -> NotificationRule:
    """A rule that was made an hour ago."""
    given: dict[str, Any] = {
        "name": "night shift",
        "states": ["probing", "inactive"],
        "after_s": 60,
        "group_s": 0,
        "channel": Channel.WEBHOOK,
        "url": hook.url if hook else "",
        "secret_encrypted": encrypted_secret(SECRET),
        "since": NOW - timedelta(hours=1),
    }
    return NotificationRule.objects.create(**given | more)


def become(state: str, at: datetime) -> None:
    """Have URI be in that state since a moment."""
    KnownDestination.objects.filter(uri=URI).update(state=state, since=at)


def after(seconds: float) -> datetime:
    """A moment after NOW."""
    return NOW + timedelta(seconds=seconds)


def messages(hook: HookServer) -> list[dict[str, Any]]:
    """What was received."""
    return [json.loads(body) for _headers, body in hook.received]


def test_one_that_stays_down_is_reported_once_after_its_time(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    become("probing", after(0))
    for seconds in (1, 59, 61, 63, 600):
        run_due(after(seconds))
        assert len(hook.received) == (0 if seconds < 60 else 1)
    (message,) = messages(hook)
    assert (message["kind"], message["rule"]) == ("down", "night shift")
    assert message["destinations"] == [
        {
            "proxy": proxy.name,
            "partition": "default",
            "set": 1,
            "set_name": "",
            "uri": URI,
            "state": "probing",
            "since": NOW.isoformat(timespec="seconds"),
            "share": 100.0,
        }
    ]


def test_an_outage_that_begins_in_the_second_in_which_its_rule_was_saved_is_reported(
    proxy: Proxy, hook: HookServer
) -> None:
    rule_to(hook, since=NOW.replace(microsecond=400_000))
    become("probing", NOW.replace(microsecond=0))
    run_due(after(62))
    assert [message["kind"] for message in messages(hook)] == ["down"]


def test_recovery_is_reported_if_the_outage_was(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    become("probing", after(0))
    run_due(after(61))
    become("active", after(90))
    run_due(after(91))
    run_due(after(93))
    assert [message["kind"] for message in messages(hook)] == ["down", "back"]


def test_a_short_outage_is_not_reported(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    become("probing", after(0))
    run_due(after(30))
    become("active", after(31))
    run_due(after(90))
    assert not hook.received


def test_from_probing_to_inactive_is_one_outage(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    become("probing", after(0))
    run_due(after(59))
    become("inactive", after(60))
    run_due(after(61))
    become("probing", after(200))
    run_due(after(300))
    assert [message["kind"] for message in messages(hook)] == ["down"]


def test_a_second_outage_is_reported_again(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook, notify_recovery=False)
    for begin in (0, 1000):
        become("probing", after(begin))
        run_due(after(begin + 61))
        become("active", after(begin + 500))
        run_due(after(begin + 501))
    assert [message["kind"] for message in messages(hook)] == ["down", "down"]


def test_what_was_down_before_the_rule_is_not_reported(proxy: Proxy, hook: HookServer) -> None:
    become("probing", after(-7200))
    rule_to(hook)
    run_due(after(61))
    become("active", after(70))
    run_due(after(71))
    assert not hook.received


@pytest.mark.parametrize(
    ("scope", "count"),
    [({"setids": [1]}, 1), ({"setids": [2]}, 0), ({"states": ["inactive"]}, 0), ({"enabled": False}, 0)],
)
def test_a_rule_reports_what_it_covers(
    proxy: Proxy, hook: HookServer, scope: dict[str, Any], count: int
) -> None:
    rule_to(hook, **scope)
    become("probing", after(0))
    run_due(after(1))
    run_due(after(61))
    assert len(hook.received) == count


def test_a_rule_of_other_proxies_reports_nothing(proxy: Proxy, hook: HookServer) -> None:
    other = ProxyFactory.create(name="edge-2")
    rule_to(hook).proxies.add(other)
    become("probing", after(0))
    run_due(after(61))
    assert not hook.received


def test_one_that_is_gone_from_memory_can_count_as_down(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook, states=["absent"], after_s=0)
    KnownDestination.objects.all().delete()
    StateChange.objects.create(
        proxy=proxy,
        partition="default",
        setid=1,
        uri=URI,
        uri_key=URI,
        at=after(0),
        state_before="active",
    )
    run_due(after(5))
    assert messages(hook)[0]["destinations"][0]["state"] == "absent"


def in_maintenance(proxy: Proxy, *, ends_at: datetime) -> MaintenanceOnProxy:
    """URI was taken out at NOW, by maintenance, and the proxy's list shows it."""
    run = StateRun.objects.create(started_at=NOW, actor="ann", state="inactive")
    StateResult.objects.create(
        run=run,
        proxy=proxy,
        setid=1,
        uri=URI,
        outcome=StateOutcome.DONE,
        state_requested="inactive",
        deadline=after(20),
        ended_at=after(1),
    )
    planned = Maintenance.objects.create(
        destination_id=1, setid=1, uri=URI.upper(), actor="ann", begins_at=NOW, ends_at=ends_at
    )
    become("inactive", after(0))
    return MaintenanceOnProxy.objects.create(maintenance=planned, proxy=proxy, step=Phase.OUT, out_run=run)


def test_maintenance_is_silent_from_its_begin_to_the_first_list_after_its_end(
    proxy: Proxy, hook: HookServer
) -> None:
    rule = rule_to(hook, states=["inactive", "set"], after_s=0)
    running = in_maintenance(proxy, ends_at=after(600))
    for seconds in (1, 300, 599, 601):
        run_due(after(seconds))
    assert set(rule.outages.values_list("silence", flat=True)) == {"Maintenance by ann"}
    MaintenanceOnProxy.objects.filter(pk=running.pk).update(step=Phase.BACK)
    run_due(after(603))
    become("active", after(602))
    run_due(after(605))
    assert not hook.received


def test_what_is_on_purpose_is_read_after_what_is_down(proxy: Proxy, hook: HookServer) -> None:
    """A request is stored before any list shows its effect: read in this order, none is missed."""
    rule_to(hook)
    with CaptureQueriesContext(connection) as nothing_down:
        run_due(after(1))
    become("inactive", after(0))
    with CaptureQueriesContext(connection) as down:
        run_due(after(2))
    requests = [number for number, each in enumerate(down) if "efcp_state_result" in each["sql"]]
    states = [number for number, each in enumerate(down) if '"uri"' in each["sql"] or "`uri`" in each["sql"]]
    assert min(states) < min(requests)
    assert not any("efcp_state_result" in each["sql"] for each in nothing_down)


def test_maintenance_that_does_not_put_back_what_it_took_out_is_reported(
    proxy: Proxy, hook: HookServer
) -> None:
    rule_to(hook, after_s=0)
    in_maintenance(proxy, ends_at=after(600))
    for seconds in (1, 659, 661, 675):
        run_due(after(seconds))
        assert not hook.received
    run_due(after(677))
    assert [message["destinations"][0]["state"] for message in messages(hook)] == ["inactive"]


@pytest.mark.parametrize(
    ("outcome", "began", "silence"),
    [
        (StateOutcome.DONE, 1, "Set inactive by bob"),
        (StateOutcome.WAITING, 1, "Set inactive by bob"),
        (StateOutcome.REFUSED, 1, ""),
        (StateOutcome.DONE, 100, ""),
    ],
)
def test_a_state_that_a_person_set_is_silent(
    proxy: Proxy, hook: HookServer, outcome: StateOutcome, began: int, silence: str
) -> None:
    rule = rule_to(hook)
    run = StateRun.objects.create(started_at=NOW, actor="bob", state="inactive")
    StateResult.objects.create(
        run=run, proxy=proxy, setid=1, uri=URI, outcome=outcome, deadline=after(20), ended_at=after(1)
    )
    become("inactive", after(began))
    run_due(after(200))
    assert [each.silence for each in rule.outages.all()] == [silence]
    assert bool(hook.received) is not bool(silence)


def test_a_destination_that_fails_after_a_person_s_state_is_reported(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    in_maintenance(proxy, ends_at=after(600))
    run_due(after(1))
    become("probing", after(100))
    run_due(after(101))
    run_due(after(101 + 15 + 61))
    assert [message["destinations"][0]["state"] for message in messages(hook)] == ["probing"]


@pytest.mark.parametrize(
    ("min_active", "states", "is_down"), [(1, "pp", True), (1, "pa", False), (2, "pa", True)]
)
def test_a_set_below_its_number_of_active_destinations_is_reported(
    proxy: Proxy, hook: HookServer, min_active: int, states: str, is_down: bool
) -> None:
    rule_to(hook, states=["set"], min_active=min_active)
    KnownDestination.objects.all().delete()
    words = {"p": "probing", "a": "active"}
    for number, letter in enumerate(states):
        KnownDestinationFactory.create(
            proxy=proxy, setid=7, uri=f"sip:gw{number}", position=number, state=words[letter], since=after(0)
        )
    run_due(after(61))
    KnownDestination.objects.update(state="active")
    run_due(after(90))
    sets = [(message["kind"], message["sets"][0]["set"]) for message in messages(hook)]
    assert sets == ([("down", 7), ("back", 7)] if is_down else [])


def test_a_proxy_that_does_not_answer_is_reported_and_its_destinations_are_not(
    proxy: Proxy, mail: MailReceiver
) -> None:
    rule_to(channel=Channel.EMAIL, recipients="ann@example.org", states=["probing", "proxy"])
    become("probing", after(-5))
    ProxyContact.objects.filter(proxy=proxy).update(failing_since=after(0))
    run_due(after(61))
    ProxyContact.objects.filter(proxy=proxy).update(failing_since=None)
    run_due(after(63))
    down, back = (email.message_from_string(each, policy=email.policy.default) for each in mail.received)
    assert down["Subject"] == f"[EFCP] down: proxy {proxy.name}"
    assert back["Subject"] == f"[EFCP] back: proxy {proxy.name}"
    assert f"proxy {proxy.name} does not answer since" in down.get_content()


def test_many_that_fail_at_once_are_one_message(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    KnownDestination.objects.all().delete()
    KnownDestination.objects.bulk_create(
        KnownDestination(
            proxy=proxy,
            partition="default",
            setid=1,
            uri=f"sip:gw{number}",
            uri_key=f"sip:gw{number}",
            position=number,
            state="probing",
            since=after(0),
        )
        for number in range(150)
    )
    run_due(after(61))
    (message,) = messages(hook)
    assert (len(message["destinations"]), message["further"]) == (100, 50)


def test_two_watchers_at_once_notify_once(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    become("probing", after(0))

    def once(_number: int) -> None:
        try:
            run_due(after(61))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, range(4)))
    assert len(hook.received) == 1


def test_the_receiver_can_verify_the_sender(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    become("probing", after(0))
    run_due(after(61))
    headers, body = hook.received[0]
    moment, _, digest = headers["EFCP-Signature"].partition(",v1=")
    signed = f"{moment.removeprefix('t=')}.".encode() + body
    assert digest == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_was_not_taken_is_sent_again_later_under_the_same_id(
    proxy: Proxy, hook: HookServer, status: int
) -> None:
    rule_to(hook)
    hook.status = status
    become("probing", after(0))
    run_due(after(61))
    notice = Notice.objects.get()
    assert (notice.state, notice.tries, str(status) in notice.error) == (NoticeState.WAITING, 1, True)
    hook.status = 200
    Notice.objects.update(next_try_at=after(62))
    run_due(after(62))
    assert Notice.objects.get().state == NoticeState.SENT
    assert len({message["id"] for message in messages(hook)}) == 1
    assert set(hook.paths) == {"/hook"}


def test_after_the_last_try_it_is_given_up(proxy: Proxy, hook: HookServer) -> None:
    rule_to(hook)
    hook.stop()
    become("probing", after(0))
    run_due(after(61))
    for _again in PAUSES:
        Notice.objects.update(next_try_at=after(62))
        run_due(after(62))
    notice = Notice.objects.get()
    assert (notice.state, notice.tries) == (NoticeState.GIVEN_UP, 1 + len(PAUSES))
    hook.start()


def test_what_was_being_sent_when_the_panel_died_is_not_sent_again(proxy: Proxy, hook: HookServer) -> None:
    rule = rule_to(hook)
    Notice.objects.create(
        rule=rule,
        key="k",
        kind="down",
        content={},
        created_at=NOW,
        state=NoticeState.SENDING,
        next_try_at=NOW - 2 * LOST_AFTER,
    )
    run_due(NOW)
    assert Notice.objects.get().state == NoticeState.UNKNOWN
    assert not hook.received


def test_by_e_mail_to_every_recipient(proxy: Proxy, mail: MailReceiver) -> None:
    rule_to(channel=Channel.EMAIL, recipients="ann@example.org, bob@example.org")
    become("probing", after(0))
    run_due(after(61))
    (received,) = mail.received
    message = email.message_from_string(received, policy=email.policy.default)
    assert message["To"] == "ann@example.org, bob@example.org"
    assert message["Subject"] == f"[EFCP] down: {URI} in set 1"
    assert f"{URI} in set 1  on edge-1: probing since" in message.get_content()


def test_a_hostile_uri_adds_no_header(proxy: Proxy, mail: MailReceiver) -> None:
    rule_to(channel=Channel.EMAIL, recipients="ann@example.org")
    KnownDestination.objects.update(uri="sip:x\r\nBcc: eve@example.org", state="probing", since=after(0))
    run_due(after(61))
    message = email.message_from_string(mail.received[0], policy=email.policy.default)
    assert message["Bcc"] is None
    assert Notice.objects.get().state == NoticeState.SENT


def test_a_mail_server_that_refuses_is_retried(proxy: Proxy, mail: MailReceiver) -> None:
    mail.refuses = True
    rule_to(channel=Channel.EMAIL, recipients="ann@example.org")
    become("probing", after(0))
    run_due(after(61))
    notice = Notice.objects.get()
    assert (notice.state, "nobody of that name" in notice.error) == (NoticeState.WAITING, True)


def test_a_mail_that_may_have_been_taken_is_not_sent_again(proxy: Proxy, mail: MailReceiver) -> None:
    mail.breaks_off = True
    rule_to(channel=Channel.EMAIL, recipients="ann@example.org")
    become("probing", after(0))
    for seconds in (61, 600, 7200):
        run_due(after(seconds))
    assert Notice.objects.get().state == NoticeState.UNKNOWN
    assert len(mail.received) == 1


def test_without_a_mail_server_it_reports_it(proxy: Proxy, settings: Settings) -> None:
    settings.EMAIL_HOST = ""
    rule_to(channel=Channel.EMAIL, recipients="ann@example.org")
    become("probing", after(0))
    run_due(after(61))
    assert Notice.objects.get().error == "EFCP_SMTP_URL is not set."
