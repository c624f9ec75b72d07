"""Reading whether the worker does its work."""

from datetime import datetime, timedelta

from django.utils import timezone
from django_tasks_db.models import DBTaskResult

JOB_IS_TAKEN_WITHIN = timedelta(minutes=10)
"""A job may wait for another one that takes long, a reload's 30 s among them."""


def worker_is_stuck(now: datetime | None = None) -> bool:
    """Whether a job has waited for longer than JOB_IS_TAKEN_WITHIN: the worker is dead or blocked."""
    oldest = (now or timezone.now()) - JOB_IS_TAKEN_WITHIN
    return DBTaskResult.objects.ready().filter(enqueued_at__lt=oldest).exists()
