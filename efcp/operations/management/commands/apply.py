"""`manage.py apply FILE`: makes the panel as a file has it; `--reload` also the proxies."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from efcp.audit.services import Actor, RequestWrites
from efcp.commands import PanelCommand
from efcp.operations.desired.applying import DEFAULT_REASON, ApplyRequest, apply
from efcp.operations.desired.command_line import (
    NOT_CLEAN,
    REFUSED,
    add_plan_arguments,
    plan_of,
    plan_text,
)
from efcp.operations.desired.models import ApplyState
from efcp.operations.desired.steps import PlanOutdatedError
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import proxies_for_all


class Command(PanelCommand):
    """Carries out the plan of a file in one transaction."""

    help = "Carries out the plan of a file. Exits with 0: done; 1: refused; 3: not clean, or rolled back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, the sections, and whether proxies are reloaded."""
        add_plan_arguments(parser)
        parser.add_argument("--reload", action="store_true", help="reload the proxies, one first")
        parser.add_argument("--first", default="", help="the proxy to reload first (default: by name)")
        parser.add_argument("--reason", default=DEFAULT_REASON, help="stored in the change log")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write, reload and print."""
        plan = plan_of(options)
        for line in plan_text(plan):
            self.stdout.write(line)
        if plan.errors:
            sys.exit(REFUSED)
        if not plan.lines:
            return
        request = ApplyRequest(options["reload"], self._first(options["first"]), options["reason"][:255])
        try:
            handle = apply(plan, request, Actor(_user_name(), writes=RequestWrites()))
        except PlanOutdatedError as error:
            raise CommandError(f"Nothing was written: {error}", returncode=REFUSED) from None
        handle.ended.wait()
        handle.run.refresh_from_db()
        state = handle.run.known_state()
        self.stdout.write(" ".join(filter(None, (f"{state.label}.", handle.run.message))))
        if state not in {ApplyState.WRITTEN, ApplyState.DONE}:
            sys.exit(NOT_CLEAN)

    def _first(self, name: str) -> Proxy | None:
        if not name:
            return None
        found = proxies_for_all().filter(name=name).first()
        if found is None:
            raise CommandError(f"There is no enabled proxy {name}.", returncode=REFUSED)
        return found


def _user_name() -> str:
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):
        return "manage.py apply"
