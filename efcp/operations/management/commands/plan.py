"""`manage.py plan FILE`: what differs from a file. Exits with 0, 2 (changes) or 1 (refused)."""

import sys
from argparse import ArgumentParser
from typing import Any

from efcp.commands import PanelCommand
from efcp.operations.desired.command_line import CHANGES, REFUSED, add_plan_arguments, plan_of, plan_text


class Command(PanelCommand):
    """Prints the difference between a file and the panel as a plan."""

    help = "Prints what `apply` would change. Exits with 0: nothing; 2: changes; 1: refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file and the sections."""
        add_plan_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the plan."""
        plan = plan_of(options)
        for line in plan_text(plan):
            self.stdout.write(line)
        if plan.errors:
            sys.exit(REFUSED)
        if plan.lines:
            sys.exit(CHANGES)
