"""What a proxy loaded, where ds_list does not tell it: probe modes, sockets that it ignores, other tables."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher import services as rows
from dispatcher.changes import ProxyChanges, compare, pending_changes
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.operations.metrics import PanelMetrics
from efcp.operations.reloads import services
from efcp.operations.reloads.models import ReloadResult
from efcp.operations.reloads.services import ReloadRequest
from efcp.proxies.fan_out import ask, target_of
from efcp.proxies.models import Proxy
from efcp.proxies.polling import PollRequest
from efcp.proxies.selectors import watched_proxies
from efcp.proxies.visits import store_answer
from tests.conftest import AddRow
from tests.operations.conftest import SOMEBODY
from tests.operations.fake_proxy import FakeProxy, Play

URI = "sip:10.0.0.1:5060"
OTHER = "sip:10.0.0.2:5060"
SOCKET = "udp:10.0.0.9:5060"


def reload(*proxies: Proxy, **how: Any) -> list[ReloadResult]:
    """Reload, wait for every proxy, and return the results by the proxies' names."""
    started = services.start(proxies, ReloadRequest(**how), SOMEBODY)
    assert started.ended.wait(15)
    return list(started.run.results.order_by("proxy__name"))


def changes(proxy: Proxy) -> ProxyChanges:
    (found,) = compare([each for each in watched_proxies() if each.proxy == proxy])
    return found


def look(proxy: Proxy) -> None:
    """Ask the proxy and store what it answers, as the watcher does."""
    question = PollRequest(partition=proxy.partition, version=True, loads=True)
    assert not store_answer(ask(target_of(proxy), question)).problem


def edit(row_id: int, **columns: Any) -> None:
    before = DestinationRow.of(Destination.objects.get(pk=row_id))
    rows.update(row_id, before, replace(before, **columns), SOMEBODY)


@pytest.fixture
def row_id(add_row: AddRow) -> int:
    """The only row of the table."""
    return add_row(URI)


@pytest.fixture
def proxy(edge: FakeProxy, row_id: int) -> Proxy:
    """A proxy that this panel reloaded."""
    edge.table = {1: [URI]}
    proxy = edge.row()
    (result,) = reload(proxy)
    assert result.differs == 0
    return proxy


def test_a_probe_mode_that_was_edited_after_the_reload_is_not_loaded(proxy: Proxy, row_id: int) -> None:
    edit(row_id, probe_mode=1)
    (change,) = changes(proxy).changed.shown
    assert [str(each) for each in change.differences] == ["probe mode 0 → 1"]
    assert pending_changes(watched_proxies()).count == 1


def test_it_is_loaded_by_the_next_reload(proxy: Proxy, row_id: int) -> None:
    edit(row_id, probe_mode=1)
    (result,) = reload(proxy)
    assert (result.differs, changes(proxy).count, changes(proxy).modes_unknown) == (0, 0, "")


def test_the_list_marks_it_on_the_row(proxy: Proxy, row_id: int, operator: Client) -> None:
    edit(row_id, probe_mode=1)
    page = operator.get(reverse("dispatcher:list")).content.decode()
    assert "probe mode changed, not loaded" in page


def test_a_weight_of_freeswitch_that_was_edited_is_not_loaded(proxy: Proxy, row_id: int) -> None:
    edit(row_id, weight="fs://:ClueCon@10.0.0.7")
    (change,) = changes(proxy).changed.shown
    assert [str(each) for each in change.differences] == ["weight 1 → fs://:•••@10.0.0.7"]


def test_after_a_reload_from_elsewhere_it_is_unknown(
    proxy: Proxy, row_id: int, edge: FakeProxy, operator: Client
) -> None:
    edit(row_id, probe_mode=1)
    edge.load()
    look(proxy)
    assert changes(proxy).count == 0
    assert "outside this panel" in changes(proxy).modes_unknown
    page = operator.get(reverse("operations:reload")).content.decode()
    assert "No changes known" in page
    assert "Loaded probe modes are unknown" in page


def test_after_a_restart_it_is_unknown(proxy: Proxy, row_id: int, edge: FakeProxy) -> None:
    edit(row_id, probe_mode=1)
    edge.restart()
    look(proxy)
    assert changes(proxy).count == 0
    assert "when it started" in changes(proxy).modes_unknown


def test_an_edit_after_a_load_by_other_hands_is_not_loaded(edge: FakeProxy, row_id: int) -> None:
    edge.table = {1: [URI]}
    for seconds_ago in (120, 60):
        edge.load(at=timezone.now().timestamp() - seconds_ago)
    proxy = edge.row()
    look(proxy)
    edit(row_id, probe_mode=1)
    (change,) = changes(proxy).changed.shown
    assert [str(each) for each in change.differences] == ["probe mode 0 → 1"]
    assert "outside this panel" in changes(proxy).modes_unknown


def test_a_table_that_is_written_to_while_it_is_loaded_leaves_it_unknown(
    proxy: Proxy, row_id: int, edge: FakeProxy
) -> None:
    edge.reload_waits = True
    started = services.start([proxy], ReloadRequest(), SOMEBODY)
    while not edge.commands_of("ds_reload")[1:]:
        pass
    edit(row_id, probe_mode=1)
    edge.released.set()
    assert started.ended.wait(15)
    assert "changed during the reload" in changes(proxy).modes_unknown


def test_a_socket_that_the_proxy_ignores_is_no_difference(edge: FakeProxy, add_row: AddRow) -> None:
    add_row(URI, socket=SOCKET)
    edge.table = {1: [URI]}
    proxy = edge.row()
    (result,) = reload(proxy)
    assert result.differs == 0
    (ignored,) = changes(proxy).ignored_sockets
    assert (ignored.socket, ignored.rows, ignored.loaded) == (SOCKET, 1, True)


def test_a_staged_reload_goes_on_after_a_proxy_that_ignores_a_socket(play: Play, add_row: AddRow) -> None:
    add_row(URI, socket=SOCKET)
    first, second = (play(table={1: [URI]}).row(name) for name in ("edge-1", "edge-2"))
    results = reload(first, second, first=first)
    assert [result.outcome for result in results] == ["done", "done"]


def test_a_socket_that_was_edited_since_the_reload_is_a_difference(proxy: Proxy, row_id: int) -> None:
    edit(row_id, socket=SOCKET)
    (change,) = changes(proxy).changed.shown
    assert [each.column for each in change.differences] == ["socket"]


def test_a_socket_that_is_ignored_is_not_counted_in_the_metrics(edge: FakeProxy, add_row: AddRow) -> None:
    add_row(URI, socket=SOCKET)
    edge.table = {1: [URI]}
    proxy = edge.row()
    reload(proxy)
    assert drift(proxy) == {"add": 0, "change": 0, "remove": 0}


def drift(_proxy: Proxy) -> dict[str, float]:
    """The metric of what a reload of the only proxy would change."""
    families = PanelMetrics(watched_proxies()).collect()
    family = next(each for each in families if each.name == "efcp_drift_destinations")
    return {sample.labels["change"]: sample.value for sample in family.samples}


@pytest.fixture
def other_partition(edge: FakeProxy, row_id: int) -> Proxy:
    """A proxy whose partition loads another table."""
    edge.partition, edge.table = "west", {9: [OTHER]}
    edge.load()
    return edge.remembered(edge.row(partition="west"))


def test_a_partition_with_a_table_of_its_own_is_not_compared(
    other_partition: Proxy, operator: Client
) -> None:
    found = changes(other_partition)
    assert (found.count, found.is_compared) == (0, False)
    assert "another" in found.not_compared
    assert pending_changes(watched_proxies()).count == 0
    assert drift(other_partition) == {}
    page = operator.get(reverse("dispatcher:list"))
    assert not page.context["page"].lines[0].not_loaded
    assert "another" in page.content.decode()


def test_a_reload_of_it_is_clean_and_shows_why_nothing_is_compared(
    other_partition: Proxy, play: Play, edge: FakeProxy
) -> None:
    second = play(table={1: [URI]}).row("edge-2")
    first_result, second_result = reload(other_partition, second, first=other_partition)
    assert (first_result.differs, first_result.read_back_problem) == (None, "")
    assert "another" in first_result.notes[0]
    assert second_result.differs == 0


def test_a_partition_that_shares_the_table_is_compared(edge: FakeProxy, row_id: int, add_row: AddRow) -> None:
    edge.partition, edge.table = "west", {1: [URI]}
    edge.load()
    proxy = edge.remembered(edge.row(partition="west"))
    add_row(OTHER)
    assert changes(proxy).added.count == 1


def test_after_a_reload_that_fits_even_a_small_overlap_is_compared(
    edge: FakeProxy, row_id: int, add_row: AddRow
) -> None:
    edge.partition, edge.table = "west", {1: [URI]}
    proxy = edge.row(partition="west")
    reload(proxy)
    rows.delete(row_id, DestinationRow.of(Destination.objects.get(pk=row_id)), SOMEBODY)
    add_row(OTHER)
    assert (changes(proxy).added.count, changes(proxy).removed.count) == (1, 1)


def test_a_partition_that_loaded_nothing_is_not_compared(edge: FakeProxy, row_id: int) -> None:
    edge.partition, edge.table = "west", {}
    edge.load()
    proxy = edge.row(partition="west")
    look(proxy)
    assert "loaded no rows" in changes(proxy).not_compared
