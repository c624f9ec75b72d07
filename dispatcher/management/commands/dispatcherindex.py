"""`manage.py dispatcherindex`: give the table `dispatcher` an index by set."""

from typing import Any

from dispatcher import indexes
from efcp.commands import PanelCommand


class Command(PanelCommand):
    """For large tables. Nothing else creates this index."""

    help = "Create an index on setid in OpenSIPS's dispatcher table, which has none by default."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make it, or say that there is one."""
        if indexes.exists():
            self.stdout.write("The table already has an index on setid.")
            return
        indexes.create()
        self.stdout.write(f"Created index {indexes.NAME}.")
