"""The pages of notifications: who may do what, what is kept, what is refused."""

from collections.abc import Iterator
from importlib import import_module
from ipaddress import ip_network
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.operations.alerts.models import Channel, Notice, NoticeState, NotificationRule, Outage
from efcp.proxies.models import Proxy
from tests.conftest import ClientAs
from tests.operations.alerts.receivers import HookServer
from tests.tokens import fresh

SECRET = "a-secret-of-the-receiver"


@pytest.fixture
def hook() -> Iterator[HookServer]:
    """A webhook's server."""
    server = HookServer()
    server.start()
    yield server
    server.stop()


def typed(**more: Any) -> dict[str, Any]:
    """What the form sends."""
    return {
        "name": "night shift",
        "enabled": "on",
        "setids": "2, 1,1",
        "states": ["probing", "absent"],
        "min_active": "1",
        "after_s": "60",
        "notify_recovery": "on",
        "channel": "webhook",
        "url": "https://hooks.example.org/efcp",
        "secret": SECRET,
    } | more


def add(client: Client, **more: Any) -> NotificationRule:
    """Add a rule by the form."""
    assert client.post(reverse("notifications:add"), typed(**more)).status_code == 302
    return NotificationRule.objects.latest("pk")


def test_a_rule_is_kept_as_it_was_typed(administrator: Client) -> None:
    rule = add(administrator)
    assert (rule.setids, rule.states, rule.after_s) == ([1, 2], ["probing", "absent"], 60)
    assert (rule.channel, rule.url) == (Channel.WEBHOOK, "https://hooks.example.org/efcp")


def test_the_secret_is_shown_to_nobody(administrator: Client) -> None:
    rule = add(administrator)
    assert SECRET.encode() not in bytes(rule.secret_encrypted)
    for name in ("rule", "edit"):
        page = administrator.get(reverse(f"notifications:{name}", args=[rule.pk])).content.decode()
        assert SECRET not in page
    kept = AuditRecord.objects.get(subject_kind="notification")
    assert kept.after is not None
    assert kept.after["secret"] == "***"


def test_a_webhook_s_path_is_encrypted_and_shown_to_nobody(administrator: Client) -> None:
    rule = add(administrator)
    assert b"hooks.example.org/efcp" not in bytes(rule.url_encrypted)
    for name in ("rule", "edit"):
        shown = administrator.get(reverse(f"notifications:{name}", args=[rule.pk])).content.decode()
        assert "https://hooks.example.org/…" in shown
        assert "hooks.example.org/efcp" not in shown
    kept = AuditRecord.objects.get(subject_kind="notification").after
    assert kept is not None
    assert kept["url"] == "https://hooks.example.org/…"


def test_an_address_from_before_is_encrypted_by_the_migration(administrator: Client) -> None:
    rule = add(administrator)
    NotificationRule.objects.update(masked_url="https://hooks.example.org/old", url_encrypted=b"")
    name = "efcp.operations.migrations.0008_webhook_addresses_are_encrypted"
    import_module(name).encrypt_addresses(apps, None)
    rule.refresh_from_db()
    assert (rule.url, rule.masked_url) == ("https://hooks.example.org/old", "https://hooks.example.org/…")


def test_an_address_that_is_not_typed_again_stays(administrator: Client) -> None:
    rule = add(administrator)
    edit = reverse("notifications:edit", args=[rule.pk])
    form = typed(url="", secret="", after_s="5") | fresh(NotificationRule, rule.pk)
    assert administrator.post(edit, form).status_code == 302
    rule.refresh_from_db()
    assert (rule.url, rule.after_s) == ("https://hooks.example.org/efcp", 5)


def test_a_webhook_is_only_at_networks_that_the_site_permits(
    administrator: Client, hook: HookServer, settings: Settings
) -> None:
    rule = add(administrator, url=hook.url)
    settings.WEBHOOK_NETWORKS = (ip_network("10.0.0.0/8"),)
    refused = administrator.post(reverse("notifications:add"), typed(name="b", url=hook.url))
    assert "outside the allowed networks" in refused.content.decode()
    administrator.post(reverse("notifications:test", args=[rule.pk]))
    assert "outside the allowed networks" in Notice.objects.get().error
    assert not hook.received


def test_an_empty_secret_keeps_the_stored_one_for_the_same_address_only(administrator: Client) -> None:
    rule = add(administrator)
    edit = reverse("notifications:edit", args=[rule.pk])
    assert (
        administrator.post(
            edit, typed(secret="", after_s="90") | fresh(NotificationRule, rule.pk)
        ).status_code
        == 302
    )
    elsewhere = typed(secret="", url="https://elsewhere.example.org/")
    assert administrator.post(edit, elsewhere).status_code == 422
    before = bytes(rule.secret_encrypted)
    rule.refresh_from_db()
    assert (rule.after_s, bytes(rule.secret_encrypted)) == (90, before)


def test_another_name_lets_outages_that_are_under_way_be(administrator: Client, proxy: Proxy) -> None:
    rule = add(administrator)
    outage = {"rule": rule, "proxy": proxy, "partition": "default", "setid": 1, "uri": "sip:a"}
    Outage.objects.create(
        **outage, uri_key="sip:a", state="probing", began_at=timezone.now(), counts_from=timezone.now()
    )
    edit = reverse("notifications:edit", args=[rule.pk])
    administrator.post(edit, typed(secret="", name="day shift") | fresh(NotificationRule, rule.pk))
    assert Outage.objects.exists()
    administrator.post(
        edit, typed(secret="", name="day shift", setids="1") | fresh(NotificationRule, rule.pk)
    )
    assert not Outage.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "n" * 65},
        {"setids": "one"},
        {"setids": "-1"},
        {"setids": ", ".join(str(number) for number in range(201))},
        {"states": []},
        {"states": ["active"]},
        {"after_s": "-1"},
        {"after_s": "86401"},
        {"channel": "pigeon"},
        {"url": ""},
        {"url": "ftp://hooks.example.org/"},
        {"url": "http://user:password@hooks.example.org/"},
        {"secret": ""},
        {"secret": "short"},
        {"proxies": ["4711"]},
        {"channel": "email", "recipients": ""},
        {"channel": "email", "recipients": "ann"},
        {"channel": "email", "recipients": "ann@example.org\r\nBcc: eve"},
    ],
)
def test_a_wrong_value_saves_nothing(
    administrator: Client, settings: Settings, wrong: dict[str, Any]
) -> None:
    settings.EMAIL_HOST = "127.0.0.1"
    assert administrator.post(reverse("notifications:add"), typed(**wrong)).status_code == 422
    assert not NotificationRule.objects.exists()


def test_e_mail_needs_a_server(administrator: Client, settings: Settings) -> None:
    settings.EMAIL_HOST = ""
    answer = administrator.post(
        reverse("notifications:add"), typed(channel="email", recipients="ann@example.org")
    )
    assert "EFCP_SMTP_URL is not set" in answer.content.decode()


def test_two_rules_of_one_name_are_refused(administrator: Client) -> None:
    add(administrator)
    assert administrator.post(reverse("notifications:add"), typed()).status_code == 422


@pytest.mark.parametrize(("status", "expected"), [(200, "Test sent."), (500, "status 500")])
def test_the_test_button_shows_the_outcome(
    administrator: Client, hook: HookServer, status: int, expected: str
) -> None:
    rule = add(administrator, url=hook.url)
    hook.status = status
    page = administrator.post(reverse("notifications:test", args=[rule.pk]), follow=True)
    assert expected in page.content.decode()
    assert len(hook.received) == 1
    state = NoticeState.SENT if status == 200 else NoticeState.GIVEN_UP
    assert Notice.objects.get().state == state


def test_hostile_texts_are_escaped(administrator: Client) -> None:
    rule = add(administrator, name="<script>alert(1)</script>")
    for address in (reverse("notifications:list"), reverse("notifications:rule", args=[rule.pk])):
        assert "<script>alert" not in administrator.get(address).content.decode()


def test_deleting_needs_confirmation(administrator: Client) -> None:
    rule = add(administrator)
    address = reverse("notifications:delete", args=[rule.pk])
    assert administrator.get(address).status_code == 200
    assert NotificationRule.objects.exists()
    administrator.post(address, fresh(NotificationRule, rule.pk))
    assert not NotificationRule.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_is_no_administrator_may_only_look(client_as: ClientAs, role: Role) -> None:
    rule = add(client_as(Role.ADMINISTRATOR))
    client = client_as(role)
    assert client.get(reverse("notifications:list")).status_code == 200
    assert client.get(reverse("notifications:rule", args=[rule.pk])).status_code == 200
    assert client.post(reverse("notifications:add"), typed(name="other")).status_code == 403
    for name in ("edit", "delete", "test"):
        assert client.post(reverse(f"notifications:{name}", args=[rule.pk]), typed()).status_code == 403


@pytest.mark.django_db
def test_nobody_may_who_is_not_signed_in(client: Client) -> None:
    for name, arguments in (("list", []), ("add", []), ("rule", [1]), ("edit", [1]), ("delete", [1])):
        answer = client.get(reverse(f"notifications:{name}", args=arguments))
        assert "/cp/accounts/" in answer.headers["Location"]


def test_a_test_is_only_sent_by_post(administrator: Client) -> None:
    assert administrator.get(reverse("notifications:test", args=[1])).status_code == 405


@pytest.mark.parametrize("name", ["rule", "edit", "delete"])
def test_what_does_not_exist_is_not_found(administrator: Client, name: str) -> None:
    assert administrator.get(reverse(f"notifications:{name}", args=[999_999])).status_code == 404
