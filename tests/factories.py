"""What tests need to be stored: users, proxies, what is known of them, rows, rules, snapshots and reloads.

Names have no counter: the second proxy of a test is named by the test, so that no test depends on how many
ran before it in the same process.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from factory.base import Factory
from factory.declarations import LazyAttribute, LazyFunction, SelfAttribute, SubFactory, Trait
from factory.django import DjangoModelFactory, Password

from dialplan import services as dialplan
from dialplan.models import Rule
from dialplan.translation.rules import RuleRow
from dispatcher import services as dispatcher
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.modules.registry import ReloadOutcome
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.proxies.load_reports import LoadReports, read_on
from efcp.proxies.loads import stored_load, write_load
from efcp.proxies.memory import MemoryList, Snapshot
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, WatcherHeartbeat
from efcp.proxies.selectors import FRESH_FOR
from efcp.sip.uri import uri_key

PASSWORD = "long-enough-1"
NOBODY_LISTENS = "http://127.0.0.1:9/mi"
SOMEBODY = Actor("somebody", "192.0.2.7")

SLOW_MACHINE = timedelta(minutes=10)
"""How long what tests store as live stays live by the real clock."""


class UserFactory(DjangoModelFactory[User]):
    """A user who may look, with the role as name and PASSWORD."""

    class Meta:
        model = User

    role = Role.VIEWER
    username = LazyAttribute(lambda user: user.role.value)
    password = Password(PASSWORD)


class ProxyFactory(DjangoModelFactory[Proxy]):
    """A proxy of the registry, at an address where nobody listens."""

    class Meta:
        model = Proxy

    name = "edge-1"
    mi_url = NOBODY_LISTENS


class ProxyContactFactory(DjangoModelFactory[ProxyContact]):
    """A good exchange with a proxy, `seen_s_ago` seconds ago, under a running watcher.

    One that counts as live stays so for ten minutes of the real clock, however slow the machine is.
    """

    class Meta:
        model = ProxyContact

    class Params:
        answered_s_ago = 1.0

    proxy = SubFactory(ProxyFactory)
    attempted_at = LazyFunction(timezone.now)
    answered_at = LazyAttribute(
        lambda contact: contact.attempted_at - timedelta(seconds=contact.answered_s_ago)
    )
    requested_at = SelfAttribute("answered_at")
    interval_s = LazyAttribute(
        lambda contact: (
            SLOW_MACHINE.total_seconds() if contact.answered_s_ago < FRESH_FOR.total_seconds() else 2.0
        )
    )

    @classmethod
    def _create(cls, model_class: type[ProxyContact], *_args: Any, **columns: Any) -> ProxyContact:
        now = timezone.now()
        WatcherHeartbeat.objects.update_or_create(
            pk=1, defaults={"started_at": now, "beat_at": now + SLOW_MACHINE}
        )
        return model_class.objects.create(**columns)


class KnownDestinationFactory(DjangoModelFactory[KnownDestination]):
    """A destination that a proxy holds in memory, by what the panel knows."""

    class Meta:
        model = KnownDestination

    proxy = SubFactory(ProxyFactory)
    partition = SelfAttribute("proxy.partition")
    setid = 1
    uri = "sip:10.0.0.1:5060"
    uri_key = LazyAttribute(lambda destination: uri_key(destination.uri))
    position = 0
    state = "active"
    since = LazyFunction(timezone.now)
    weight = 1
    priority = 0
    description = ""


class ReloadRunFactory(DjangoModelFactory[ReloadRun]):
    """A reload that somebody started now."""

    class Meta:
        model = ReloadRun

    module = "dispatcher"
    started_at = LazyFunction(timezone.now)
    actor = SOMEBODY.name


class ReloadResultFactory(DjangoModelFactory[ReloadResult]):
    """A reload on one proxy, with `is_done` one that ended well at once."""

    class Meta:
        model = ReloadResult

    class Params:
        is_done = Trait(outcome=ReloadOutcome.DONE, ended_at=SelfAttribute("deadline"), took_ms=1.5)

    run = SubFactory(ReloadRunFactory)
    proxy = SubFactory(ProxyFactory)
    deadline = LazyFunction(timezone.now)


class SnapshotFactory(Factory[Snapshot]):
    """A proxy's memory as just read: empty unless `memory` says otherwise."""

    class Meta:
        model = Snapshot

    memory = LazyFunction(lambda: MemoryList("default", (), (), with_details=True))
    digest = LazyAttribute(lambda snapshot: snapshot.memory.digest())
    requested_at = LazyFunction(timezone.now)
    round_trip_s = 0.01


class DestinationFactory(Factory[Destination]):
    """A row of the dispatcher table, inserted by the panel's own service."""

    class Meta:
        model = Destination

    setid = 1
    destination = "sip:10.0.0.1:5060"

    @classmethod
    def _create(cls, model_class: type[Destination], *_args: Any, **columns: Any) -> Destination:
        return model_class.objects.get(pk=dispatcher.add(DestinationRow(**columns), SOMEBODY))


class RuleFactory(Factory[Rule]):
    """A row of the dialplan table, inserted by the panel's own service."""

    class Meta:
        model = Rule

    dpid = 1
    match_exp = "^0"

    @classmethod
    def _create(cls, model_class: type[Rule], *_args: Any, **columns: Any) -> Rule:
        return model_class.objects.get(pk=dialplan.add(RuleRow(**columns), SOMEBODY))


def store_load_reports(proxy: Proxy, module: str, partition: str, reports: LoadReports) -> None:
    """Store what a visit of the watcher stores of a module's reports of loading."""
    load = read_on(stored_load(proxy.pk, module, partition), reports)
    write_load(proxy.pk, module, partition, load)
