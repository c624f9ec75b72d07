"""The page of a destination: what it was on each proxy, and who asked for it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.services import subject
from efcp.accounts.roles import Role
from efcp.audit.services import Actor, record
from efcp.modules.registry import ReloadOutcome
from efcp.operations.history import availability, selectors
from efcp.operations.history.availability import SetAvailability
from efcp.operations.history.selectors import DestinationHistory
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import HistoryGap, Proxy, ProxyContact, StateChange
from efcp.proxies.reconcile import Cause
from tests.conftest import AddRow, ClientAs
from tests.factories import ReloadResultFactory, ReloadRunFactory
from tests.operations.conftest import URI
from tests.operations.fake_proxy import FakeProxy
from tests.proxies.mi_server import listed


def shown(client: Client, row_id: int, period: str = "day") -> DestinationHistory:
    """The page's values."""
    page = client.get(reverse("operations:destination", args=[row_id]), {"period": period})
    found: DestinationHistory = page.context["history"]
    return found


def changed(proxy: Proxy, before: str, after: str, hours_ago: float) -> StateChange:
    """A change in the history of URI in set 1."""
    return StateChange.objects.create(
        proxy=proxy,
        partition=proxy.partition,
        setid=1,
        uri=URI,
        uri_key=URI,
        at=timezone.now() - timedelta(hours=hours_ago),
        state_before=before,
        state_after=after,
    )


@pytest.fixture(autouse=True)
def _known_for_a_year(proxy: Proxy) -> None:
    """Have the proxy watched for longer than any period."""
    ProxyContact.objects.update(known_since=timezone.now() - timedelta(days=365))


def test_a_failure_of_six_hours_in_a_day_is_three_quarters_of_availability(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    changed(proxy, "active", "probing", 9)
    changed(proxy, "probing", "active", 3)
    [on_proxy] = shown(viewer, add_row(URI)).on_proxies
    assert [each.state for each in on_proxy.timeline.segments] == ["active", "probing", "active"]
    assert on_proxy.availability == "75.00 %"


def test_a_longer_period_reaches_further_back(proxy: Proxy, add_row: AddRow, viewer: Client) -> None:
    changed(proxy, "probing", "active", 100)
    row = add_row(URI)
    assert [each.state for each in shown(viewer, row).on_proxies[0].timeline.segments] == ["active"]
    segments = shown(viewer, row, "week").on_proxies[0].timeline.segments
    assert [each.state for each in segments] == ["probing", "active"]


def test_a_change_that_the_panel_requested_names_who_and_why(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    change = changed(proxy, "active", "inactive", 1)
    changed(proxy, "inactive", "active", 0.5)
    run = StateRun.objects.create(
        started_at=change.at - timedelta(seconds=2), actor="ann", state="inactive", reason="new board"
    )
    StateResult.objects.create(
        run=run, proxy=proxy, setid=1, uri=URI.upper(), outcome=StateOutcome.DONE, deadline=change.at
    )
    expected = shown(viewer, add_row(URI)).changes
    assert [each.cause for each in expected] == ["Unknown", "Set by ann: new board"]


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (Cause.PROBING, "Probing"),
        (Cause.SCRIPT, "Script (ds_mark_dst)"),
        (Cause.MI, "Set by ann: new board"),
        (Cause.RELOAD, "Reload outside this panel"),
    ],
)
def test_the_proxys_own_report_counts_before_the_panels_request(
    proxy: Proxy, add_row: AddRow, viewer: Client, cause: Cause, expected: str
) -> None:
    change = changed(proxy, "active", "inactive", 1)
    StateChange.objects.update(cause=cause)
    run = StateRun.objects.create(
        started_at=change.at - timedelta(seconds=2), actor="ann", state="inactive", reason="new board"
    )
    StateResult.objects.create(
        run=run, proxy=proxy, setid=1, uri=URI, outcome=StateOutcome.DONE, deadline=change.at
    )
    assert [each.cause for each in shown(viewer, add_row(URI)).changes] == [expected]


def request_state(
    proxy: Proxy,
    at: datetime,
    state: str,
    actor: str = "ann",
    outcome: StateOutcome = StateOutcome.DONE,
    before: str = "",
) -> StateResult:
    """A request of the panel's that was answered, or given up, a second after it was sent."""
    run = StateRun.objects.create(started_at=at, actor=actor, state=state)
    return StateResult.objects.create(
        run=run,
        proxy=proxy,
        partition=proxy.partition,
        setid=1,
        uri=URI,
        outcome=outcome,
        state_requested=state,
        state_before=before,
        deadline=at + timedelta(seconds=30),
        ended_at=at + timedelta(seconds=1),
    )


def record_change(proxy: Proxy, before: str, after: str, at: datetime, cause: Cause = Cause.MI) -> None:
    """A change that the proxy reported."""
    change = changed(proxy, before, after, 1)
    StateChange.objects.filter(pk=change.pk).update(at=at, cause=cause)


def causes(client: Client, row_id: int) -> list[str]:
    """The causes, the newest first."""
    return [each.cause for each in shown(client, row_id).changes]


def test_a_change_by_hand_right_after_the_panels_is_not_the_panels(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    at = timezone.now() - timedelta(hours=1)
    request_state(proxy, at, "inactive", "admin", before="active")
    record_change(proxy, "active", "inactive", at)
    record_change(proxy, "inactive", "active", at + timedelta(seconds=3))
    record_change(proxy, "active", "inactive", at + timedelta(seconds=5))
    by_others = "Set over MI outside this panel"
    assert causes(viewer, add_row(URI)) == [by_others, by_others, "Set by admin"]


def test_a_request_that_a_hanging_proxy_carried_out_later_may_be_the_panels(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    at = timezone.now() - timedelta(hours=1)
    request_state(proxy, at, "inactive", "admin", StateOutcome.UNKNOWN, "active")
    record_change(proxy, "active", "inactive", at + timedelta(seconds=45))
    [cause] = causes(viewer, add_row(URI))
    assert cause.startswith("Set by admin, or by others over MI (the request of ")
    assert cause.endswith(" got no reply)")


def test_two_people_who_requested_the_same_at_once_are_both_named(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    at = timezone.now() - timedelta(hours=1)
    request_state(proxy, at, "inactive", "ann", before="active")
    request_state(proxy, at + timedelta(seconds=1), "inactive", "bob", before="active")
    record_change(proxy, "active", "inactive", at + timedelta(seconds=1))
    [cause] = causes(viewer, add_row(URI))
    assert cause.startswith("Set by ann or bob (")


@pytest.mark.parametrize(
    "other",
    [{"partition": "emea"}, {"setid": 2}, {"state_requested": "active"}, {"outcome": StateOutcome.REFUSED}],
)
def test_a_request_for_something_else_explains_nothing(
    proxy: Proxy, add_row: AddRow, viewer: Client, other: dict[str, Any]
) -> None:
    at = timezone.now() - timedelta(hours=1)
    StateResult.objects.filter(pk=request_state(proxy, at, "inactive").pk).update(**other)
    record_change(proxy, "active", "inactive", at + timedelta(seconds=1))
    assert causes(viewer, add_row(URI)) == ["Set over MI outside this panel"]


def test_what_was_inactive_before_the_request_may_be_others_doing(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    at = timezone.now() - timedelta(hours=1)
    request_state(proxy, at, "inactive", "ann", before="inactive")
    record_change(proxy, "active", "inactive", at + timedelta(seconds=2))
    assert causes(viewer, add_row(URI)) == ["Set by ann, or by others over MI at about the same time"]


@pytest.mark.parametrize(
    ("inherits", "before", "after", "cause"),
    [
        (True, "active", "probing", "Unknown"),
        (False, "active", "probing", "Reload by ann"),
        (True, "", "active", "Reload by ann"),
        (True, "active", "", "Reload by ann"),
    ],
)
def test_a_reload_that_keeps_states_changes_none(
    proxy: Proxy, add_row: AddRow, viewer: Client, inherits: bool, before: str, after: str, cause: str
) -> None:
    at = timezone.now() - timedelta(hours=1)
    run = ReloadRunFactory.create(started_at=at, actor="ann", inherit_state=inherits)
    ReloadResultFactory.create(
        run=run, proxy=proxy, outcome=ReloadOutcome.DONE, deadline=at, ended_at=at + timedelta(seconds=1)
    )
    record_change(proxy, before, after, at + timedelta(seconds=2), Cause.UNKNOWN)
    assert causes(viewer, add_row(URI)) == [cause]


def test_a_gap_is_shown_as_a_gap_only(proxy: Proxy, add_row: AddRow, viewer: Client) -> None:
    changed(proxy, "active", "probing", 6)
    now = timezone.now()
    HistoryGap.objects.create(
        proxy=proxy,
        partition=proxy.partition,
        begin=now - timedelta(hours=12),
        end=now - timedelta(hours=3),
        why="Nobody looked.",
    )
    row = add_row(URI)
    [on_proxy] = shown(viewer, row).on_proxies
    assert [each.state for each in on_proxy.timeline.segments] == ["active", "", "", "probing"]
    assert on_proxy.availability.startswith("80.0")
    assert "Nobody looked." in viewer.get(reverse("operations:destination", args=[row])).content.decode()


def test_a_state_known_from_reports_only_is_named_as_precisely_as_known(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    changed(proxy, "active", "down", 2)
    changed(proxy, "down", "active", 1)
    row = add_row(URI)
    assert shown(viewer, row).on_proxies[0].availability.startswith("95.8")
    assert "inactive or probing" in viewer.get(reverse("operations:destination", args=[row])).content.decode()


def test_the_page_shows_who_changed_the_row(add_row: AddRow, viewer: Client) -> None:
    row = add_row(URI)
    record(
        Actor("ann"), "edit", subject(row, DestinationRow.of(Destination.objects.get(pk=row))), reason="moved"
    )
    newest, added = shown(viewer, row).records
    assert (newest.actor, newest.reason, added.action) == ("ann", "moved", "add")


def test_what_a_silent_proxy_holds_is_unknown_since_its_last_answer(
    proxy: Proxy, add_row: AddRow, viewer: Client
) -> None:
    ProxyContact.objects.update(answered_at=timezone.now() - timedelta(hours=6))
    [on_proxy] = shown(viewer, add_row(URI)).on_proxies
    assert [each.state for each in on_proxy.timeline.segments] == ["active", ""]


def test_twenty_proxies_cost_as_many_queries_as_one(
    play: Callable[..., FakeProxy],
    add_row: AddRow,
    viewer: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    edge = play(sets={1: [listed(URI)]})
    for number in range(20):
        edge.remembered(edge.row(f"other-{number}"))
    row = add_row(URI)
    with django_assert_max_num_queries(12):
        assert len(shown(viewer, row).on_proxies) == 21


@pytest.mark.parametrize("period", ["", "year", "<script>"])
def test_an_unknown_period_is_the_last_day(
    proxy: Proxy, add_row: AddRow, viewer: Client, period: str
) -> None:
    assert shown(viewer, add_row(URI), period).period.label == "day"


def test_time_before_the_proxy_was_added_is_unknown(proxy: Proxy, add_row: AddRow, viewer: Client) -> None:
    ProxyContact.objects.update(known_since=timezone.now() - timedelta(hours=1))
    changed(proxy, "probing", "active", 0.5)
    [on_proxy] = shown(viewer, add_row(URI)).on_proxies
    assert [each.state for each in on_proxy.timeline.segments] == ["", "probing", "active"]
    assert on_proxy.availability.startswith("50.0")


def test_a_row_that_does_not_exist_is_not_found(viewer: Client, transactional_db: None) -> None:
    assert viewer.get(reverse("operations:destination", args=[999_999])).status_code == 404


def test_of_more_changes_than_are_read_the_older_time_is_unknown(
    proxy: Proxy, add_row: AddRow, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limits in (selectors, availability):
        monkeypatch.setattr(limits, "MAX_CHANGES", 2)
    for hours in (12, 8, 4):
        changed(proxy, "active", "probing", hours)
        changed(proxy, "probing", "active", hours - 1)
    [on_proxy] = shown(viewer, add_row(URI)).on_proxies
    assert [each.state for each in on_proxy.timeline.segments] == ["", "active", "probing", "active"]
    page = viewer.get(reverse("operations:set", args=[1]))
    assert page.context["set"].rows[0].share == pytest.approx(100 * 6 / 7, abs=0.01)


def test_a_set_has_the_share_of_time_in_which_some_destination_took_calls(
    play: Callable[..., FakeProxy], viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    other = "sip:192.0.2.9:5060"
    edge = play(sets={1: [listed(URI), listed(other)]})
    edge.remembered(edge.row("edge"))
    for number in range(19):
        edge.remembered(edge.row(f"other-{number}"))
    ProxyContact.objects.update(known_since=timezone.now() - timedelta(days=365))
    edge_row = Proxy.objects.get(name="edge")
    changed(edge_row, "active", "probing", 12)
    changed(edge_row, "probing", "active", 6)
    with django_assert_max_num_queries(12):
        found: SetAvailability = viewer.get(reverse("operations:set", args=[1])).context["set"]
    assert [row.name for row in found.rows][:2] == ["All proxies", "edge"]
    assert [row.share for row in found.rows[:2]] == [100, 100]
    [destination] = found.destinations
    assert (destination.name, destination.text) == (URI, "75.00 %")
    StateChange.objects.update(uri=other, uri_key=other)
    first = viewer.get(reverse("operations:all-sets")).context["day"].rows[0]
    assert (first.setid, first.text) == (1, "100 %")
    changed(edge_row, "active", "inactive", 12)
    changed(edge_row, "inactive", "active", 6)
    assert viewer.get(reverse("operations:set", args=[1])).context["set"].rows[1].text == "75.00 %"


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_who_is_signed_in_sees_sets(client_as: ClientAs, role: Role | None, db: None) -> None:
    client = client_as(role)
    for url in (reverse("operations:set", args=[7]), reverse("operations:all-sets")):
        assert client.get(url).status_code == (200 if role else 302)
    assert client.get(reverse("operations:set", args=[2**31])).status_code == (404 if role else 302)
