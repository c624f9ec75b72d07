"""Names: what a reload would do with them, what it did, and the confirmation before calls are lost."""

from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher import names, table_names
from dispatcher.changes import ProxyChanges, compare, losses, pending_changes
from dispatcher.models import Destination
from dispatcher.name_watch import carry_out
from dispatcher.table_names import TableNames, look_up_names
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRow
from tests.dispatcher.conftest import hold, make_proxy
from tests.dns_server import NameServer
from tests.operations.fake_proxy import FakeProxy
from tests.operations.forms import sent
from tests.proxies.mi_server import listed

URI = "sip:gw.example.test:5060"


@pytest.fixture
def edge_1(transactional_db: None) -> Proxy:
    """A proxy that answered a second ago."""
    return make_proxy("edge-1")


@pytest.fixture
def loaded(edge_1: Proxy, add_row: AddRow) -> Proxy:
    """A proxy that loaded a row with a name, while that was 127.0.0.5."""
    add_row(URI)
    hold(edge_1, URI, addresses=["127.0.0.5:5060"])
    return edge_1


def found(known: TableNames | None = None) -> ProxyChanges:
    """What a reload would change on the only proxy; `known` are names that were looked up before."""
    (changes,) = compare(watched_proxies(), known)
    return changes


def looked_up_in_peace(monkeypatch: pytest.MonkeyPatch) -> TableNames:
    """The table's only name, however slow this machine is."""
    monkeypatch.setattr(names, "LIMIT_S", 60.0)
    return look_up_names([URI], limit_s=60.0)


def shown(client: Client) -> str:
    """The reload page's text, on one line."""
    return " ".join(unescape(client.get(reverse("operations:reload")).content.decode()).split())


def test_a_name_that_resolves_as_loaded_is_no_change(
    loaded: Proxy, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server.addresses["gw.example.test"] = ["127.0.0.5"]
    changes = found(looked_up_in_peace(monkeypatch))
    assert (changes.count, changes.names.moved.count, changes.unknown_names) == (0, 0, 0)


def test_a_name_that_does_not_resolve_would_be_removed(loaded: Proxy, name_server: NameServer) -> None:
    changes = found()
    (drop,) = changes.names.dropped.shown
    assert (changes.lost, changes.names.losses, drop.takes_calls) == (1, 1, True)
    assert "gw.example.test does not resolve here" in drop.why


def test_a_name_that_moved_is_reported_with_both_addresses(
    loaded: Proxy, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server.addresses["gw.example.test"] = ["127.0.0.6"]
    changes = found(looked_up_in_peace(monkeypatch))
    (move,) = changes.names.moved.shown
    assert [(each.memory, each.table) for each in move.differences] == [("127.0.0.5:5060", "127.0.0.6")]


@pytest.mark.parametrize(
    "today",
    [["127.0.0.5", "::1"], ["127.0.0.5"]],
    ids=["a family that the proxy does not ask for", "the same"],
)
def test_addresses_that_the_proxy_would_not_take_are_no_move(
    loaded: Proxy, name_server: NameServer, today: list[str]
) -> None:
    name_server.addresses["gw.example.test"] = today
    assert found().names.moved.count == 0


def test_a_thousand_addresses_are_no_move_where_the_proxy_keeps_some(
    loaded: Proxy, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server.addresses["gw.example.test"] = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(1000)]
    known = looked_up_in_peace(monkeypatch)
    assert found(known).names.moved.count == 1
    kept = [f"{address}:5060" for address in name_server.addresses["gw.example.test"][500:532]]
    loaded.destinations.update(addresses=kept)
    assert found(known).names.moved.count == 0


def test_a_name_about_which_no_answer_comes_may_be_dropped(loaded: Proxy, name_server: NameServer) -> None:
    name_server.failing.add("gw.example.test")
    changes = found()
    assert (changes.count, changes.names.doubtful.count, changes.names.losses) == (0, 1, 1)


def test_a_name_that_never_answers_does_not_keep_the_page(
    loaded: Proxy, name_server: NameServer, operator: Client
) -> None:
    name_server.silent.add("gw.example.test")
    page = shown(operator)
    assert "No DNS answer for gw.example.test here" in page
    assert "1 name could not be resolved in time" in page


def test_what_takes_no_calls_is_no_loss(loaded: Proxy, name_server: NameServer) -> None:
    loaded.destinations.update(state="inactive")
    assert found().names.losses == 0
    assert not any(losses(watched_proxies()).values())


def test_a_row_whose_name_does_not_resolve_is_no_addition(
    edge_1: Proxy, add_row: AddRow, name_server: NameServer
) -> None:
    row_id = add_row(URI)
    changes = found()
    assert changes.added.count == 0
    assert [row.id for row, _finding in changes.warnings] == [row_id]


def test_more_names_than_a_page_resolves_are_known_from_the_watcher(
    loaded: Proxy, add_row: AddRow, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_names, "MOST_LOOKED_UP", 0)
    assert found().unknown_names == 1
    carry_out(timezone.now())
    assert (found().unknown_names, found().lost) == (0, 1)
    assert pending_changes(watched_proxies()).count == 1


@pytest.fixture
def edge_with_name(edge: FakeProxy, add_row: AddRow, name_server: NameServer) -> Iterator[Proxy]:
    """A proxy that plays along, holds a name that takes calls, and drops it at its next reload."""
    add_row(URI)
    edge.sets = {1: [listed(URI, resolved_addresses=["127.0.0.5:5060"])]}
    yield edge.remembered(edge.row())
    Destination.objects.all().delete()


def test_a_reload_that_would_drop_what_takes_calls_has_to_be_meant(
    operator: Client, edge: FakeProxy, edge_with_name: Proxy
) -> None:
    page = shown(operator)
    assert "0 to add, 0 to change, 1 to remove" in page
    assert "1 in use would be rejected, or may be" in page
    refused = operator.post(reverse("operations:reload"), sent(edge_with_name))
    assert refused.status_code == 422
    assert "confirm below" in refused.content.decode()
    assert edge.commands_of("ds_reload") == []


def test_a_reload_names_each_row_that_it_left_out_and_why(
    operator: Client, edge: FakeProxy, edge_with_name: Proxy, add_row: AddRow
) -> None:
    add_row("10.0.0.9")
    add_row("sip:elsewhere.example.test:5060")
    edge.discarded = 3
    data = sent(edge_with_name) | {"allow_losses": "on"}
    answer = operator.post(reverse("operations:reload"), data, follow=True)
    page = unescape(answer.content.decode())
    assert [line.is_clean for line in answer.context["lines"]] == [True]
    for uri, reason in (
        (URI, "gw.example.test does not resolve"),
        ("sip:elsewhere.example.test:5060", "elsewhere.example.test does not resolve"),
        ("10.0.0.9", "The proxy would reject this row"),
    ):
        assert f"Set 1, {uri}: not loaded. {reason}" in page


def test_a_row_that_the_proxy_left_out_for_a_reason_of_its_own_is_named_too(
    operator: Client, edge: FakeProxy, edge_with_name: Proxy, name_server: NameServer
) -> None:
    name_server.addresses["gw.example.test"] = ["127.0.0.5"]
    edge.discarded = 1
    answer = operator.post(reverse("operations:reload"), sent(edge_with_name), follow=True)
    assert [line.result.differs for line in answer.context["lines"]] == [1]
    message = "gw.example.test resolves here; the proxy's resolver may not find it."
    assert message in unescape(answer.content.decode())


def test_the_list_shows_which_rows_a_proxy_left_out_and_which_wait_for_a_reload(
    operator: Client, edge: FakeProxy, edge_with_name: Proxy, name_server: NameServer, add_row: AddRow
) -> None:
    name_server.addresses["gw.example.test"] = ["127.0.0.5"]
    edge.discarded = 1
    operator.post(reverse("operations:reload"), sent(edge_with_name), follow=True)
    add_row("sip:10.0.0.7:5060")
    page = operator.get(reverse("dispatcher:list"), {"live": "absent"}).content.decode()
    assert "edge-1 skipped it at the last load" in page
    assert "edge-1 has not reloaded since it was added" in page


def test_what_the_proxy_found_although_this_machine_does_not_is_clean(
    operator: Client, edge: FakeProxy, edge_with_name: Proxy
) -> None:
    edge.table = {1: [URI]}
    data = sent(edge_with_name) | {"allow_losses": "on"}
    answer = operator.post(reverse("operations:reload"), data, follow=True)
    assert [line.is_clean for line in answer.context["lines"]] == [True]
    assert "loaded, although the panel's resolver can't find the name" in unescape(answer.content.decode())


def test_the_destination_s_page_shows_both_addresses_and_when_they_changed(
    operator: Client, loaded: Proxy, name_server: NameServer
) -> None:
    now = timezone.now()
    name_server.addresses["gw.example.test"] = ["127.0.0.5"]
    carry_out(now - timedelta(minutes=5))
    name_server.addresses["gw.example.test"] = ["127.0.0.6"]
    carry_out(now - timedelta(minutes=3))
    page = destination_page(operator)
    assert "127.0.0.5:5060" in page
    assert "127.0.0.6" in page
    assert "outdated" in page
    assert "Changed by" in page
    assert "on the panel's host" in page


def test_the_destination_s_page_shows_since_when_its_name_does_not_resolve(
    operator: Client, loaded: Proxy, name_server: NameServer
) -> None:
    carry_out(timezone.now() - timedelta(minutes=3))
    page = destination_page(operator)
    assert "Does not resolve, for <time" in page
    assert "its next reload drops it" in page


def destination_page(client: Client) -> str:
    """The text of the only row's page, on one line."""
    row_id = Destination.objects.get().pk
    page = client.get(reverse("operations:destination", args=[row_id])).content.decode()
    return " ".join(unescape(page).split())
