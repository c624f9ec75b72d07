"""The probe mode that a proxy loaded tells what is not probed: known of this panel's reloads only."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher import probe_modes
from efcp.accounts.roles import Role
from efcp.proxies import visits
from efcp.proxies.fan_out import ask, target_of
from efcp.proxies.models import KnownDestination, Proxy
from efcp.proxies.polling import PollRequest
from efcp.proxies.reconcile import ProxyIdentity
from tests.conftest import AddRow, ClientAs
from tests.operations.fake_proxy import FakeProxy
from tests.operations.reloads.test_loaded_rows import OTHER, URI, edit, look, reload


def modes() -> dict[str, int | None]:
    """By URI, the probe mode as it was loaded, once the leading watcher's duty had its turn."""
    probe_modes.carry_out(timezone.now())
    return dict(KnownDestination.objects.values_list("uri", "probe_mode"))


@pytest.fixture
def row_ids(add_row: AddRow) -> tuple[int, int]:
    """One row of each probe mode."""
    return add_row(URI, probe_mode=0), add_row(OTHER, probe_mode=1)


@pytest.fixture
def proxy(edge: FakeProxy, row_ids: tuple[int, int]) -> Proxy:
    """A proxy that this panel reloaded, and that probes what is marked for it."""
    edge.table = {1: [URI, OTHER]}
    proxy = edge.row(probing="marked")
    reload(proxy)
    return proxy


def test_what_this_panel_reloaded_is_known(proxy: Proxy, client_as: ClientAs) -> None:
    assert modes() == {URI: 0, OTHER: 1}
    viewer: Client = client_as(Role.VIEWER)
    page = viewer.get(reverse("operations:board")).text
    assert "1 active, probed" in page
    assert "1 active, not probed" in page


def test_an_edit_that_is_not_loaded_checks_nothing(proxy: Proxy, row_ids: tuple[int, int]) -> None:
    edit(row_ids[0], probe_mode=1)
    assert modes() == {URI: 0, OTHER: 1}
    reload(proxy)
    assert modes() == {URI: 1, OTHER: 1}


def test_after_a_reload_by_other_hands_it_is_not_known(proxy: Proxy, edge: FakeProxy) -> None:
    assert modes() == {URI: 0, OTHER: 1}
    edge.load()
    look(proxy)
    assert modes() == {URI: None, OTHER: None}


def test_after_a_restart_it_is_not_known(proxy: Proxy, edge: FakeProxy) -> None:
    assert modes() == {URI: 0, OTHER: 1}
    text, now = edge.up_since, timezone.now()
    poll = ask(target_of(proxy), PollRequest("default")).value
    for began, start in ((now - timedelta(hours=1), text), (now, f"{text} again")):
        visits.visit(proxy, replace(poll, identity=ProxyIdentity("3.4.18", began, start)))
    assert set(KnownDestination.objects.values_list("probe_mode", flat=True)) == {None}


def test_a_change_of_state_keeps_it(proxy: Proxy, edge: FakeProxy) -> None:
    assert modes() == {URI: 0, OTHER: 1}
    edge.sets[1][0]["state"] = "Probing"
    edge.remembered(proxy)
    assert modes() == {URI: 0, OTHER: 1}
