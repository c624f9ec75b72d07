"""`manage.py healthy`: what the containers of watcher and worker are asked."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from efcp.jobs.housekeeping import keep_house
from efcp.jobs.selectors import LATE_AFTER
from efcp.proxies.models import WatcherHeartbeat
from efcp.proxies.selectors import WATCHER_SILENT_AFTER

pytestmark = pytest.mark.django_db


def beat(ago: timedelta) -> None:
    now = timezone.now()
    WatcherHeartbeat.objects.create(pk=1, started_at=now - timedelta(days=1), beat_at=now - ago)


def wait_since(ago: timedelta) -> None:
    keep_house.enqueue()
    DBTaskResult.objects.update(enqueued_at=timezone.now() - ago)


def test_a_watcher_that_beats_is_healthy() -> None:
    beat(timedelta(0))
    call_command("healthy", "watch")


@pytest.mark.parametrize("ago", [WATCHER_SILENT_AFTER + timedelta(seconds=1), timedelta(days=2)])
def test_a_watcher_that_stopped_beating_is_not(ago: timedelta) -> None:
    beat(ago)
    with pytest.raises(CommandError, match=r"The watcher gives no sign of life\."):
        call_command("healthy", "watch")


def test_a_watcher_that_never_beat_is_not_healthy() -> None:
    with pytest.raises(CommandError, match=r"The watcher gives no sign of life\."):
        call_command("healthy", "watch")


def test_a_worker_without_work_is_healthy() -> None:
    call_command("healthy", "work")


def test_a_worker_may_leave_a_job_waiting_for_a_while() -> None:
    wait_since(LATE_AFTER - timedelta(minutes=1))
    call_command("healthy", "work")


def test_a_worker_that_leaves_jobs_waiting_is_not_healthy() -> None:
    wait_since(LATE_AFTER + timedelta(minutes=1))
    with pytest.raises(CommandError, match=r"Jobs wait, and none is done\."):
        call_command("healthy", "work")


def test_a_worker_busy_with_a_long_job_is_healthy() -> None:
    wait_since(LATE_AFTER + timedelta(minutes=1))
    keep_house.enqueue()
    running = DBTaskResult.objects.order_by("-enqueued_at")[0]
    running.claim("a worker")
    call_command("healthy", "work")
