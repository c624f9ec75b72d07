"""Reloading proxies: what is sent, read back and reported."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from dispatcher.changes import compare
from efcp.audit.models import AuditRecord
from efcp.modules import reloading
from efcp.modules.registry import ReloadOutcome
from efcp.operations.reloads import services
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.operations.reloads.services import ReloadRequest
from efcp.operations.runs import RunHandle
from efcp.proxies.models import KnownDestination, Proxy
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRow
from tests.factories import ReloadResultFactory, ReloadRunFactory
from tests.operations.conftest import SOMEBODY
from tests.operations.fake_proxy import FakeProxy, Play
from tests.proxies.mi_server import listed, wait_until

URI = "sip:10.0.0.1:5060"
OTHER = "sip:10.0.0.2:5060"


def reload(*proxies: Proxy, **how: object) -> RunHandle[ReloadRun]:
    """Reload and wait until every proxy has answered."""
    started = services.start(proxies, ReloadRequest(**how), SOMEBODY)  # type: ignore[arg-type]
    assert started.ended.wait(15)
    return started


def result_of(started: RunHandle[ReloadRun], proxy: Proxy) -> ReloadResult:
    return started.run.results.get(proxy=proxy)


def has_ended(proxy: Proxy) -> bool:
    return ReloadResult.objects.filter(proxy=proxy, ended_at__isnull=False).exists()


def test_a_reload_shows_what_was_loaded_and_that_nothing_differs(edge: FakeProxy, add_row: AddRow) -> None:
    add_row(URI)
    edge.table, edge.discarded = {1: [URI]}, 2
    proxy = edge.row()
    result = result_of(reload(proxy), proxy)
    assert result.outcome == ReloadOutcome.DONE
    assert (result.loaded, result.discarded, result.differs) == (1, 2, 0)
    assert result.took_ms is not None


def test_what_the_proxy_holds_after_the_reload_is_stored(edge: FakeProxy) -> None:
    edge.table = {1: [URI]}
    reload(edge.row())
    assert [each.uri for each in KnownDestination.objects.all()] == [URI]


def test_what_still_differs_after_a_reload_is_counted(edge: FakeProxy, add_row: AddRow) -> None:
    add_row(URI)
    proxy = edge.row()
    assert result_of(reload(proxy), proxy).differs == 1


def test_a_row_that_was_predicted_to_be_dropped_leaves_no_difference(
    edge: FakeProxy, add_row: AddRow
) -> None:
    add_row("no uri at all")
    proxy = edge.row()
    assert result_of(reload(proxy), proxy).differs == 0


@pytest.mark.parametrize(("inherit_state", "sent"), [(True, "y"), (False, "n")])
def test_the_proxy_is_sent_its_partition_and_whether_to_inherit_states(
    edge: FakeProxy, inherit_state: bool, sent: str
) -> None:
    edge.partition = "west"
    reload(edge.row(partition="west"), inherit_state=inherit_state)
    assert edge.commands_of("ds_reload") == [{"partition": "west", "inherit_state": sent}]


def test_a_refused_reload_is_read_back_too(edge: FakeProxy, add_row: AddRow) -> None:
    add_row(URI)
    edge.reload_refusal, edge.sets = "ERROR Reloading data", {1: [listed(OTHER)]}
    proxy = edge.row()
    result = result_of(reload(proxy), proxy)
    assert result.outcome == ReloadOutcome.REFUSED
    assert "ERROR Reloading data" in result.message
    assert result.differs == 2


def test_a_refused_reload_counts_as_loaded_nothing_that_an_older_load_reported(edge: FakeProxy) -> None:
    edge.reload_refusal = "ERROR Reloading data"
    proxy = edge.row()
    result = result_of(reload(proxy), proxy)
    assert (result.loaded, result.discarded) == (None, None)


def test_a_proxy_that_can_not_be_reached_was_not_reloaded(play: Play) -> None:
    gone = play()
    proxy = gone.row()
    gone.stop()
    result = result_of(reload(proxy), proxy)
    gone.start()
    assert result.outcome == ReloadOutcome.NOT_REACHED
    assert result.read_back_problem


def test_past_its_limit_a_reload_is_unknown_and_not_sent_again(
    edge: FakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "RELOAD_LIMIT_S", 0.3)
    edge.reload_waits = True
    proxy = edge.row()
    result = result_of(reload(proxy), proxy)
    assert result.outcome == ReloadOutcome.UNKNOWN
    assert len(edge.commands_of("ds_reload")) == 1


def test_a_hanging_proxy_delays_the_others_by_nothing(play: Play) -> None:
    hanging, good = play(reload_waits=True), play()
    slow, quick = hanging.row("a-hanging"), good.row("b-good")
    started = services.start([slow, quick], ReloadRequest(), SOMEBODY)
    assert wait_until(lambda: has_ended(quick))
    assert not has_ended(slow)
    hanging.released.set()
    assert started.ended.wait(15)
    assert result_of(started, slow).outcome == ReloadOutcome.DONE


def test_two_who_reload_at_once_share_one_reload(edge: FakeProxy) -> None:
    edge.reload_waits = True
    proxy = edge.row()

    def start(_person: int) -> RunHandle[ReloadRun]:
        try:
            return services.start([proxy], ReloadRequest(), SOMEBODY)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as people:
        started = list(people.map(start, range(8)))
    edge.released.set()
    assert all(each.ended.wait(15) for each in started if each.is_new)
    assert len({each.run.pk for each in started}) == 1
    assert [each.is_new for each in started].count(True) == 1
    assert len(edge.commands_of("ds_reload")) == 1


def test_a_reload_under_way_on_one_proxy_does_not_keep_the_others_from_a_new_one(play: Play) -> None:
    hanging, good = play(reload_waits=True), play()
    slow, quick = hanging.row("a-hanging"), good.row("b-good")
    first = services.start([slow, quick], ReloadRequest(), SOMEBODY)
    assert wait_until(lambda: has_ended(quick))
    second = reload(slow, quick)
    assert result_of(second, slow).outcome == ReloadOutcome.NOT_SENT
    assert result_of(second, quick).outcome == ReloadOutcome.DONE
    hanging.released.set()
    assert first.ended.wait(15)
    assert len(hanging.commands_of("ds_reload")) == 1


def test_proxies_that_two_others_reload_are_named_with_each(play: Play) -> None:
    one, other = play(reload_waits=True), play(reload_waits=True)
    proxies = [one.row("a"), other.row("b")]
    under_way = [services.start([proxy], ReloadRequest(), SOMEBODY) for proxy in proxies]
    third = reload(*proxies)
    assert [result.outcome for result in third.run.results.all()] == [ReloadOutcome.NOT_SENT] * 2
    one.released.set()
    other.released.set()
    assert all(each.ended.wait(15) for each in under_way)


def test_a_reload_can_follow_one_that_has_ended(edge: FakeProxy) -> None:
    proxy = edge.row()
    assert reload(proxy).run != reload(proxy).run
    assert len(edge.commands_of("ds_reload")) == 2


@pytest.fixture
def abandoned(edge: FakeProxy) -> ReloadResult:
    """A result whose process died an hour ago."""
    long_ago = timezone.now() - timedelta(hours=1)
    proxy = edge.row()
    run = ReloadRunFactory.create(started_at=long_ago, actor="somebody")
    return ReloadResultFactory.create(
        run=run,
        proxy=proxy,
        running_key=str(proxy.pk),
        outcome=ReloadOutcome.RUNNING,
        deadline=long_ago + timedelta(seconds=40),
    )


def test_a_result_whose_process_died_is_unknown(abandoned: ReloadResult) -> None:
    assert abandoned.known_outcome() is ReloadOutcome.UNKNOWN


def test_a_proxy_whose_turn_had_not_come_when_the_process_died_was_not_reloaded(
    abandoned: ReloadResult,
) -> None:
    abandoned.outcome = ReloadOutcome.WAITING
    assert abandoned.known_outcome() is ReloadOutcome.NOT_SENT


def test_a_process_that_died_keeps_nobody_from_reloading(abandoned: ReloadResult) -> None:
    started = reload(abandoned.proxy)
    assert started.is_new
    assert result_of(started, abandoned.proxy).outcome == ReloadOutcome.DONE


@pytest.mark.parametrize(("version", "sent"), [("3.4.18", 1), ("3.6.8", 0), ("4.0.1", 0)])
def test_a_row_that_would_break_the_reload_keeps_it_from_being_sent(
    edge: FakeProxy, add_row: AddRow, version: str, sent: int
) -> None:
    add_row(URI, weight="heavy")
    edge.version = f"OpenSIPS ({version} (x86_64/linux))"
    reload(edge.remembered(edge.row()))
    assert len(edge.commands_of("ds_reload")) == sent


def test_a_reload_that_was_not_sent_names_the_row(edge: FakeProxy, add_row: AddRow) -> None:
    row_id = add_row("")
    proxy = edge.remembered(edge.row())
    result = result_of(reload(proxy), proxy)
    assert result.outcome == ReloadOutcome.NOT_SENT
    assert f"Row {row_id} in set 1, destination" in result.message


def test_the_rest_is_reloaded_once_the_first_came_back_clean(play: Play) -> None:
    later, first = play(), play()
    others, head = later.row("a"), first.row("b")
    first.reload_waits = True
    started = services.start([others, head], ReloadRequest(first=head), SOMEBODY)
    assert wait_until(lambda: first.commands_of("ds_reload") != [])
    assert later.commands_of("ds_reload") == []
    first.released.set()
    assert started.ended.wait(15)
    assert len(later.commands_of("ds_reload")) == 1


def test_the_rest_is_left_alone_where_the_first_did_not_come_back_clean(play: Play, add_row: AddRow) -> None:
    add_row(URI)
    first, second = play(), play(table={1: [URI]})
    head, later = first.row("a"), second.row("b")
    started = reload(head, later, first=head)
    assert second.commands_of("ds_reload") == []
    assert result_of(started, later).outcome == ReloadOutcome.NOT_SENT


def test_the_rest_is_left_alone_where_the_first_is_not_sent(play: Play, add_row: AddRow) -> None:
    add_row(URI, weight="heavy")
    strict, lenient = play(version="OpenSIPS (3.6.8 (x86_64/linux))"), play()
    earlier, later = strict.remembered(strict.row("a")), lenient.remembered(lenient.row("b"))
    started = reload(earlier, later, first=earlier)
    assert lenient.commands_of("ds_reload") == []
    assert "a, reloaded first," in result_of(started, later).message


def test_a_proxy_that_is_not_to_be_reloaded_can_not_be_the_first(play: Play) -> None:
    with pytest.raises(ValueError, match="Nothing to reload"):
        services.start([play().row("a")], ReloadRequest(first=play().row("b")), SOMEBODY)


def test_a_reload_is_recorded_with_who_requested_it_and_why(edge: FakeProxy) -> None:
    reload(edge.row(), reason="new gateway")
    record = AuditRecord.objects.get(subject_kind="reload")
    assert (record.actor, record.address, record.reason) == ("somebody", "192.0.2.7", "new gateway")
    assert record.after == {"proxies": ["edge-1"], "inherit_state": True, "first": None}


def test_nothing_is_recorded_where_the_reload_under_way_is_joined(edge: FakeProxy) -> None:
    edge.reload_waits = True
    proxy = edge.row()
    first = services.start([proxy], ReloadRequest(), SOMEBODY)
    services.start([proxy], ReloadRequest(), SOMEBODY)
    edge.released.set()
    assert first.ended.wait(15)
    assert AuditRecord.objects.filter(subject_kind="reload").count() == 1


def test_a_proxy_without_a_readable_list_is_not_read_back(edge: FakeProxy) -> None:
    edge.refusal = "no list today"
    proxy = edge.row()
    result = result_of(reload(proxy), proxy)
    assert result.outcome == ReloadOutcome.DONE
    assert "no list today" in result.read_back_problem
    assert result.differs is None


def test_after_a_reload_the_comparison_finds_nothing(edge: FakeProxy, add_row: AddRow) -> None:
    add_row(URI)
    edge.table = {1: [URI]}
    reload(edge.row())
    assert [changes.count for changes in compare(watched_proxies())] == [0]
