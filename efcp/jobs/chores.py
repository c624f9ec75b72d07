"""Chores for the tables of Django's own parts."""

from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django_tasks_db.models import DBTaskResult

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
