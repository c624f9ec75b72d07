"""`manage.py export`: the desired state as a YAML file that is kept in git."""

from argparse import ArgumentParser
from typing import Any

from efcp.commands import PanelCommand
from efcp.operations.desired.document import SECTIONS
from efcp.operations.desired.export import export


class Command(PanelCommand):
    """Prints the tables, names, test cases, maintenance and proxies, without passwords."""

    help = "Prints the desired state as YAML: sets, dialplans, maintenance and proxies, without passwords."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which sections."""
        parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="default: all")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print it."""
        for line in export(options["sections"] or SECTIONS):
            self.stdout.write(line)
