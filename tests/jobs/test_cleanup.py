"""The regular tasks: which there are, that one that fails does not keep the others from being done."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django.fixtures import Settings

from efcp.accounts.models import FailedLogins
from efcp.jobs import cleanup
from efcp.jobs.cleanup import run_cleanup
from efcp.jobs.management.commands import work
from efcp.operations.reloads.models import ReloadRun
from efcp.operations.states.models import StateRun
from efcp.proxies.models import HistoryGap, StateChange
from tests.factories import ProxyFactory, ReloadRunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_more_tasks() -> Iterator[list[datetime]]:
    """Register a task that fails and, after it, one that notes when it was done; take both back after."""
    done: list[datetime] = []

    def fail(_now: datetime) -> int:
        raise RuntimeError("the broom is broken")

    def note(now: datetime) -> int:
        done.append(now)
        return 7

    kept = dict(cleanup._tasks)
    cleanup.register("fails", fail)
    cleanup.register("works", note)
    yield done
    cleanup._tasks.clear()
    cleanup._tasks.update(kept)


def test_every_floor_has_its_tasks_done() -> None:
    tasks = {"sessions", "job results", "job runs", "wrong tries", "state changes", "runs", "call logs"}
    assert tasks <= run_cleanup.func().keys()


def test_a_task_that_fails_is_logged_and_does_not_stop_the_next(
    two_more_tasks: list[datetime], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        done = run_cleanup.func()
    assert done["works"] == len(two_more_tasks) * 7 == 7
    assert "fails" not in done
    assert "The cleanup task fails failed" in caplog.text


def days_ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


def test_of_changes_of_state_no_more_are_kept_than_is_set(settings: Settings) -> None:
    settings.WATCHING = replace(settings.WATCHING, history_rows=3)
    proxy = ProxyFactory.create(name="edge-1")
    StateChange.objects.bulk_create(
        StateChange(proxy=proxy, setid=1, uri="sip:a", uri_key="sip:a", at=days_ago(each))
        for each in range(5, 0, -1)
    )
    assert run_cleanup.func()["state changes"] == 2
    assert [(timezone.now() - each.at).days for each in StateChange.objects.order_by("pk")] == [3, 2, 1]


def test_gaps_go_with_the_changes_around_them() -> None:
    proxy = ProxyFactory.create(name="edge-1")
    for age in (401, 399):
        HistoryGap.objects.create(proxy=proxy, begin=days_ago(age), end=days_ago(age), why="Nobody looked.")
    run_cleanup.func()
    assert [(timezone.now() - each.end).days for each in HistoryGap.objects.all()] == [399]


def test_changes_of_state_are_kept_for_400_days() -> None:
    proxy = ProxyFactory.create(name="edge-1")
    for days in (399, 401):
        StateChange.objects.create(
            proxy=proxy, partition="default", setid=1, uri="sip:a", uri_key="sip:a", at=days_ago(days)
        )
    assert run_cleanup.func()["state changes"] == 1
    assert StateChange.objects.get().at > days_ago(400)


def test_runs_are_kept_for_400_days() -> None:
    for days in (399, 401):
        ReloadRunFactory.create(started_at=days_ago(days), actor="anna")
        StateRun.objects.create(started_at=days_ago(days), actor="anna", state="active")
    assert run_cleanup.func()["runs"] == 2
    assert (ReloadRun.objects.count(), StateRun.objects.count()) == (1, 1)


def test_counts_of_wrong_tries_are_forgotten_after_a_day() -> None:
    FailedLogins.objects.create(key="account:old", last_at=days_ago(2))
    FailedLogins.objects.create(key="account:new", last_at=timezone.now())
    assert run_cleanup.func()["wrong tries"] == 1
    assert FailedLogins.objects.get().key == "account:new"


def test_expired_sessions_are_deleted() -> None:
    Session.objects.create(session_key="old", session_data="", expire_date=days_ago(1))
    Session.objects.create(session_key="new", session_data="", expire_date=days_ago(-1))
    run_cleanup.func()
    assert Session.objects.get().session_key == "new"


@pytest.mark.django_db(transaction=True)
def test_a_cleanup_that_the_version_before_queued_fails_once_and_the_next_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_cleanup.enqueue()
    DBTaskResult.objects.update(task_path="efcp.jobs.housekeeping.keep_house")
    with caplog.at_level(logging.ERROR):
        work._look(work._worker())
    done = DBTaskResult.objects.order_by("enqueued_at").values_list("task_path", "status")
    assert list(done) == [
        ("efcp.jobs.housekeeping.keep_house", "FAILED"),
        (run_cleanup.module_path, "SUCCESSFUL"),
    ]
    assert len(caplog.records) == 1
