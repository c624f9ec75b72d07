"""`manage.py run_job ID`: one job in this process, as the worker starts it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from efcp.jobs.kinds import kind_named
from efcp.jobs.models import JobRun
from efcp.jobs.running import limit_memory, work_off


class Command(BaseCommand):
    """The inner side of efcp.jobs.running."""

    help = "Do one job that the worker has claimed (the worker calls this itself)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the job's id."""
        parser.add_argument("job_id", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do the job within its limit of memory."""
        job_id: int = options["job_id"]
        limit_memory(kind_named(JobRun.objects.get(pk=job_id).kind).limits.memory)
        work_off(job_id)
