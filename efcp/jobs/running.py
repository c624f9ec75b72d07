"""Starting, running and cancelling jobs, each in a process of its own within its limits.

A process of its own, because work on uploaded files may take all memory, or crash the libraries that read
them: the worker goes on, and records the job's outcome.

django-tasks has the queue and the worker; it knows no progress, no cancelling and no limits of memory or
time, and it runs a task inside the worker's process. These four are what is written here.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_tasks import task

from efcp.configuration import PROJECT_DIR
from efcp.jobs.job_types import CancelledError, JobError, JobType, OrphanedError, Progress, job_type_named
from efcp.jobs.models import JobOutcome, JobRun

LOOKS_EVERY_S = 0.25
BEATS_EVERY_S = 5.0
CANCELS_WITHIN_S = 5.0
"""How long a job has for ending itself once it is cancelled; then it is killed."""


@task()
def run_job(job_id: int) -> None:
    """Run the job in a child process until it ends, is cancelled or meets a limit."""
    now = timezone.now()
    waiting = JobRun.objects.filter(pk=job_id, outcome=JobOutcome.WAITING)
    if not waiting.update(outcome=JobOutcome.RUNNING, started_at=now, beat_at=now):
        return
    job_type = job_type_named(JobRun.objects.get(pk=job_id).kind)
    # A session of its own: Ctrl-C at a terminal is for the worker, which lets the job end.
    child = subprocess.Popen(  # noqa: S603 - our own program, numbers as its arguments
        [sys.executable, str(PROJECT_DIR / "manage.py"), "run_job", str(job_id), str(os.getpid())],
        cwd=PROJECT_DIR,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        why = _watch(child, job_id, job_type)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
    _end(job_id, *(why or (JobOutcome.FAILED, _last_words(child.returncode, job_type))))


def execute(job_id: int) -> None:
    """Execute a running job in this process, and store its outcome."""
    job = JobRun.objects.get(pk=job_id)
    job_type = job_type_named(job.kind)
    try:
        result = job_type.work(job.arguments, Progress(job_id))
    except CancelledError:
        _end(job_id, JobOutcome.CANCELLED, "")
    except OrphanedError:
        _end(job_id, JobOutcome.FAILED, "The worker was stopped before the job finished.")
    except MemoryError:
        _end(job_id, JobOutcome.FAILED, _needs_more_memory(job_type))
    except JobError as error:
        _end(job_id, JobOutcome.FAILED, str(error))
    else:
        _running(job_id).update(outcome=JobOutcome.DONE, ended_at=timezone.now(), result=result)


def limit_memory(limit: int) -> None:
    """Let this process have `limit` bytes of data: more is a MemoryError.

    Data, not address space: libraries reserve addresses that they never use.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _watch(child: subprocess.Popen[bytes], job_id: int, job_type: JobType) -> tuple[JobOutcome, str] | None:
    """Wait for the child's end; return the job's outcome unless the child itself stored it."""
    ends_at = time.monotonic() + job_type.limits.time.total_seconds()
    next_beat, killed_at = 0.0, float("inf")
    while True:
        with suppress(subprocess.TimeoutExpired):
            child.wait(LOOKS_EVERY_S)
            return None
        now = time.monotonic()
        if now >= ends_at:
            minutes = job_type.limits.time.total_seconds() / 60
            return JobOutcome.FAILED, f"Stopped: exceeded the time limit of {minutes:g} minutes."
        if now >= killed_at:
            return JobOutcome.CANCELLED, ""
        if killed_at == float("inf") and _running(job_id).filter(cancel_requested=True).exists():
            killed_at = now + CANCELS_WITHIN_S
        if now >= next_beat:
            next_beat = now + BEATS_EVERY_S
            _running(job_id).update(beat_at=timezone.now())


def _last_words(code: int | None, job_type: JobType) -> str:
    """What is recorded of a child that ended without storing an outcome."""
    if code in {-signal.SIGKILL, -signal.SIGABRT}:
        return f"Its process was killed. {_needs_more_memory(job_type)}"
    return f"Its process failed (exit status {code}); see the panel's log."


def _needs_more_memory(job_type: JobType) -> str:
    return f"It probably exceeded the memory limit of {job_type.limits.memory // 1_000_000:,} MB."


def _end(job_id: int, outcome: JobOutcome, message: str) -> None:
    """Store the end, unless it has one."""
    _running(job_id).update(outcome=outcome, message=message[:500], ended_at=timezone.now())


def _running(job_id: int) -> QuerySet[JobRun]:
    return JobRun.objects.filter(pk=job_id, outcome=JobOutcome.RUNNING)


def start(kind: str, title: str, actor: str, arguments: dict[str, Any]) -> JobRun:
    """Put a job of a registered kind into the queue once the present transaction is done."""
    job = JobRun.objects.create(
        kind=kind, title=title[:255], actor=actor, arguments=arguments, requested_at=timezone.now()
    )
    transaction.on_commit(partial(run_job.enqueue, job.pk))
    return job


def cancel(job: JobRun) -> bool:
    """End a job that waits, or whose worker is gone, at once; ask a running one to end.

    False where it has its end already.
    """
    rows = JobRun.objects.filter(pk=job.pk)
    ended = {"outcome": JobOutcome.CANCELLED, "ended_at": timezone.now(), "cancel_requested": True}
    if rows.filter(outcome=JobOutcome.WAITING).update(**ended):
        return True
    if job.is_abandoned(timezone.now()):
        return bool(rows.filter(outcome=JobOutcome.RUNNING, beat_at=job.beat_at).update(**ended))
    return bool(rows.filter(outcome=JobOutcome.RUNNING).update(cancel_requested=True))
