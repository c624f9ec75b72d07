"""What a reload would change, row by row, against what a proxy holds."""

from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from dispatcher import services
from dispatcher.changes import ProxyChanges, breaking_rows, compare, pending_changes
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.proxies.models import Proxy, ProxyContact
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRow, ClientAs
from tests.dispatcher.conftest import SOMEBODY, hold, make_proxy
from tests.factories import ProxyFactory

URI = "sip:10.0.0.1:5060"


@pytest.fixture
def add_row(db: None) -> AddRow:
    """Return a function that adds a row and returns its id."""

    def add(destination: str, setid: int = 1, actor: Actor = SOMEBODY, **columns: Any) -> int:
        return services.add(DestinationRow(setid=setid, destination=destination, **columns), actor)

    return add


@pytest.fixture
def proxy(db: None) -> Proxy:
    """A proxy of release 3.4 that answered a second ago; its memory is empty."""
    return of_release("3.4.18")


def of_release(version: str, name: str = "edge-1") -> Proxy:
    proxy = make_proxy(name)
    ProxyContact.objects.filter(proxy=proxy).update(version=version)
    return proxy


def found() -> ProxyChanges:
    """What a reload would change on the only proxy."""
    (changes,) = compare(watched_proxies())
    return changes


def test_a_row_that_the_proxy_does_not_hold_would_be_added(proxy: Proxy, add_row: AddRow) -> None:
    row_id = add_row(URI)
    assert [(change.row_id, change.uri) for change in found().added.shown] == [(row_id, URI)]


def test_a_destination_without_a_row_would_be_removed(proxy: Proxy) -> None:
    hold(proxy, URI, setid=3)
    assert [(change.setid, change.uri) for change in found().removed.shown] == [(3, URI)]


def test_a_row_with_other_values_would_be_changed_in_these_columns(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI, weight="5", attrs="x=1")
    hold(proxy, URI, weight=2, attrs="x=1")
    (change,) = found().changed.shown
    assert [difference.column for difference in change.differences] == ["weight"]


def test_a_row_that_means_what_the_proxy_holds_is_no_change(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI, weight="007", socket="127.0.0.1")
    hold(proxy, URI, weight=7, socket="udp:127.0.0.1:5060")
    assert found().count == 0


@pytest.mark.parametrize(("weight", "loaded"), [("65537", 1), ("65536", 0), ("131071", 65535), ("  ", 1)])
def test_a_weight_is_compared_as_the_16_bits_that_the_proxy_loads(
    proxy: Proxy, add_row: AddRow, weight: str, loaded: int
) -> None:
    add_row(URI, weight=weight)
    hold(proxy, URI, weight=loaded)
    assert found().changed.shown == ()


def test_columns_that_the_proxy_did_not_list_are_no_difference(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI, weight="5", description="carrier")
    hold(proxy, URI, weight=None, priority=None, description=None)
    assert found().count == 0


def test_the_state_in_memory_is_no_difference(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI, state=1)
    hold(proxy, URI, state="probing")
    assert found().count == 0


def test_the_same_uri_in_another_set_is_another_destination(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI, setid=1)
    hold(proxy, URI, setid=2)
    changes = found()
    assert (changes.added.count, changes.removed.count) == (1, 1)


def test_the_second_row_of_a_set_and_uri_is_a_destination_of_its_own(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dispatcher (setid, destination, attrs, description) VALUES (1, %s, '', '')", [URI]
        )
    hold(proxy, URI)
    assert found().added.count == 1


def test_who_added_a_row_is_reported(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI, actor=Actor("anna"))
    assert [change.by for change in found().added.shown] == ["anna"]


def test_who_edited_a_row_last_is_reported(proxy: Proxy, add_row: AddRow) -> None:
    row_id = add_row(URI, actor=Actor("anna"))
    hold(proxy, URI)
    original = DestinationRow.of(Destination.objects.get(pk=row_id))
    services.update(row_id, original, DestinationRow(setid=1, destination=URI, weight="9"), Actor("ben"))
    assert [change.by for change in found().changed.shown] == ["ben"]


def test_who_deleted_a_row_is_reported(proxy: Proxy, add_row: AddRow) -> None:
    row_id = add_row(URI)
    hold(proxy, URI)
    services.delete(row_id, DestinationRow.of(Destination.objects.get(pk=row_id)), Actor("cleo"))
    assert [change.by for change in found().removed.shown] == ["cleo"]


def test_who_moved_a_row_is_shown_in_the_set_that_it_left(proxy: Proxy, add_row: AddRow) -> None:
    row_id = add_row(URI)
    hold(proxy, URI)
    original = DestinationRow.of(Destination.objects.get(pk=row_id))
    services.update(row_id, original, DestinationRow(setid=2, destination=URI), Actor("ben"))
    assert [change.by for change in found().removed.shown] == ["ben"]


def test_a_row_that_would_be_dropped_is_a_warning_and_no_addition(proxy: Proxy, add_row: AddRow) -> None:
    row_id = add_row("no uri at all")
    changes = found()
    assert changes.added.count == 0
    assert [row.id for row, _finding in changes.warnings] == [row_id]


@pytest.mark.parametrize(
    ("version", "breaks"), [("3.4.18", False), ("3.6.8", True), ("4.0.1", True), ("", True)]
)
def test_a_weight_that_is_no_number_breaks_later_releases(
    db: None, add_row: AddRow, version: str, breaks: bool
) -> None:
    of_release(version)
    add_row(URI, weight="heavy")
    assert (found().breaking is not None) is breaks


def test_an_empty_destination_breaks_every_release(proxy: Proxy, add_row: AddRow) -> None:
    row_id = add_row("")
    breaking = found().breaking
    assert breaking is not None
    assert breaking.row.id == row_id


def test_a_row_breaks_the_reload_though_it_equals_what_is_loaded(db: None, add_row: AddRow) -> None:
    proxy = of_release("3.6.8")
    add_row(URI, weight="heavy")
    hold(proxy, URI, weight=None, priority=None, description=None)
    assert found().breaking is not None


@pytest.mark.parametrize("weight", ["", " ", "heavy", "-1", "1.5", "5x", "0x10", "²"])
@pytest.mark.parametrize("version", ["3.4.18", "3.6.8"])
def test_the_quick_look_for_breaking_rows_finds_what_the_comparison_finds(
    db: None, add_row: AddRow, version: str, weight: str
) -> None:
    of_release(version)
    add_row(URI, weight=weight)
    assert bool(breaking_rows(watched_proxies())) is (found().breaking is not None)


@pytest.mark.parametrize("weight", ["fs://:secret@127.0.0.1:8021", "0", "65536", "007"])
def test_a_weight_that_later_releases_take_breaks_nothing(db: None, add_row: AddRow, weight: str) -> None:
    of_release("4.0.1")
    add_row(URI, weight=weight)
    assert breaking_rows(watched_proxies()) == {}


def test_a_finding_on_a_weight_masks_the_password_in_it(db: None, add_row: AddRow) -> None:
    of_release("3.6.8")
    add_row(URI, weight="FS://:secret@127.0.0.1:8021")
    breaking = found().breaking
    assert breaking is not None
    assert "secret" not in breaking.finding.text


def test_a_list_without_details_is_compared_by_what_it_has(proxy: Proxy, add_row: AddRow) -> None:
    add_row(URI, weight="5", attrs="x=1")
    hold(proxy, URI, weight=None, priority=None, description=None, attrs="x=2")
    (change,) = found().changed.shown
    assert [difference.column for difference in change.differences] == ["attrs"]


def test_only_so_many_changes_are_shown_and_all_are_counted(proxy: Proxy) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO dispatcher (setid, destination, attrs, description) VALUES (1, %s, '', '')",
            [(f"sip:10.0.1.{number}:5060",) for number in range(150)],
        )
    added = found().added
    assert (added.count, len(added.shown), added.unshown) == (150, 100, 50)


def test_a_proxy_that_never_answered_is_not_compared(db: None, add_row: AddRow) -> None:
    ProxyFactory.create(name="edge-1")
    add_row(URI)
    changes = found()
    assert not changes.is_known
    assert changes.count == 0


def test_a_destination_that_differs_on_two_proxies_is_one_pending_change(db: None, add_row: AddRow) -> None:
    of_release("3.4.18", "a")
    of_release("3.6.8", "b")
    add_row(URI)
    assert pending_changes(watched_proxies()).count == 1


def test_a_silent_proxy_has_no_pending_changes(db: None, add_row: AddRow) -> None:
    make_proxy("a", answered_s_ago=3600)
    add_row(URI)
    assert pending_changes(watched_proxies()).count == 0


def test_a_warning_that_proxies_have_in_common_stands_once_with_their_names(
    client_as: ClientAs, add_row: AddRow
) -> None:
    add_row("no uri at all")
    for number in (1, 2, 3):
        make_proxy(f"edge-{number}")
    page = client_as(Role.VIEWER).get(reverse("operations:reload"))
    text = " ".join(page.content.decode().split())
    assert text.count("<code>no uri at all</code>") == 1
    assert "3 proxies: edge-1, edge-2, edge-3" in text
    assert [card.warning_count for card in page.context["preview"].cards] == [0, 0, 0]
