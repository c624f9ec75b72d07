"""`manage.py importpanel`: take over proxies, users and names of the OpenSIPS Control Panel's database."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from efcp.commands import PanelCommand
from efcp.launch.old_panel import (
    TAKEN_MEANWHILE,
    Decision,
    NoOldPanelError,
    carry_out,
    plan_import,
    read_old_panel,
)


class Command(PanelCommand):
    """Prints what would be taken over; with --apply takes it over."""

    help = "Takes over proxies, users and names of the OpenSIPS Control Panel, whose tables stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to write."""
        parser.add_argument("--apply", action="store_true", help="write; without it nothing is written")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the plan, carry it out if that is requested, and print the links of new users."""
        try:
            steps = plan_import(read_old_panel())
        except NoOldPanelError:
            raise CommandError("This database has no tables of the OpenSIPS Control Panel (ocp_…).") from None
        for step in steps:
            note = f"  ({step.note})" if step.note else ""
            self.stdout.write(f"{step.decision:<5} {step.kind:<14} {step.name}{note}")
        count = sum(step.decision is Decision.ADD for step in steps)
        if not options["apply"]:
            self.stdout.write(f"{count} to add. Nothing was written: run it with --apply to add them.")
            return
        try:
            carry_out(steps)
        except TAKEN_MEANWHILE:
            raise CommandError("A name was taken meanwhile. Nothing was written: run it again.") from None
        self.stdout.write(f"{count} added.")
        for step in steps:
            if step.result:
                origin = settings.PUBLIC_URL or "https://PANEL"
                self.stdout.write(f"Link for {step.name} to set a password: {origin}{step.result}")
