"""Running a job in a process of its own, within its limits.

A process of its own, since work on what people upload may take all memory, or break the libraries that read
it: the worker goes on, and tells what became of the job.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress

from django.db.models import QuerySet
from django.utils import timezone
from django_tasks import task

from efcp.configuration import PROJECT_DIR
from efcp.jobs.kinds import JobError, Kind, kind_named
from efcp.jobs.models import JobRun, Outcome
from efcp.jobs.progress import CancelledError, OrphanedError, Progress

LOOKS_EVERY_S = 0.25
BEATS_EVERY_S = 5.0
CANCELS_WITHIN_S = 5.0
"""How long a job has for ending itself once it is cancelled; then it is killed."""


@task()
def run_job(job_id: int) -> None:
    """Run the job in a child process until it ends, is cancelled or meets a limit."""
    now = timezone.now()
    waiting = JobRun.objects.filter(pk=job_id, outcome=Outcome.WAITING)
    if not waiting.update(outcome=Outcome.RUNNING, started_at=now, beat_at=now):
        return
    kind = kind_named(JobRun.objects.get(pk=job_id).kind)
    # A session of its own: Ctrl-C at a terminal is for the worker, which lets the job end.
    child = subprocess.Popen(  # noqa: S603 - our own program, numbers as its arguments
        [sys.executable, str(PROJECT_DIR / "manage.py"), "run_job", str(job_id), str(os.getpid())],
        cwd=PROJECT_DIR,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        why = _watch(child, job_id, kind)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
    _end(job_id, *(why or (Outcome.FAILED, _last_words(child.returncode, kind))))


def work_off(job_id: int) -> None:
    """Do a running job in this process, and store what came of it."""
    job = JobRun.objects.get(pk=job_id)
    kind = kind_named(job.kind)
    try:
        result = kind.work(job.arguments, Progress(job_id))
    except CancelledError:
        _end(job_id, Outcome.CANCELLED, "")
    except OrphanedError:
        _end(job_id, Outcome.FAILED, "The panel's worker was ended before the job was.")
    except MemoryError:
        _end(job_id, Outcome.FAILED, _needs_more_memory(kind))
    except JobError as error:
        _end(job_id, Outcome.FAILED, str(error))
    else:
        _running(job_id).update(outcome=Outcome.DONE, ended_at=timezone.now(), result=result)


def limit_memory(limit: int) -> None:
    """Let this process have `limit` bytes of data: more is a MemoryError.

    Data, not address space: libraries reserve addresses that they never use.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _watch(child: subprocess.Popen[bytes], job_id: int, kind: Kind) -> tuple[Outcome, str] | None:
    """Wait for the child's end; what became of the job where it was not the child that ended it."""
    ends_at = time.monotonic() + kind.limits.time.total_seconds()
    next_beat, killed_at = 0.0, float("inf")
    while True:
        with suppress(subprocess.TimeoutExpired):
            child.wait(LOOKS_EVERY_S)
            return None
        now = time.monotonic()
        if now >= ends_at:
            minutes = kind.limits.time.total_seconds() / 60
            return Outcome.FAILED, f"It took longer than the {minutes:g} minutes that a job may take."
        if now >= killed_at:
            return Outcome.CANCELLED, ""
        if killed_at == float("inf") and _running(job_id).filter(cancel_requested=True).exists():
            killed_at = now + CANCELS_WITHIN_S
        if now >= next_beat:
            next_beat = now + BEATS_EVERY_S
            _running(job_id).update(beat_at=timezone.now())


def _last_words(code: int | None, kind: Kind) -> str:
    """What is told of a child that ended without storing an outcome."""
    if code in {-signal.SIGKILL, -signal.SIGABRT}:
        return f"Its process was killed. {_needs_more_memory(kind)}"
    return f"Its process broke (exit status {code}); the panel's log tells more."


def _needs_more_memory(kind: Kind) -> str:
    return f"It most likely needs more than the {kind.limits.memory // 1_000_000} MB that a job may take."


def _end(job_id: int, outcome: Outcome, message: str) -> None:
    """Store the end, unless it has one."""
    _running(job_id).update(outcome=outcome, message=message[:500], ended_at=timezone.now())


def _running(job_id: int) -> QuerySet[JobRun]:
    return JobRun.objects.filter(pk=job_id, outcome=Outcome.RUNNING)
