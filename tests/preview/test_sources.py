"""The set that a preview uses: the table, a proxy's memory, or the table with an unsaved edit."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from dispatcher.models import Destination
from dispatcher.name_watch import carry_out
from dispatcher.routing.destinations import DestinationState
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.preview.distribution.question import REMOVED, UnsavedEdit
from efcp.preview.sources import Source, SourceKind, TooManyRowsError, set_preview, sources
from efcp.proxies.models import ProxyContact
from efcp.proxies.selectors import watched_proxies
from tests.conftest import ClientAs
from tests.dns_server import NameServer
from tests.operations.fake_proxy import Play
from tests.proxies.mi_server import listed

A, B, C = (f"sip:192.0.2.{number}:5060" for number in (1, 2, 3))


@pytest.fixture(autouse=True)
def _no_rows_stay(db: None) -> Any:
    """The table is not managed, so that a flush leaves it as it is."""
    yield
    Destination.objects.all().delete()


def row(uri: str, **columns: Any) -> None:
    """A row of set 1."""
    Destination.objects.create(setid=1, destination=uri, **({"attrs": "", "description": ""} | columns))


def members(source: Source, **more: Any) -> list[tuple[str, DestinationState, int]]:
    """URI, state and weight of set 1, in the proxy's order."""
    live = set_preview(source, 1, **more).memory.sets[1]
    return [(each.loaded.uri, each.health.state, each.loaded.weight) for each in live.destinations]


def test_without_a_proxy_the_table_counts_with_its_initial_states() -> None:
    row(A, state=2, weight="3")
    [table] = sources(())
    assert members(table) == [(A, DestinationState.PROBING, 3)]
    assert table.key == "table"


def test_a_memory_stands_in_the_order_in_which_the_proxy_lists_it(play: Play) -> None:
    edge = play(sets={1: [listed(B, weight=2, priority=5), listed(A, "Probing", weight=1, priority=0)]})
    edge.remembered(edge.row())
    memory, _table = sources(watched_proxies())
    assert members(memory) == [(B, DestinationState.ACTIVE, 2), (A, DestinationState.PROBING, 1)]


def test_the_table_inherits_the_states_that_the_proxy_holds(play: Play) -> None:
    edge = play(sets={1: [listed(A, "Inactive", weight=1, priority=0)]})
    edge.remembered(edge.row())
    row(A)
    row(B, state=1, priority=9)
    _memory, table = sources(watched_proxies())
    assert members(table) == [(B, DestinationState.INACTIVE, 1), (A, DestinationState.INACTIVE, 1)]


def test_a_memory_that_may_be_old_shows_how_old(play: Play) -> None:
    edge = play(sets={1: [listed(A)]})
    proxy = edge.remembered(edge.row())
    ProxyContact.objects.update(answered_at=timezone.now() - timedelta(minutes=5))
    assert sources(watched_proxies())[0].name == f"live on {proxy.name} (5 min ago)"
    ProxyContact.objects.all().delete()
    assert sources(watched_proxies())[0].name == f"live on {proxy.name}, never responded"


def test_an_edit_applies_to_the_tables_rows_only() -> None:
    row(A)
    plain = Source(SourceKind.TABLE, None)
    assert [uri for uri, *_ in members(plain, edit=lambda rows: [*rows, DestinationRow(1, B)])] == [A, B]
    assert Destination.objects.count() == 1


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (UnsavedEdit(1, A, weight="7"), [(A, 7), (B, 1)]),
        (UnsavedEdit(1, A.upper().replace("SIP:", "sip:"), weight="7"), [(A, 7), (B, 1)]),
        (UnsavedEdit(1, C, weight="2"), [(A, 1), (B, 1), (C, 2)]),
        (UnsavedEdit(1, A, state=REMOVED), [(B, 1)]),
    ],
)
def test_an_unsaved_edit_changes_adds_or_takes_out(
    edit: UnsavedEdit, expected: list[tuple[str, int]]
) -> None:
    row(A)
    row(B)
    found = members(Source(SourceKind.TABLE, None, edit))
    assert [(uri, weight) for uri, _state, weight in found] == expected


def test_an_unsaved_edit_stands_beside_the_table_in_a_spread(
    client_as: ClientAs,
) -> None:
    row(A)
    row(B)
    question = {"setid": "1", "source": "table", "calls": "1000", "edit_uri": A, "edit_weight": "3"}
    page = client_as(Role.VIEWER).get(reverse("preview:distribution"), question)
    table, edited = page.context["counted"].distributions
    assert edited.name == "table with the unsaved edit"
    assert [bar.calls for bar in table.bars] != [bar.calls for bar in edited.bars]
    assert edited.bars[0].calls > 2 * edited.bars[1].calls


def test_a_password_of_a_weight_is_in_no_finding() -> None:
    row(A, weight="fs://:secret@nowhere:99999999")
    assert "secret" not in str(set_preview(Source(SourceKind.TABLE, None), 1).findings)


def test_a_set_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("efcp.preview.sources.MAX_ROWS", 1)
    row(A)
    row(B)
    with pytest.raises(TooManyRowsError):
        set_preview(Source(SourceKind.TABLE, None), 1)


def test_a_name_of_which_the_watcher_knows_that_it_does_not_resolve_is_not_loaded(
    name_server: NameServer,
) -> None:
    row(A)
    row("sip:gw.example.test:5060")
    [table] = sources(())
    assert len(members(table)) == 2
    carry_out(timezone.now())
    assert members(table) == [(A, DestinationState.ACTIVE, 1)]
