"""`manage.py work`: do the queue's jobs, one after the other, until a signal."""

import logging
import signal
import threading
import time
from datetime import timedelta
from types import FrameType
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from efcp.commands import PanelCommand
from efcp.jobs import regular
from efcp.jobs.cleanup import run_cleanup

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.5
CLEANUP_EVERY = timedelta(hours=1)
SHUTDOWN_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(PanelCommand):
    """The worker. Several may run: each job is claimed by one."""

    help = "Do long work outside of requests: the jobs of the queue, and the regular cleanup."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Work until SIGTERM or Ctrl-C; a job that is under way is finished."""
        worker = _worker()
        stopping = False

        def stop(_number: int, _frame: FrameType | None) -> None:
            nonlocal stopping
            stopping = True
            worker.running = False

        for number in SHUTDOWN_SIGNALS:
            signal.signal(number, stop)
        ended = threading.Event()
        regular.start(ended)
        # No event: see efcp.shutdown.
        while not stopping:
            _look(worker)
            time.sleep(POLL_INTERVAL_S)
        ended.set()


def _look(worker: Worker) -> None:
    """Run the jobs in the queue once; an unreachable database is reported and retried at the next poll."""
    try:
        _enqueue_cleanup_when_due()
        worker.run()
    except (OperationalError, InterfaceError) as error:
        log.warning("The database is not responding: %s", error)
        connection.close()


def _worker() -> Worker:
    """A worker whose `run` ends with the queue."""
    return Worker(
        queue_names=["default"],
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id="efcp",
        excluded_queue_names=[],
    )


def _enqueue_cleanup_when_due() -> None:
    recent = timezone.now() - CLEANUP_EVERY
    if not DBTaskResult.objects.filter(task_path=run_cleanup.module_path, enqueued_at__gte=recent).exists():
        run_cleanup.enqueue()
