"""`manage.py dispatcherindex`: give the table `dispatcher` an index by set."""

from typing import Any

from django.core.management.base import BaseCommand

from dispatcher import indexes


class Command(BaseCommand):
    """For large tables. Nothing makes this index unless it is asked for."""

    help = "Make an index by set on OpenSIPS's table dispatcher, which has none of its own."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make it, or say that there is one."""
        if indexes.exists():
            self.stdout.write("The table has an index by set already.")
            return
        indexes.create()
        self.stdout.write(f"The index {indexes.NAME} was made.")
