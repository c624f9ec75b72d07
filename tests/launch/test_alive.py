"""`manage.py alive`: the health check of watcher and worker."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from efcp.jobs.cleanup import run_cleanup
from efcp.proxies.models import WatcherHeartbeat

pytestmark = pytest.mark.django_db


def beat(seconds_ago: int) -> None:
    """Store a heartbeat of the watcher."""
    at = timezone.now() - timedelta(seconds=seconds_ago)
    WatcherHeartbeat.objects.create(started_at=at, beat_at=at)


def enqueue(minutes_ago: int) -> None:
    """Leave a job in the queue that nobody has taken."""
    run_cleanup.enqueue()
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(minutes=minutes_ago))


def test_a_watcher_that_beat_just_now_is_alive() -> None:
    beat(5)
    call_command("alive", "watcher")


@pytest.mark.parametrize("seconds_ago", [None, 120])
def test_a_watcher_without_a_recent_beat_is_not(seconds_ago: int | None) -> None:
    if seconds_ago is not None:
        beat(seconds_ago)
    with pytest.raises(CommandError, match="for a minute"):
        call_command("alive", "watcher")


def test_a_worker_whose_jobs_wait_shortly_is_alive() -> None:
    enqueue(1)
    call_command("alive", "worker")


def test_a_worker_whose_job_waits_long_is_not() -> None:
    enqueue(11)
    with pytest.raises(CommandError, match="A job has waited"):
        call_command("alive", "worker")
