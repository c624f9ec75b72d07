"""A third module comes with one declaration: it is reloaded, audited and in the navigation."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from django.urls import reverse

from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.services import Subject, record
from efcp.mi import MiClient, MiError
from efcp.modules import registry
from efcp.modules.registry import PanelModule, ReloadOutcome
from efcp.modules.reloading import (
    READ_BACK_LIMIT_S,
    ReadBack,
    ReloadCommand,
    ReloadReply,
    reload_and_read_back,
)
from efcp.operations.reloads import services
from efcp.operations.reloads.services import ReloadRequest
from efcp.proxies import load_reports
from efcp.proxies.fan_out import Target
from efcp.proxies.models import Proxy
from tests.conftest import ClientAs
from tests.lint import module_comparisons, module_comparisons_in_template
from tests.operations.conftest import SOMEBODY
from tests.operations.fake_proxy import FakeProxy

NAME = "load_balancer"


class LoadBalancerReload:
    """lb_reload, read back by whether the proxy still answers."""

    read_back_limit_s = READ_BACK_LIMIT_S

    def __init__(self, _inherit_state: bool = True) -> None:
        """Nothing is kept from run to run."""

    def blocked(self, proxies: Iterable[Proxy]) -> dict[int, str]:
        """A proxy named "old" is left out."""
        return {proxy.pk: "It lacks the module." for proxy in proxies if proxy.name == "old"}

    def prepare(self) -> None:
        """Nothing to read."""

    def reload(self, target: Target) -> ReloadReply[bool]:
        """Send lb_reload, then ask whether it answers."""

        def send(client: MiClient, limit_s: float) -> object:
            return client.call("lb_reload", timeout=limit_s)

        def answers(client: MiClient) -> bool:
            try:
                client.which()
            except MiError:
                return False
            return True

        return reload_and_read_back(target, ReloadCommand(NAME, "default", send, answers))

    def store(self, reply: ReloadReply[bool]) -> ReadBack:
        """Nothing differs from a table that the toy does not have."""
        return ReadBack(0 if reply.outcome is ReloadOutcome.DONE else None)


LOAD_BALANCER = PanelModule(
    name=NAME,
    label="Load balancer",
    rows="resources",
    list_url="preview:home",
    reload_url="preview:home",
    reload_run_url="operations:run",
    strategy=LoadBalancerReload,
    namespaces=("load_balancer",),
    restore_url="dispatcher:restore",
)


class LoadBalancingProxy(FakeProxy):
    """One that takes lb_reload."""

    def result_of(self, method: str, params: dict[str, object]) -> dict[str, object]:
        """OK for lb_reload."""
        reply = super().result_of(method, params)
        return {"result": "OK"} if method == "lb_reload" else reply


@pytest.fixture
def load_balancer() -> Iterator[PanelModule]:
    """Register the toy module for one test."""
    registry.register(LOAD_BALANCER)
    yield LOAD_BALANCER
    del registry._MODULES[NAME], load_reports._HAS_PARTITIONS[NAME]


@pytest.fixture
def balancer(load_balancer: PanelModule, play: Callable[..., FakeProxy]) -> Iterator[LoadBalancingProxy]:
    """A proxy that loads the toy module."""
    proxy = LoadBalancingProxy()
    proxy.start()
    yield proxy
    proxy.stop()


def test_a_registered_module_is_reloaded_by_its_strategy(balancer: LoadBalancingProxy) -> None:
    proxies = [balancer.row("edge"), balancer.row("old")]
    handle = services.start(proxies, ReloadRequest(module=NAME), SOMEBODY)
    assert handle.ended.wait(15)
    outcomes = {result.proxy.name: result.outcome for result in handle.run.results.all()}
    assert outcomes == {"edge": ReloadOutcome.DONE, "old": ReloadOutcome.NOT_SENT}
    assert handle.run.declaration == LOAD_BALANCER


def test_its_records_lead_to_where_the_row_is_restored(
    load_balancer: PanelModule, client_as: ClientAs
) -> None:
    record(SOMEBODY, "delete", Subject(NAME, "7", "resource 7"), before={"id": 7})
    page = reverse("audit:record", args=[AuditRecord.objects.latest("pk").pk])
    administrator, viewer = client_as(Role.ADMINISTRATOR), client_as(Role.VIEWER)
    assert "Restore…" in administrator.get(page).content.decode()
    assert "Restore…" not in viewer.get(page).content.decode()
    registry.register(replace(LOAD_BALANCER, restore_url=""))
    assert "Restore…" not in administrator.get(page).content.decode()


def test_it_is_in_the_navigation(load_balancer: PanelModule, client_as: ClientAs) -> None:
    groups = client_as(Role.VIEWER).get(reverse("audit:list")).context["navigation"]
    labels = [link.label for group in groups for link in group.links]
    assert labels[1:4] == ["Dispatcher", "Dialplan", "Load balancer"]


def test_its_reports_of_loading_are_read(load_balancer: PanelModule) -> None:
    assert load_reports.reporting_modules() == ("dispatcher", "dialplan", NAME)
    assert load_reports.partition_of(NAME, "west") == "default"


def test_lint_finds_a_comparison_with_a_modules_name() -> None:
    code = 'a = 1\nif run.module == "dialplan":\n    pass\nname = "dispatcher"\n'
    assert [line for line, _what in module_comparisons(ast.parse(code))] == [2]
    template = "<p>\n{% if run.module == 'dialplan' %}{% endif %}\n{% url 'dialplan:list' %}"
    assert [line for line, _what in module_comparisons_in_template(template)] == [2]
