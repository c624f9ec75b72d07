"""Setting live states: what is sent, read back and reported."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from dispatcher.models import Destination
from efcp.audit.models import AuditRecord
from efcp.operations.runs import RunHandle
from efcp.operations.states import results, selectors, sending, services
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import KnownState, Proxy, StateChange
from efcp.proxies.reconcile import Cause
from efcp.proxies.selectors import watched_proxies
from efcp.sip.uri import uri_key
from tests.conftest import AddRow
from tests.factories import ReloadResultFactory, ReloadRunFactory
from tests.operations.conftest import SOMEBODY
from tests.operations.fake_proxy import FakeProxy, Play
from tests.proxies.mi_server import listed, wait_until

URI = "sip:10.0.0.1:5060"
OTHER = "sip:10.0.0.2:5060"


def rows_of(*ids: int) -> list[Destination]:
    return list(Destination.objects.filter(pk__in=ids))


def set_state(state: KnownState, ids: list[int], *proxies: Proxy, reason: str = "") -> StateRun:
    """Set a state and wait until every proxy has answered."""
    handle = services.begin(rows_of(*ids), state, proxies, SOMEBODY, reason)
    assert handle.ended.wait(15)
    return handle.run


@pytest.fixture
def loaded(edge: FakeProxy) -> Proxy:
    """The row of a proxy that holds URI and OTHER in set 1, and the panel knows it."""
    edge.sets = {1: [listed(URI), listed(OTHER)]}
    return edge.remembered(edge.row())


def test_a_state_that_is_set_is_read_back(loaded: Proxy, add_row: AddRow) -> None:
    result = set_state(KnownState.INACTIVE, [add_row(URI)], loaded).results.get()
    assert result.outcome == StateOutcome.DONE
    assert (result.state_before, result.state_after) == (KnownState.ACTIVE, KnownState.INACTIVE)


def test_a_result_waits_for_its_whole_time_and_is_unknown_after_it(loaded: Proxy, add_row: AddRow) -> None:
    run = set_state(KnownState.INACTIVE, [add_row(URI)], loaded)
    result = run.results.get()
    assert result.deadline == run.started_at + services.DEADLINE
    result.outcome = StateOutcome.WAITING
    assert result.known_outcome(run.started_at) == StateOutcome.WAITING
    assert result.known_outcome(run.started_at + services.DEADLINE) == StateOutcome.WAITING
    later = run.started_at + services.DEADLINE + timedelta(seconds=1)
    assert result.known_outcome(later) == StateOutcome.UNKNOWN


def test_the_proxy_is_sent_partition_set_and_uri(edge: FakeProxy, add_row: AddRow) -> None:
    edge.partition, edge.sets = "west", {7: [listed(URI)]}
    proxy = edge.remembered(edge.row(partition="west"))
    set_state(KnownState.PROBING, [add_row(URI, setid=7)], proxy)
    assert edge.commands_of("ds_set_state") == [{"state": "p", "group": "west:7", "address": URI}]


def test_what_a_proxy_has_not_loaded_is_reported_and_not_sent(
    edge: FakeProxy, loaded: Proxy, add_row: AddRow
) -> None:
    result = set_state(KnownState.INACTIVE, [add_row("sip:10.9.9.9:5060")], loaded).results.get()
    assert result.outcome == StateOutcome.NOT_IN_MEMORY
    assert edge.commands_of("ds_set_state") == []


def test_a_proxy_never_read_is_sent_the_state_all_the_same(edge: FakeProxy, add_row: AddRow) -> None:
    edge.sets = {1: [listed(URI)]}
    result = set_state(KnownState.INACTIVE, [add_row(URI)], edge.row()).results.get()
    assert (result.outcome, result.state_after) == (StateOutcome.DONE, KnownState.INACTIVE)


def test_each_destination_and_proxy_has_a_result_of_its_own(play: Play, add_row: AddRow) -> None:
    first, second = play(sets={1: [listed(URI), listed(OTHER)]}), play(sets={1: [listed(URI)]})
    proxies = [first.remembered(first.row("a")), second.remembered(second.row("b"))]
    run = set_state(KnownState.INACTIVE, [add_row(URI), add_row(OTHER)], *proxies)
    outcomes = {(result.proxy.name, result.uri): result.outcome for result in run.results.all()}
    assert outcomes == {
        ("a", URI): StateOutcome.DONE,
        ("a", OTHER): StateOutcome.DONE,
        ("b", URI): StateOutcome.DONE,
        ("b", OTHER): StateOutcome.NOT_IN_MEMORY,
    }


def test_a_refusal_is_shown_in_the_proxys_words(edge: FakeProxy, loaded: Proxy, add_row: AddRow) -> None:
    edge.sets = {}
    result = set_state(KnownState.INACTIVE, [add_row(URI)], loaded).results.get()
    assert result.outcome == StateOutcome.REFUSED
    assert "destination not found" in result.message


def test_a_hanging_proxy_delays_the_others_by_nothing(play: Play, add_row: AddRow) -> None:
    hanging, good = play(sets={1: [listed(URI)]}), play(sets={1: [listed(URI)]})
    slow, quick = hanging.remembered(hanging.row("a")), good.remembered(good.row("b"))
    hanging.hangs = True
    rows = rows_of(add_row(URI))
    handle = services.begin(rows, KnownState.INACTIVE, [slow, quick], SOMEBODY)

    def outcome_on(proxy: Proxy) -> str:
        return StateResult.objects.get(run=handle.run, proxy=proxy).outcome

    assert wait_until(lambda: outcome_on(quick) == StateOutcome.DONE)
    assert outcome_on(slow) == StateOutcome.WAITING
    hanging.stop()
    assert handle.ended.wait(15)
    hanging.start()


def test_a_proxy_that_does_not_answer_is_sent_no_further_calls_than_those_under_way(
    edge: FakeProxy, add_row: AddRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LIMIT_S", 2.0)
    uris = [f"sip:10.0.1.{number}:5060" for number in range(sending.CALLS_AT_ONCE + 3)]
    edge.sets = {1: [listed(uri) for uri in uris]}
    proxy = edge.remembered(edge.row())
    edge.hangs = True
    run = set_state(KnownState.INACTIVE, [add_row(uri) for uri in uris], proxy)
    outcomes = Counter(run.results.values_list("outcome", flat=True))
    assert outcomes == {StateOutcome.UNKNOWN: sending.CALLS_AT_ONCE, StateOutcome.NOT_ATTEMPTED: 3}


def test_two_rows_of_one_set_and_uri_are_set_once(edge: FakeProxy, loaded: Proxy, add_row: AddRow) -> None:
    first = add_row(URI)
    Destination.objects.create(setid=1, destination=URI.upper(), attrs="", description="")
    run = set_state(KnownState.PROBING, list(Destination.objects.values_list("pk", flat=True)), loaded)
    assert [params["address"] for params in edge.commands_of("ds_set_state")] == [URI]
    assert run.results.count() == 1
    assert [record.subject_id for record in AuditRecord.objects.filter(action="state")] == [str(first)]


def test_one_form_that_many_send_at_once_is_one_run(edge: FakeProxy, loaded: Proxy, add_row: AddRow) -> None:
    rows = rows_of(add_row(URI))

    def begin(_time: int) -> RunHandle[StateRun]:
        try:
            return services.begin(rows, KnownState.PROBING, [loaded], SOMEBODY, form_key="form-1")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as clicks:
        handles = list(clicks.map(begin, range(8)))
    assert all(each.ended.wait(15) for each in handles if each.is_new)
    assert len({each.run.pk for each in handles}) == 1
    assert len(edge.commands_of("ds_set_state")) == 1


def test_another_choice_from_the_same_form_is_sent(edge: FakeProxy, loaded: Proxy, add_row: AddRow) -> None:
    rows = rows_of(add_row(URI))
    for state in (KnownState.INACTIVE, KnownState.ACTIVE):
        assert services.begin(rows, state, [loaded], SOMEBODY, form_key="form-1").ended.wait(15)
    assert [params["state"] for params in edge.commands_of("ds_set_state")] == ["i", "a"]


def test_a_result_whose_process_died_is_unknown(loaded: Proxy) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    run = StateRun.objects.create(started_at=long_ago, actor="somebody", state=KnownState.INACTIVE)
    StateResult.objects.create(run=run, proxy=loaded, setid=1, uri=URI, deadline=long_ago)
    (line,) = results.result_lines(run, watched_proxies())
    assert line.outcome is StateOutcome.UNKNOWN


def test_setting_a_state_is_recorded_with_what_was_before_on_each_proxy(
    loaded: Proxy, add_row: AddRow
) -> None:
    set_state(KnownState.INACTIVE, [add_row(URI)], loaded, reason="carrier's maintenance")
    record = AuditRecord.objects.get(action="state")
    assert (record.subject_kind, record.actor, record.reason) == (
        "dispatcher",
        "somebody",
        "carrier's maintenance",
    )
    assert record.before == {"live state on edge-1": "active"}
    assert record.after == {"live state on edge-1": "inactive"}


def test_nothing_is_recorded_where_nothing_was_sent(loaded: Proxy, add_row: AddRow) -> None:
    set_state(KnownState.INACTIVE, [add_row("sip:10.9.9.9:5060")], loaded)
    assert not AuditRecord.objects.filter(action="state").exists()


def test_the_table_keeps_its_initial_state(loaded: Proxy, add_row: AddRow) -> None:
    row_id = add_row(URI)
    set_state(KnownState.INACTIVE, [row_id], loaded)
    assert Destination.objects.get(pk=row_id).state == 0


@pytest.fixture
def set_inactive(loaded: Proxy, add_row: AddRow) -> StateRun:
    """A run that set URI inactive a moment ago."""
    return set_state(KnownState.INACTIVE, [add_row(URI)], loaded)


def turned_active(run: StateRun, proxy: Proxy, after_s: float, cause: Cause = Cause.UNKNOWN) -> None:
    """Have the watcher have seen URI go from inactive to active that long after the run began."""
    StateChange.objects.create(
        proxy=proxy,
        partition="default",
        setid=1,
        uri=URI,
        uri_key=uri_key(URI),
        at=run.started_at + timedelta(seconds=after_s),
        state_before=KnownState.INACTIVE,
        state_after=KnownState.ACTIVE,
        cause=cause,
    )


@pytest.mark.parametrize(("after_s", "is_reported"), [(12, True), (31, True), (36, False)])
def test_a_late_reply_that_turned_it_back_within_a_transactions_time_is_reported(
    set_inactive: StateRun, loaded: Proxy, after_s: float, is_reported: bool
) -> None:
    turned_active(set_inactive, loaded, after_s)
    (line,) = results.result_lines(set_inactive, watched_proxies())
    assert line.turned_back is is_reported


def test_somebody_who_sets_it_active_again_is_no_late_reply(
    set_inactive: StateRun, loaded: Proxy, add_row: AddRow
) -> None:
    set_state(KnownState.ACTIVE, list(Destination.objects.values_list("pk", flat=True)), loaded)
    turned_active(set_inactive, loaded, 12)
    (line,) = results.result_lines(set_inactive, watched_proxies())
    assert not line.turned_back


@pytest.mark.parametrize("cause", list(Cause))
def test_only_what_may_be_a_probes_doing_is_a_late_reply(
    set_inactive: StateRun, loaded: Proxy, cause: Cause
) -> None:
    turned_active(set_inactive, loaded, 12, cause)
    (line,) = results.result_lines(set_inactive, watched_proxies())
    assert line.turned_back is (cause in {Cause.PROBING, Cause.UNKNOWN})


@pytest.mark.parametrize(("inherit_state", "is_reported"), [(True, True), (False, False)])
def test_a_reload_that_takes_the_initial_states_is_no_late_reply(
    set_inactive: StateRun, loaded: Proxy, inherit_state: bool, is_reported: bool
) -> None:
    started_at = set_inactive.started_at + timedelta(seconds=5)
    run = ReloadRunFactory.create(started_at=started_at, actor="somebody", inherit_state=inherit_state)
    ReloadResultFactory.create(run=run, proxy=loaded, deadline=started_at)
    turned_active(set_inactive, loaded, 12)
    (line,) = results.result_lines(set_inactive, watched_proxies())
    assert line.turned_back is is_reported


def test_what_was_set_inactive_is_watched_for_a_transactions_time(set_inactive: StateRun) -> None:
    lines = results.result_lines(set_inactive, watched_proxies())
    assert results.is_watched(set_inactive, lines)
    set_inactive.started_at -= timedelta(seconds=36)
    assert not results.is_watched(set_inactive, lines)


def test_the_sets_that_would_be_left_without_an_active_destination_are_named(
    edge: FakeProxy, add_row: AddRow
) -> None:
    edge.sets = {1: [listed(URI), listed(OTHER)], 2: [listed(URI), listed(OTHER, "Inactive")]}
    proxy = edge.remembered(edge.row())
    rows = rows_of(add_row(URI, setid=1), add_row(URI, setid=2))
    emptied = selectors.emptied_sets(rows, [proxy])
    assert [(each.setid, each.proxy) for each in emptied] == [(2, proxy)]


def test_a_second_destination_of_the_same_uri_keeps_a_set_from_being_empty(
    edge: FakeProxy, add_row: AddRow
) -> None:
    edge.sets = {1: [listed(URI), listed(URI)]}
    proxy = edge.remembered(edge.row())
    assert selectors.emptied_sets(rows_of(add_row(URI)), [proxy]) == []
