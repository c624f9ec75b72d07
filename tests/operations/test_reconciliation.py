"""What a run left open is settled: its process ended, or its proxy answered again only later."""

import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher.models import Destination
from efcp.modules.registry import ReloadOutcome
from efcp.operations import reconciliation
from efcp.operations.reloads.models import ReloadResult
from efcp.operations.runs import is_gone, this_process
from efcp.operations.states import results
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, ProxyLoad
from tests.conftest import AddRow
from tests.dispatcher.conftest import hold, make_proxy
from tests.factories import ReloadResultFactory, ReloadRunFactory
from tests.operations.conftest import URI


@pytest.fixture
def hung(proxy: Proxy, add_row: AddRow) -> StateResult:
    """A request to set URI inactive that was given up a minute ago; the proxy holds it active."""
    add_row(URI)
    now = timezone.now()
    run = StateRun.objects.create(
        started_at=now - timedelta(seconds=63), actor="ann", state="inactive", process=this_process()
    )
    return StateResult.objects.create(
        run=run,
        proxy=proxy,
        partition="default",
        setid=1,
        uri=URI,
        outcome=StateOutcome.UNKNOWN,
        state_requested="inactive",
        state_before="active",
        deadline=now,
        ended_at=now - timedelta(seconds=60),
        column_before=0,
    )


def read_back(proxy: Proxy, state: str, requested_at: datetime) -> None:
    """Have the watcher read the proxy's list."""
    KnownDestination.objects.filter(proxy=proxy).update(state=state)
    ProxyContact.objects.filter(proxy=proxy).update(requested_at=requested_at, answered_at=requested_at)


def given_up_at(result: StateResult) -> datetime:
    """When the answer was waited for no longer."""
    assert result.ended_at is not None
    return result.ended_at


def settled(result: StateResult) -> StateResult:
    reconciliation.reconcile(timezone.now())
    result.refresh_from_db()
    return result


def test_a_request_without_an_answer_is_settled_by_a_later_list(hung: StateResult) -> None:
    read_back(hung.proxy, "inactive", given_up_at(hung) + timedelta(seconds=5))
    result = settled(hung)
    assert (result.outcome, result.state_after) == (StateOutcome.DONE, "inactive")
    assert "No reply" in result.message


def test_a_list_requested_before_the_timeout_settles_nothing(hung: StateResult) -> None:
    read_back(hung.proxy, "inactive", given_up_at(hung) - timedelta(seconds=1))
    assert settled(hung).outcome == StateOutcome.UNKNOWN


@pytest.fixture
def member(hung: StateResult, transactional_db: None) -> StateResult:
    """The other member of the hung proxy's cluster: it was not read back."""
    other = make_proxy("edge-2")
    hold(other, URI, state="active")
    hung.pk, hung.proxy, hung.outcome = None, other, StateOutcome.THROUGH
    hung.save(force_insert=True)
    return hung


def test_a_member_that_was_not_read_is_reconciled_by_a_later_list(member: StateResult) -> None:
    assert reconciliation.is_unreconciled([member], timezone.now())
    read_back(member.proxy, "inactive", given_up_at(member) + timedelta(seconds=5))
    result = settled(member)
    assert (result.outcome, result.state_after) == (StateOutcome.THROUGH, "inactive")
    assert result.message == "State at a later read: inactive."
    assert not reconciliation.is_unreconciled([result], timezone.now())


def test_a_member_that_did_not_follow_yet_has_some_time(member: StateResult) -> None:
    back_at = given_up_at(member) + timedelta(seconds=10)
    read_back(member.proxy, "active", back_at)
    assert settled(member).reconciled_at is None
    read_back(member.proxy, "active", back_at + reconciliation.CARRIED_OUT_WITHIN)
    assert (settled(member).state_after, member.outcome) == ("active", StateOutcome.THROUGH)


def test_a_member_that_was_read_back_with_the_state_is_left_alone(member: StateResult) -> None:
    StateResult.objects.filter(pk=member.pk).update(state_after="inactive")
    read_back(member.proxy, "active", timezone.now())
    result = settled(member)
    assert (result.reconciled_at, result.state_after) == (None, "inactive")


def test_the_undo_restores_what_was_settled(hung: StateResult) -> None:
    read_back(hung.proxy, "inactive", timezone.now())
    settled(hung)
    assert results.undo_plan(hung.run).back == (("active", 1),)


def test_the_undo_names_what_is_not_settled(hung: StateResult) -> None:
    assert results.undo_plan(hung.run).left == ((results.NOT_RECONCILED, 1),)


def test_a_proxy_that_answers_again_and_did_nothing_has_no_effect_only_after_a_while(
    hung: StateResult,
) -> None:
    back_at = given_up_at(hung) + timedelta(seconds=10)
    read_back(hung.proxy, "active", back_at)
    assert settled(hung).outcome == StateOutcome.UNKNOWN
    read_back(hung.proxy, "active", back_at + reconciliation.CARRIED_OUT_WITHIN)
    assert settled(hung).outcome == StateOutcome.NO_EFFECT


def test_another_state_than_requested_or_before_is_not_explained(hung: StateResult) -> None:
    read_back(hung.proxy, "probing", timezone.now())
    result = settled(hung)
    assert result.outcome == StateOutcome.UNKNOWN
    assert result.reconciled_at is not None
    assert results.undo_plan(hung.run).left == ((results.AMBIGUOUS, 1),)


def test_the_runs_page_waits_for_the_proxy_and_shows_what_came_of_it(
    hung: StateResult, operator: Client
) -> None:
    page = reverse("operations:state-run", args=[hung.run_id])
    assert "every 2s" in operator.get(page).content.decode()
    read_back(hung.proxy, "inactive", timezone.now())
    settled(hung)
    text = operator.get(page).content.decode()
    assert "later read" in text
    assert "back to active" in text


def test_the_table_is_reported_as_changed_where_the_proxy_wrote_into_it(
    hung: StateResult, operator: Client
) -> None:
    page = reverse("operations:state-run", args=[hung.run_id])
    words = "The table&#x27;s initial state is now inactive"
    assert words.replace("&#x27;", "'") not in operator.get(page).content.decode()
    Destination.objects.update(state=1)
    assert words.replace("&#x27;", "'") in operator.get(page).content.decode()


def gone_process() -> str:
    """The name of a process of this host that has ended."""
    code = "from efcp.operations.runs import this_process; print(this_process())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_process_is_gone_when_it_ended_and_unknown_on_another_host() -> None:
    assert not is_gone(this_process())
    assert is_gone(gone_process())
    assert not is_gone("elsewhere/1/1")
    assert not is_gone("")


@pytest.mark.parametrize(
    ("before", "after"),
    [(ReloadOutcome.RUNNING, ReloadOutcome.UNKNOWN), (ReloadOutcome.WAITING, ReloadOutcome.NOT_SENT)],
)
def test_a_reload_whose_process_ended_is_closed_at_once(
    proxy: Proxy, before: ReloadOutcome, after: ReloadOutcome
) -> None:
    now = timezone.now()
    run = ReloadRunFactory.create(started_at=now, actor="ann", process=gone_process())
    mine = ReloadRunFactory.create(started_at=now, actor="bob", process=this_process())
    for one, key in ((run, "a"), (mine, "b")):
        ReloadResultFactory.create(
            run=one, proxy=proxy, outcome=before, deadline=now + timedelta(minutes=1), running_key=key
        )
    reconciliation.close_abandoned(now)
    closed = run.results.get()
    assert (closed.outcome, closed.running_key) == (after, None)
    assert closed.ended_at is not None
    assert mine.results.get().ended_at is None


def test_a_state_whose_process_ended_is_unknown_until_it_is_read_back(hung: StateResult) -> None:
    StateRun.objects.update(process=gone_process())
    StateResult.objects.update(
        outcome=StateOutcome.WAITING, ended_at=None, deadline=timezone.now() + timedelta(minutes=1)
    )
    assert settled(hung).outcome == StateOutcome.UNKNOWN
    read_back(hung.proxy, "inactive", timezone.now())
    assert settled(hung).outcome == StateOutcome.DONE


@pytest.fixture
def silent_reload(proxy: Proxy) -> ReloadResult:
    """A reload that was given up a minute ago."""
    now = timezone.now()
    run = ReloadRunFactory.create(started_at=now - timedelta(seconds=90), actor="ann")
    return ReloadResultFactory.create(
        run=run,
        proxy=proxy,
        outcome=ReloadOutcome.UNKNOWN,
        deadline=now,
        ended_at=now - timedelta(seconds=60),
    )


def report(result: ReloadResult, requested_s_after: float, **load: Any) -> None:
    """Have the watcher read the proxy's reports so long after the reload was given up."""
    assert result.ended_at is not None
    ProxyLoad.objects.update_or_create(
        proxy=result.proxy,
        module="dispatcher",
        partition="default",
        defaults={"reports_requested_at": result.ended_at + timedelta(seconds=requested_s_after), **load},
    )


def reload_settled(result: ReloadResult) -> tuple[str, str]:
    reconciliation.reconcile(timezone.now())
    result.refresh_from_db()
    return result.outcome, result.message


def test_a_reload_without_an_answer_is_settled_by_the_proxys_report(silent_reload: ReloadResult) -> None:
    report(
        silent_reload,
        5,
        started_at=silent_reload.run.started_at + timedelta(seconds=50),
        loaded=7,
        discarded=1,
    )
    outcome, message = reload_settled(silent_reload)
    assert (outcome, silent_reload.loaded, silent_reload.discarded) == (ReloadOutcome.DONE, 7, 1)
    assert "reports a load at" in message


def test_an_older_load_settles_nothing_until_the_proxy_has_had_time(silent_reload: ReloadResult) -> None:
    before = silent_reload.run.started_at - timedelta(minutes=5)
    report(silent_reload, 5, started_at=before)
    assert reload_settled(silent_reload)[0] == ReloadOutcome.UNKNOWN
    report(silent_reload, 5 + reconciliation.CARRIED_OUT_WITHIN.total_seconds(), started_at=before)
    assert reload_settled(silent_reload)[0] == ReloadOutcome.NO_EFFECT


def test_a_load_that_failed_is_reported(silent_reload: ReloadResult) -> None:
    report(silent_reload, 5, failed_at=silent_reload.run.started_at + timedelta(seconds=50))
    assert reload_settled(silent_reload)[0] == ReloadOutcome.REFUSED


def test_a_later_reload_hides_what_came_of_it(silent_reload: ReloadResult) -> None:
    later = ReloadRunFactory.create(
        started_at=silent_reload.run.started_at + timedelta(seconds=70), actor="bob"
    )
    ReloadResultFactory.create(
        run=later,
        proxy=silent_reload.proxy,
        outcome=ReloadOutcome.DONE,
        deadline=timezone.now(),
        ended_at=later.started_at,
    )
    report(silent_reload, 20, started_at=later.started_at)
    outcome, message = reload_settled(silent_reload)
    assert (outcome, "a later reload by bob" in message) == (ReloadOutcome.UNKNOWN, True)
