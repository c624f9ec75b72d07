"""What a job tells of itself while it runs, and hears of being cancelled."""

import os
import time

from django.utils import timezone

from efcp.jobs.models import JobRun, Outcome

TELLS_EVERY_S = 0.5


class CancelledError(Exception):
    """Somebody asked for the job to be cancelled."""


class OrphanedError(Exception):
    """The worker that watched over the job is gone."""


class Progress:
    """The progress of one running job.

    A job reports as often as it likes, several times a second at least: the database is written, and asked
    whether to go on, twice a second.
    """

    def __init__(self, job_id: int, every_s: float = TELLS_EVERY_S) -> None:
        self._job = JobRun.objects.filter(pk=job_id, outcome=Outcome.RUNNING)
        self._every_s = every_s
        self._told_at = 0.0
        self._parent = os.getppid()

    def expect(self, total: int, unit: str) -> None:
        """Tell how much there is to do, and in what it is counted."""
        self._job.update(total=total, unit=unit)

    def report(self, done: int, note: str = "") -> None:
        """Tell how much is done, and a line for people.

        Raises CancelledError or OrphanedError where the job is not to go on.
        """
        now = time.monotonic()
        if now - self._told_at < self._every_s:
            return
        self._told_at = now
        if os.getppid() != self._parent:
            raise OrphanedError
        going_on = self._job.filter(cancel_requested=False)
        if not going_on.update(progress=done, note=note[:255], beat_at=timezone.now()):
            raise CancelledError
