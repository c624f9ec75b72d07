"""A run whose COMMIT arrived although its answer was lost is carried out: nobody else would."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from dispatcher.models import Destination
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor, RequestWrites
from efcp.modules.registry import ReloadOutcome
from efcp.operations.alerts import services as alerts
from efcp.operations.alerts.models import Channel, Notice, NoticeState, NotificationRule
from efcp.operations.probes import services as probes
from efcp.operations.probes.models import ProbeRun
from efcp.operations.probes.sending import ProbeToSend
from efcp.operations.reloads import services as reloads
from efcp.operations.reloads.models import ReloadRun
from efcp.operations.states import services as states
from efcp.operations.states.models import StateOutcome, StateRun
from efcp.proxies.models import KnownState, Proxy
from tests.configuration.test_failed_writes import CuttingProxy
from tests.operations.alerts.receivers import HookServer
from tests.operations.conftest import URI
from tests.operations.fake_proxy import FakeProxy

pytestmark = pytest.mark.mariadb


@pytest.fixture
def relay(proxy: Proxy) -> Iterator[CuttingProxy]:
    """What stands between the panel and its database."""
    settings = connections["default"].settings_dict
    relay = CuttingProxy(settings["HOST"], int(settings["PORT"]))
    former = settings["PORT"]
    connection.close()
    settings["PORT"] = str(relay.port)
    # What is sent at the beginning of a connection names READ COMMITTED.
    connection.ensure_connection()
    yield relay
    connection.close()
    settings["PORT"] = former
    relay.close()


@pytest.fixture
def actor() -> Actor:
    """Who does it in a request, whose writes are numbered."""
    return Actor("somebody", "192.0.2.7", RequestWrites())


def test_a_reload_is_sent(edge: FakeProxy, proxy: Proxy, relay: CuttingProxy, actor: Actor) -> None:
    relay.arm(b"COMMIT", "after")
    started = reloads.start([proxy], reloads.ReloadRequest(), actor)
    assert started.ended.wait(15)
    assert started.run.results.get().outcome == ReloadOutcome.DONE
    assert len(edge.commands_of("ds_reload")) == ReloadRun.objects.count() == 1
    assert AuditRecord.objects.filter(action="reload").count() == 1


def test_a_state_is_set(
    edge: FakeProxy, proxy: Proxy, add_row: object, relay: CuttingProxy, actor: Actor
) -> None:
    row = Destination.objects.get(pk=add_row(URI))  # type: ignore[operator]
    relay.arm(b"COMMIT", "after")
    handle = states.begin([row], KnownState.INACTIVE, [proxy], actor)
    assert handle.ended.wait(15)
    assert handle.run.results.get().outcome == StateOutcome.DONE
    assert len(edge.commands_of("ds_set_state")) == StateRun.objects.count() == 1


def test_a_probe_is_sent(relay: CuttingProxy, actor: Actor) -> None:
    relay.arm(b"COMMIT", "after")
    sent = ProbeToSend("OPTIONS", "sip:127.0.0.1:9", "sip:probe@127.0.0.1", "tcp", "127.0.0.1", 9)
    probe, ended = probes.start(probes.PlannedProbe(1, 1, "edge", sent), actor)
    assert ended.wait(15)
    assert ProbeRun.objects.get().pk == probe.pk
    assert ProbeRun.objects.get().ended_at is not None


def test_a_message_to_test_a_rule_is_sent(relay: CuttingProxy, actor: Actor) -> None:
    hook = HookServer()
    hook.start()
    try:
        rule = NotificationRule(name="hook", channel=Channel.WEBHOOK, since=timezone.now())
        rule.url = hook.url
        rule.save()
        relay.arm(b"COMMIT", "after")
        alerts.test(rule, actor)
    finally:
        hook.stop()
    assert len(hook.received) == 1
    assert Notice.objects.get().state == NoticeState.SENT


def test_what_is_not_stored_is_not_sent(
    edge: FakeProxy, proxy: Proxy, relay: CuttingProxy, actor: Actor
) -> None:
    relay.arm(b"COMMIT", "before")
    with pytest.raises(OperationalError):
        reloads.start([proxy], reloads.ReloadRequest(), actor)
    connection.close()
    assert ReloadRun.objects.count() == 0
    assert edge.commands_of("ds_reload") == []
