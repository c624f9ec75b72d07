"""`manage.py alive watcher|worker`: the health check of the processes that serve no pages."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError
from django.utils import timezone

from efcp.commands import PanelCommand
from efcp.jobs.selectors import worker_is_stuck
from efcp.proxies.models import WatcherHeartbeat

WATCHER_BEATS_WITHIN = timedelta(seconds=60)


class Command(PanelCommand):
    """Ends with 0 while the process does its work, else with one line and 1."""

    help = "Tell whether the watcher or the worker does its work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which of the two."""
        parser.add_argument("process", choices=["watcher", "worker"])

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look into the database, where both leave their traces."""
        check = {"watcher": _require_heartbeat, "worker": _require_no_old_job}[options["process"]]
        try:
            check()
        except DatabaseError as error:
            raise CommandError(f"Can't query the database: {error}") from None


def _require_heartbeat() -> None:
    if not WatcherHeartbeat.objects.filter(beat_at__gte=timezone.now() - WATCHER_BEATS_WITHIN).exists():
        raise CommandError("No heartbeat from the watcher for a minute.")


def _require_no_old_job() -> None:
    if worker_is_stuck():
        raise CommandError("A job has waited for ten minutes.")
