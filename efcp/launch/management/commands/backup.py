"""`manage.py backup FILE`: the tables in one file, while everything runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from efcp.commands import PanelCommand
from efcp.launch.backups import BackupError, write_backup


class Command(PanelCommand):
    """Writes a new file; ends with one line and 1 where that fails."""

    help = "Write the panel's and OpenSIPS's tables to a new file, while everything runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and what to leave out."""
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--panel-only",
            action="store_true",
            help="leave out OpenSIPS's dispatcher and dialplan",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write, and print what was written."""
        path: Path = options["file"]
        try:
            manifest = write_backup(path, opensips=not options["panel_only"])
        except (BackupError, DatabaseError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{path}: {manifest.rows:,} rows of {len(manifest.tables)} tables.")
