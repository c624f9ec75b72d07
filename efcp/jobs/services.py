"""Asking for long work, and taking it back."""

from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from efcp.jobs.models import JobRun, Outcome
from efcp.jobs.running import run_job


def start(kind: str, title: str, actor: str, arguments: dict[str, Any]) -> JobRun:
    """Put a job of a registered kind into the queue once the present transaction is done."""
    job = JobRun.objects.create(
        kind=kind, title=title[:255], actor=actor, arguments=arguments, asked_at=timezone.now()
    )
    transaction.on_commit(partial(run_job.enqueue, job.pk))
    return job


def cancel(job: JobRun) -> bool:
    """End a job that waits, or whose worker is gone, at once; ask a running one to end.

    False where it has its end already.
    """
    mine = JobRun.objects.filter(pk=job.pk)
    ended = {"outcome": Outcome.CANCELLED, "ended_at": timezone.now(), "cancel_requested": True}
    if mine.filter(outcome=Outcome.WAITING).update(**ended):
        return True
    if job.is_abandoned(timezone.now()):
        return bool(mine.filter(outcome=Outcome.RUNNING, beat_at=job.beat_at).update(**ended))
    return bool(mine.filter(outcome=Outcome.RUNNING).update(cancel_requested=True))
