"""The types of long jobs, which layers above register, and how a running job reports its progress."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from efcp.jobs.models import JobOutcome, JobRun

REPORT_EVERY_S = 0.5


class CancelledError(Exception):
    """Somebody asked for the job to be cancelled."""


class OrphanedError(Exception):
    """The worker that watched over the job is gone."""


class Progress:
    """The progress of one running job.

    A job reports as often as it likes, several times a second at least: the database is written, and asked
    whether to go on, twice a second.
    """

    def __init__(self, job_id: int, every_s: float = REPORT_EVERY_S) -> None:
        self._job = JobRun.objects.filter(pk=job_id, outcome=JobOutcome.RUNNING)
        self._every_s = every_s
        self._reported_at = 0.0
        self._parent = os.getppid()

    def expect(self, total: int, unit: str) -> None:
        """Report how much there is to do, and in what it is counted."""
        self._job.update(total=total, unit=unit)

    def report(self, done: int, note: str = "") -> None:
        """Report how much is done, and a line for people.

        Raises CancelledError or OrphanedError where the job is not to go on.
        """
        now = time.monotonic()
        if now - self._reported_at < self._every_s:
            return
        self._reported_at = now
        if os.getppid() != self._parent:
            raise OrphanedError
        going_on = self._job.filter(cancel_requested=False)
        if not going_on.update(progress=done, note=note[:255], beat_at=timezone.now()):
            raise CancelledError


Work = Callable[[dict[str, Any], Progress], dict[str, Any]]
"""Do the job with its arguments, report the progress, return its result; both are plain JSON values.

Raises JobError with a message for people.
"""


class JobError(Exception):
    """The job can't be done; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What a job may take: `memory` in bytes of its process's data, `time` from its start to its end."""

    memory: int
    time: timedelta


@dataclass(frozen=True, slots=True)
class JobType:
    """One type of job."""

    name: str
    work: Work
    limits: JobLimits


_job_types: dict[str, JobType] = {}


def register(job_type: JobType) -> None:
    """Register a type of job (called by an app's ready())."""
    _job_types[job_type.name] = job_type


def job_type_named(name: str) -> JobType:
    """The job type of that name; raises KeyError."""
    return _job_types[name]
