"""`manage.py prepare`: create or migrate the tables, collect static files, make the first administrator."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from efcp.commands import PanelCommand
from efcp.launch.preparation import PreparationError, prepare


class Command(PanelCommand):
    """For sites that start the panel's processes one by one; `manage.py run` does it by itself."""

    help = "Create or migrate the tables, collect static files and make the first administrator."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Prepare, and print the first sign-in where one was generated."""
        try:
            first = prepare(settings.CONFIGURATION)
        except PreparationError as error:
            raise CommandError(str(error)) from None
        if first is not None:
            self.stdout.write(f"First sign-in: {first.username} / {first.password} (has to be changed)")
