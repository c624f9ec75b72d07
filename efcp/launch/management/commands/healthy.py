"""`manage.py healthy watch|work`: for the health checks of containers whose process answers no requests."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from efcp.jobs.selectors import queue_stands_still
from efcp.proxies.selectors import watcher_is_silent


class Command(BaseCommand):
    """Exit 0 while the watcher or the worker does its work, 1 with a line where it does not."""

    help = "Tell whether the watcher or the worker does its work, by what it left in the database."
    # Asked every few seconds: what the checks would find was found when the process started.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which process is meant, by its command's name."""
        parser.add_argument("process", choices=["watch", "work"])

    def handle(self, *_args: Any, process: str, **_options: Any) -> None:
        """Ask the database."""
        try:
            problem = _watcher_problem() if process == "watch" else _worker_problem()
        except DatabaseError as error:
            raise CommandError(f"The database does not answer: {error.args[-1]}") from None
        if problem:
            raise CommandError(problem)


def _watcher_problem() -> str:
    return "The watcher gives no sign of life." if watcher_is_silent() else ""


def _worker_problem() -> str:
    return "Jobs wait, and none is done." if queue_stands_still(timezone.now()) else ""
