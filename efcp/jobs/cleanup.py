"""Cleanup tasks: regular work that keeps the panel's own tables small. Layers above register theirs."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from efcp.jobs.models import UNDER_WAY, JobRun

log = logging.getLogger(__name__)

CleanupTask = Callable[[datetime], int]
"""Do something as of a moment; return the number of rows concerned."""

_tasks: dict[str, CleanupTask] = {}


def register(name: str, cleanup: CleanupTask) -> None:
    """Register a cleanup task (called by an app's ready())."""
    _tasks[name] = cleanup


@task()
def run_cleanup() -> dict[str, int]:
    """Run every cleanup task once; one that fails is logged, and the others still run."""
    now = timezone.now()
    done = {}
    for name, cleanup in _tasks.items():
        try:
            done[name] = cleanup(now)
        except Exception:
            log.exception("The cleanup task %s failed", name)
    return done


RESULTS_KEPT_FOR = timedelta(days=7)


def clear_expired_sessions(now: datetime) -> int:
    """Delete sessions that have expired."""
    deleted, _by_model = Session.objects.filter(expire_date__lt=now).delete()
    return deleted


def prune_job_results(now: datetime) -> int:
    """Delete what finished jobs left behind a week ago."""
    deleted, _by_model = (
        DBTaskResult.objects.finished().filter(finished_at__lt=now - RESULTS_KEPT_FOR).delete()
    )
    return deleted


def prune_job_runs(now: datetime) -> int:
    """Delete jobs and their results a week after they were requested, and those that never ended, later."""
    old = JobRun.objects.filter(requested_at__lt=now - RESULTS_KEPT_FOR)
    ended, _by_model = old.exclude(outcome__in=UNDER_WAY).delete()
    stuck, _by_model = old.filter(requested_at__lt=now - 2 * RESULTS_KEPT_FOR).delete()
    return ended + stuck
