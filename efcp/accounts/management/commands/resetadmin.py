"""The way back in, from the server's own shell: `manage.py resetadmin`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from efcp.accounts.forms import LONGEST_NAME
from efcp.accounts.passwords import FIRST_USERNAME
from efcp.accounts.services import reset_administrator
from efcp.commands import PanelCommand


class Command(PanelCommand):
    """Gives an administrator a made-up password, printed once, that must be changed."""

    help = (
        "Gives the administrator a made-up password, printed once, that must be changed at the next sign-in."
        " Makes them an active administrator, or creates them; ends their sessions."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--name`: which user."""
        parser.add_argument("--name", default=FIRST_USERNAME, help="the user name (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset and print."""
        name: str = options["name"]
        if not (name.strip() == name and name.isprintable() and 0 < len(name) <= LONGEST_NAME):
            raise CommandError(f"--name must be 1 to {LONGEST_NAME} printable characters.")
        password = reset_administrator(name)
        self.stdout.write(
            f"User name: {name}\nPassword:  {password}\nIt must be changed at the next sign-in."
        )
