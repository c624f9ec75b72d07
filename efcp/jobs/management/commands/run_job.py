"""`manage.py run_job ID WORKER`: one job in this process, as the worker starts it."""

import os
import signal
import threading
import time
from typing import Any

from django.core.management.base import CommandParser

from efcp.commands import PanelCommand
from efcp.jobs.job_types import job_type_named
from efcp.jobs.models import JobRun
from efcp.jobs.running import execute, limit_memory

LOOKS_EVERY_S = 1.0
ENDS_WITHIN_S = 3.0
"""How long a job has for telling its own end, once its worker is gone."""


class Command(PanelCommand):
    """The inner side of efcp.jobs.running."""

    help = "Do one job that the worker has claimed (the worker calls this itself)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the job's id and the worker's."""
        parser.add_argument("job_id", type=int)
        parser.add_argument("worker", type=int, help="the id of the process that watches over the job")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do the job within its limit of memory."""
        job_id: int = options["job_id"]
        threading.Thread(target=_end_with, args=[options["worker"]], daemon=True).start()
        limit_memory(job_type_named(JobRun.objects.get(pk=job_id).kind).limits.memory)
        execute(job_id)


def _end_with(worker: int) -> None:
    """End this process after its worker, even where the job hangs and hears nothing."""
    while os.getppid() == worker:
        time.sleep(LOOKS_EVERY_S)
    time.sleep(ENDS_WITHIN_S)
    os.kill(os.getpid(), signal.SIGKILL)
