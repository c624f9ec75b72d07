"""Putting former states back: what is sent, what is left as it is, and that it happens once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher.models import Destination
from efcp.audit.models import AuditRecord
from efcp.operations.runs import RunHandle
from efcp.operations.states import results, services
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import KnownState, Proxy, StateChange
from efcp.sip.uri import uri_key
from tests.conftest import AddRow
from tests.operations.conftest import SOMEBODY
from tests.operations.fake_proxy import FakeProxy
from tests.proxies.mi_server import listed

URI = "sip:10.0.0.1:5060"
OTHER = "sip:10.0.0.2:5060"


def done(handle: RunHandle[StateRun]) -> StateRun:
    """Wait for the end of a run."""
    assert handle.ended.wait(15)
    return handle.run


def set_state(state: KnownState, *proxies: Proxy) -> StateRun:
    """Set a state of every row."""
    return done(services.begin(list(Destination.objects.all()), state, proxies, SOMEBODY))


def outcome_of_undoing(run: StateRun) -> tuple[str, str, str]:
    """Undo a run of one result; return the outcome, what it says, and the state read back."""
    result = done(services.undo(run, SOMEBODY)).results.get()
    return result.outcome, result.message, result.state_after


@pytest.fixture
def loaded(edge: FakeProxy, add_row: AddRow) -> Proxy:
    """The row of a proxy that holds URI, active, in set 1; the table has it too."""
    edge.sets = {1: [listed(URI)]}
    add_row(URI)
    return edge.remembered(edge.row())


def test_different_former_states_are_put_back_in_one_run(edge: FakeProxy, add_row: AddRow) -> None:
    edge.sets = {1: [listed(URI)], 2: [listed(OTHER, "Inactive"), listed(URI, "Probing")]}
    proxy = edge.remembered(edge.row())
    for uri, setid in ((URI, 1), (OTHER, 2), (URI, 2)):
        add_row(uri, setid)
    run = done(services.undo(set_state(KnownState.ACTIVE, proxy), SOMEBODY, "back"))
    after = {(result.setid, result.uri): result.state_after for result in run.results.all()}
    assert after == {(1, URI): "", (2, OTHER): KnownState.INACTIVE, (2, URI): KnownState.PROBING}
    assert run.state == ""
    assert run.results.get(setid=1).outcome == StateOutcome.LEFT


def test_only_what_was_set_is_put_back(play: Callable[..., FakeProxy], add_row: AddRow) -> None:
    first, second = play(sets={1: [listed(URI)]}), play(sets={1: [listed(URI)]})
    proxies = [first.remembered(first.row("a")), second.remembered(second.row("b"))]
    add_row(URI)
    second.sets = {}
    run = done(services.undo(set_state(KnownState.INACTIVE, *proxies), SOMEBODY))
    assert [result.proxy.name for result in run.results.all()] == ["a"]
    assert [params["state"] for params in first.commands_of("ds_set_state")] == ["i", "a"]
    assert len(second.commands_of("ds_set_state")) == 1


def test_what_somebody_set_since_is_left(edge: FakeProxy, loaded: Proxy) -> None:
    run = set_state(KnownState.INACTIVE, loaded)
    set_state(KnownState.INACTIVE, loaded)
    edge.calls.clear()
    assert outcome_of_undoing(run)[:2] == (StateOutcome.LEFT, results.CHANGED)
    assert edge.commands_of("ds_set_state") == []


def test_what_left_its_state_and_came_back_to_it_is_left(loaded: Proxy) -> None:
    run = set_state(KnownState.INACTIVE, loaded)
    StateChange.objects.create(
        proxy=loaded,
        partition="default",
        setid=1,
        uri=URI,
        uri_key=uri_key(URI),
        at=run.started_at + timedelta(seconds=5),
        state_before=KnownState.INACTIVE,
        state_after=KnownState.ACTIVE,
    )
    assert outcome_of_undoing(run)[1] == results.CHANGED


def test_what_is_in_its_former_state_already_is_left(edge: FakeProxy, loaded: Proxy) -> None:
    run = set_state(KnownState.INACTIVE, loaded)
    edge.sets = {1: [listed(URI)]}
    edge.remembered(loaded)
    assert outcome_of_undoing(run)[1] == results.IS_BACK


def test_what_a_proxy_holds_no_more_is_left(edge: FakeProxy, loaded: Proxy) -> None:
    run = set_state(KnownState.INACTIVE, loaded)
    edge.sets = {1: [listed(OTHER)]}
    edge.remembered(loaded)
    assert outcome_of_undoing(run)[1] == results.GONE


def test_what_was_probing_and_is_inactive_now_does_not_get_calls_by_an_undo(
    edge: FakeProxy, add_row: AddRow
) -> None:
    edge.sets = {1: [listed(URI, "Probing")]}
    add_row(URI)
    run = set_state(KnownState.INACTIVE, edge.remembered(edge.row()))
    edge.calls.clear()
    assert outcome_of_undoing(run)[1] == results.NOT_BACK_TO_PROBING
    assert edge.commands_of("ds_set_state") == []


def test_an_unknown_former_state_is_left(edge: FakeProxy, add_row: AddRow) -> None:
    edge.sets = {1: [listed(URI)]}
    add_row(URI)
    run = set_state(KnownState.INACTIVE, edge.row())
    assert outcome_of_undoing(run)[1] == results.NOT_KNOWN


def test_an_undo_that_many_send_at_once_is_one_run(edge: FakeProxy, loaded: Proxy) -> None:
    run = set_state(KnownState.INACTIVE, loaded)

    def undo(_time: int) -> RunHandle[StateRun]:
        try:
            return services.undo(run, SOMEBODY)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as clicks:
        handles = list(clicks.map(undo, range(8)))
    assert all(each.ended.wait(15) for each in handles if each.is_new)
    assert len({each.run.pk for each in handles}) == 1
    assert [params["state"] for params in edge.commands_of("ds_set_state")] == ["i", "a"]


def test_an_undo_is_recorded_with_both_states(loaded: Proxy) -> None:
    done(services.undo(set_state(KnownState.INACTIVE, loaded), SOMEBODY, "it is back"))
    record = AuditRecord.objects.filter(action="state").latest("pk")
    assert (record.before, record.after) == (
        {"live state on edge-1": "inactive"},
        {"live state on edge-1": "active"},
    )
    assert record.reason == "it is back"


def test_the_page_offers_an_undo_once(operator: Client, edge: FakeProxy, loaded: Proxy) -> None:
    run = set_state(KnownState.INACTIVE, loaded)
    page, undo = (reverse(f"operations:{name}", args=[run.pk]) for name in ("state-run", "undo-state"))
    assert "1 back to active" in operator.get(page).content.decode()
    first = operator.post(undo)
    assert operator.post(undo)["Location"] == first["Location"]
    shown = operator.get(page).content.decode()
    assert "Undone by operator" in shown
    assert 'id="undo"' not in shown
    assert [params["state"] for params in edge.commands_of("ds_set_state")] == ["i", "a"]


def test_where_nothing_can_be_put_back_no_undo_is_offered_or_started(operator: Client, loaded: Proxy) -> None:
    run = set_state(KnownState.ACTIVE, loaded)
    page = operator.get(reverse("operations:state-run", args=[run.pk])).content.decode()
    assert f"1 unchanged: {results.IS_BACK}" in page
    assert 'id="undo"' not in page
    operator.post(reverse("operations:undo-state", args=[run.pk]))
    assert not StateRun.objects.filter(undoes=run).exists()


def test_nothing_is_undone_while_an_answer_may_still_come(operator: Client, loaded: Proxy) -> None:
    now = timezone.now()
    run = StateRun.objects.create(started_at=now, actor="somebody", state=KnownState.INACTIVE)
    for outcome in (StateOutcome.DONE, StateOutcome.WAITING):
        StateResult.objects.create(
            run=run,
            proxy=loaded,
            setid=1,
            uri=URI,
            outcome=outcome,
            state_requested=KnownState.INACTIVE,
            state_before=KnownState.ACTIVE,
            deadline=now + timedelta(minutes=1),
        )
    operator.post(reverse("operations:undo-state", args=[run.pk]))
    assert not StateRun.objects.filter(undoes=run).exists()


def test_undoing_to_probing_is_reported_to_count_a_failure(
    operator: Client, edge: FakeProxy, add_row: AddRow
) -> None:
    edge.sets = {1: [listed(URI, "Probing")]}
    add_row(URI)
    run = set_state(KnownState.ACTIVE, edge.remembered(edge.row()))
    page = operator.get(reverse("operations:state-run", args=[run.pk])).content.decode()
    assert "1 back to probing" in page
    assert "counts as one failure" in page


def test_a_run_of_long_ago_is_not_undone(operator: Client, loaded: Proxy) -> None:
    run = set_state(KnownState.INACTIVE, loaded)
    StateRun.objects.update(started_at=timezone.now() - timedelta(days=8))
    page = operator.get(reverse("operations:state-run", args=[run.pk])).content.decode()
    assert "older than a week" in page
    operator.post(reverse("operations:undo-state", args=[run.pk]))
    assert not StateRun.objects.filter(undoes=run).exists()


def test_an_undo_can_itself_be_undone(edge: FakeProxy, loaded: Proxy) -> None:
    undo = done(services.undo(set_state(KnownState.INACTIVE, loaded), SOMEBODY))
    assert outcome_of_undoing(undo) == (StateOutcome.DONE, "", KnownState.INACTIVE)
    assert [params["state"] for params in edge.commands_of("ds_set_state")] == ["i", "a", "i"]
