"""The state board: what it shows, and what it costs to look whether anything changed."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from efcp.operations.board.selectors import MAX_SHOWN_PROXIES, Board, Level, Trouble, TroubleOnProxy
from efcp.proxies.models import KnownDestination, KnownSet, Proxy, ProxyContact, TryOutcome, WatcherHeartbeat
from efcp.proxies.selectors import Freshness, WatchedProxy
from tests.operations.conftest import URI
from tests.operations.fake_proxy import FakeProxy, Play
from tests.proxies.mi_server import listed

OTHER = "sip:10.0.0.2:5060"


def shown(client: Client) -> Board:
    """The board's values."""
    board: Board = client.get(reverse("operations:board")).context["board"]
    return board


def polled(client: Client, version: str) -> Any:
    """The answer to the page's own question."""
    return client.get(
        reverse("operations:board"),
        headers={"HX-Request": "true", "HX-Target": "board", "If-None-Match": f'"{version}"'},
    )


def hold(edge: FakeProxy, name: str = "edge-1", **states: str) -> Proxy:
    """Have the panel know a proxy that holds set 1 in these states (a: URI, b: OTHER)."""
    uris = {"a": URI, "b": OTHER}
    edge.sets = {1: [listed(uris[letter], state) for letter, state in states.items()]}
    known = Proxy.objects.filter(name=name).first()
    return edge.remembered(known or edge.row(name))


def test_a_silent_proxy_is_named_above_the_board(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active")
    assert "No proxy yet" not in viewer.get(reverse("operations:board")).content.decode()
    falls_silent("edge-1")
    assert "<b>edge-1</b> refuses the connection" in viewer.get(reverse("operations:board")).content.decode()


def test_proxies_that_serve_a_set_alike_share_one_chip(play: Play, viewer: Client) -> None:
    for name in ("edge-1", "edge-2"):
        hold(play(), name, a="Active", b="Probing")
    assert "edge-1, edge-2 1 of 2" in shown_text(viewer)


def test_a_set_in_full_is_quiet(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active", b="Active")
    board = shown(viewer)
    assert [(each.setid, each.level) for each in board.quiet] == [(1, Level.GOOD)]
    assert not board.troubled


@pytest.mark.parametrize(
    ("states", "level"),
    [
        ({"a": "Probing", "b": "Inactive"}, Level.DOWN),
        ({"a": "Active", "b": "Inactive"}, Level.IMPAIRED),
    ],
)
def test_a_set_that_lost_destinations_is_reported_with_them(
    edge: FakeProxy, viewer: Client, states: dict[str, str], level: Level
) -> None:
    hold(edge, **states)
    [card] = shown(viewer).troubled
    assert card.level == level
    assert {each.uri for each in card.troubles} == {
        uri for uri, state in zip((URI, OTHER), states.values(), strict=True) if state != "Active"
    }


def test_the_worst_sets_come_first(edge: FakeProxy, viewer: Client) -> None:
    edge.sets = {
        1: [listed(URI), listed(OTHER, "Inactive")],
        2: [listed(URI)],
        3: [listed(URI, "Probing")],
    }
    edge.remembered(edge.row())
    assert [each.setid for each in shown(viewer).troubled] == [3, 1]


def test_proxies_that_disagree_are_marked(play: Play, viewer: Client) -> None:
    hold(play(), "edge-1", a="Active")
    hold(play(), "edge-2", a="Inactive")
    [card] = shown(viewer).troubled
    [trouble] = card.troubles
    assert trouble.disagree_since == max(each.known.since for each in trouble.on_proxies)
    assert card.differing is None
    assert [each.known.state for each in card.troubles[0].on_proxies] == ["active", "inactive"]


def test_a_proxy_without_a_set_is_down_for_nobody_but_holds_another_table(play: Play, viewer: Client) -> None:
    hold(play(), "edge-1", a="Active")
    empty = play(sets={1: []})
    empty.remembered(empty.row("edge-2"))
    [card] = shown(viewer).troubled
    assert card.level is Level.DIFFERING
    assert card.differing is not None
    assert card.differing.holders == (("edge-1",), ("edge-2",))


@pytest.mark.parametrize(
    "other", [{"weight": 7}, {"priority": 3}, {"attr": "x=1"}, {"socket": "udp:127.0.0.1:5060"}]
)
def test_proxies_that_hold_a_set_differently_are_reported_with_the_most_first(
    play: Play, viewer: Client, other: dict[str, object]
) -> None:
    for name in ("edge-1", "edge-2"):
        hold(play(), name, a="Active")
    third = play(sets={1: [{**listed(URI), **other}]})
    third.remembered(third.row("edge-3"))
    [card] = shown(viewer).troubled
    assert card.differing is not None
    assert card.differing.holders == (("edge-1", "edge-2"), ("edge-3",))
    assert card.differing.since == KnownSet.objects.get(proxy__name="edge-3").since
    assert "Proxies differ" in viewer.get(reverse("operations:board")).content.decode()


def test_states_and_addresses_make_no_difference_of_content(play: Play, viewer: Client) -> None:
    hold(play(), "edge-1", a="Active")
    other = play(sets={1: [listed(URI, "Active", resolved_addresses=["192.0.2.9:5060"])]})
    other.remembered(other.row("edge-2"))
    assert not shown(viewer).troubled


def test_a_proxy_that_does_not_answer_and_one_of_another_partition_differ_from_nobody(
    play: Play, viewer: Client
) -> None:
    hold(play(), "edge-1", a="Active")
    silent = play(sets={1: [listed(OTHER)]})
    silent.remembered(silent.row("edge-2"))
    long_ago = timezone.now() - timedelta(minutes=5)
    ProxyContact.objects.filter(proxy__name="edge-2").update(answered_at=long_ago, failing_since=long_ago)
    apart = play(sets={1: [listed(OTHER)]}, partition="other")
    apart.remembered(apart.row("edge-3", partition="other"))
    [card] = shown(viewer).troubled
    assert card.level is Level.UNKNOWN
    assert card.differing is None


def test_the_memory_of_a_silent_proxy_is_unknown_and_shown_as_old(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active")
    long_ago = timezone.now() - timedelta(minutes=5)
    ProxyContact.objects.update(answered_at=long_ago, failing_since=long_ago)
    page = viewer.get(reverse("operations:board"))
    assert [each.level for each in page.context["board"].troubled] == [Level.UNKNOWN]
    assert "does not answer" in page.text


def falls_silent(name: str) -> None:
    """Have the last try to reach the proxy refused, a moment after a good answer."""
    ProxyContact.objects.filter(proxy__name=name).update(
        failing_since=timezone.now(), outcome=TryOutcome.REFUSED
    )
    now = timezone.now()
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": now, "beat_at": now})


def test_several_silent_proxies_are_one_notice_with_a_list(play: Play, viewer: Client) -> None:
    for number in (1, 2, 3):
        hold(play(), f"edge-{number}", a="Active")
    falls_silent("edge-2")
    falls_silent("edge-3")
    page = " ".join(viewer.get(reverse("operations:board")).content.decode().split())
    assert page.count('class="notice notice-warning" role="status"') == 2
    assert "<b>2 of 3 proxies are not responding.</b>" in page
    assert "<li><b>edge-2</b>" in page


def test_a_dead_proxy_is_never_counted_as_in_full(play: Play, viewer: Client) -> None:
    hold(play(), "edge-1", a="Active")
    hold(play(), "edge-2", a="Active")
    assert "All 1 set fully active on edge-1, edge-2" in viewer.get(reverse("operations:board")).text
    falls_silent("edge-2")
    page = viewer.get(reverse("operations:board")).text
    assert "in full" not in page
    assert "1 set unknown on edge-2 (1 of 2 proxies)" in page
    assert "edge-2 last known: 1 of 1" in page
    assert "edge-2</b> refuses the connection" in page


def test_a_trouble_on_a_silent_proxy_is_last_known(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active", b="Probing")
    falls_silent("edge-1")
    page = viewer.get(reverse("operations:board")).text
    assert "Last known: probing" in page
    assert "impaired" not in page


def test_a_count_of_sets_shows_on_which_proxies(play: Play, viewer: Client) -> None:
    for number in (1, 2, 3):
        hold(play(), f"edge-{number}", a="Active", b="Active")
    hold(play(), "edge-4", a="Inactive", b="Inactive")
    hold(play(), "edge-5", a="Active", b="Inactive")
    page = viewer.get(reverse("operations:board")).text
    assert "1 set takes no calls on edge-4 (1 of 5 proxies)" in page


def test_every_set_is_counted_beyond_those_that_are_shown(edge: FakeProxy, viewer: Client) -> None:
    edge.sets = {setid: [listed(URI, "Inactive")] for setid in range(70)}
    edge.remembered(edge.row())
    assert "70 sets take no calls on edge-1" in viewer.get(reverse("operations:board")).text


def test_a_proxy_that_never_answered_leaves_every_set_unknown(
    play: Play, edge: FakeProxy, viewer: Client
) -> None:
    edge.row("edge-2")
    assert "edge-2 never responded, so the states are unknown" in shown_text(viewer)
    hold(play(), "edge-1", a="Active")
    page = shown_text(viewer)
    assert "in full" not in page
    assert "edge-2 unknown" in page
    assert "not loaded" not in page


def test_what_is_active_is_counted_by_whether_it_is_checked(edge: FakeProxy, viewer: Client) -> None:
    proxy = hold(edge, a="Active", b="Active")
    Proxy.objects.update(probing="marked")
    KnownDestination.objects.filter(proxy=proxy).update(probe_mode=0)
    KnownDestination.objects.filter(uri=URI).update(probe_mode=1)
    page = shown_text(viewer)
    assert '<span class="chip chip-active chip-checked">1 active, probed</span>' in page
    assert '<span class="chip chip-active chip-unchecked">1 active, not probed</span>' in page
    assert "2 of 2 (1 probed, 1 not probed) on edge-1" in page
    # In full, but in the plain green look only where everything is checked.
    assert '<strong class="chip chip-active">' not in page


def test_a_word_on_what_a_proxy_probes_is_a_change(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active")
    version = shown(viewer).version
    Proxy.objects.update(probing="all")
    assert polled(viewer, version).status_code == 200
    version = shown(viewer).version
    KnownDestination.objects.update(probe_mode=1)
    ProxyContact.objects.update(probes_reported_at=timezone.now())
    assert polled(viewer, version).status_code == 200


def shown_text(client: Client) -> str:
    """The board's page."""
    return client.get(reverse("operations:board")).text


def test_nothing_is_sent_while_nothing_changed(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active")
    assert polled(viewer, shown(viewer).version).status_code == 304


def test_a_change_is_sent(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active")
    version = shown(viewer).version
    hold(edge, a="Probing")
    answer = polled(viewer, version)
    assert answer.status_code == 200
    assert "takes no calls" in answer.text
    assert "<html" not in answer.text


def test_a_proxy_that_falls_silent_is_a_change(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active")
    version = shown(viewer).version
    ProxyContact.objects.update(answered_at=timezone.now() - timedelta(minutes=5))
    assert polled(viewer, version).status_code == 200


def test_looking_whether_anything_changed_costs_the_same_few_queries(
    edge: FakeProxy, viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    edge.sets = {setid: [listed(URI)] for setid in range(200)}
    edge.remembered(edge.row())
    version = shown(viewer).version
    with django_assert_max_num_queries(2):  # the session with its user, and one for everything else
        polled(viewer, version)


def test_the_board_reads_the_same_few_queries_at_any_size(
    edge: FakeProxy, viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    edge.sets = {setid: [listed(URI, "Inactive"), listed(OTHER)] for setid in range(200)}
    edge.remembered(edge.row())
    with django_assert_max_num_queries(8):
        board = shown(viewer)
    assert board.sets == 200
    assert board.hidden == 140


def test_without_a_proxy_the_board_shows_what_to_do(viewer: Client, transactional_db: None) -> None:
    now = timezone.now()
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": now, "beat_at": now})
    assert not KnownDestination.objects.exists()
    assert "No proxy yet" in viewer.get(reverse("operations:board")).text


def test_a_destination_names_a_few_of_many_proxies_those_in_trouble_first() -> None:
    def on(number: int) -> TroubleOnProxy:
        proxy = Proxy(pk=number, name=f"edge-{number}")
        state = "probing" if number == 50 else "active"
        watched = WatchedProxy(proxy, ProxyContact(proxy=proxy), Freshness.LIVE, timezone.now())
        return TroubleOnProxy(watched, KnownDestination(proxy=proxy, state=state))

    trouble = Trouble(URI, "", tuple(on(number) for number in range(1, 101)))

    assert [each.proxy for each in trouble.shown[:2]] == ["edge-50", "edge-1"]
    assert (len(trouble.shown), trouble.further) == (MAX_SHOWN_PROXIES, 100 - MAX_SHOWN_PROXIES)
