"""`manage.py restore FILE`: the tables as a backup has them."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError
from django.utils import timezone

from efcp.commands import PanelCommand
from efcp.launch.backups import (
    BackupError,
    Manifest,
    check_backup,
    require_stopped,
    restore_backup,
    rows_now,
    write_backup,
)


class Command(PanelCommand):
    """Checks the file, shows what it would replace, asks, keeps what was, and restores all or nothing."""

    help = "Replace the tables by those of a backup, all or nothing; what was is written to a backup first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and what is not to be asked."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--yes", action="store_true", help="don't ask")
        parser.add_argument(
            "--other-key",
            action="store_true",
            help="restore a backup of another EFCP_SECRET_KEY, whose secrets can't be read",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Restore, and print where the former state is."""
        try:
            manifest = check_backup(options["file"])
            if not manifest.same_key and not options["other_key"]:
                raise BackupError(
                    "The backup was made with another EFCP_SECRET_KEY. Set that key, or use --other-key: its"
                    " passwords and secrets can't be read then, nor whether somebody changed the file."
                )
            require_stopped()
            self._show(manifest)
            if not options["yes"] and not self._is_confirmed():
                raise BackupError("Nothing was changed.")
            before = settings.CONFIGURATION.data_dir / f"before-restore-{timezone.now():%Y%m%d-%H%M%S-%f}.zip"
            before.parent.mkdir(parents=True, exist_ok=True)
            write_backup(before)
            restore_backup(options["file"])
        except (BackupError, DatabaseError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Restored {manifest.rows:,} rows. What was before: {before}")

    def _show(self, manifest: Manifest) -> None:
        """The tables, with their rows now and in the backup."""
        self.stdout.write(f"Backup of {manifest.created_at}, version {manifest.version}. Rows now → then:")
        for label, now in rows_now(manifest).items():
            then = manifest.tables[label].rows
            if now or then:
                self.stdout.write(f"  {label:<36} {now:>12,} → {then:>12,}")

    def _is_confirmed(self) -> bool:
        """What the person at the terminal answers; nobody there is a no."""
        if not sys.stdin.isatty():
            raise BackupError("Say --yes where no terminal can be asked.")
        return input("Replace these rows? [y/N] ").strip().lower() in {"y", "yes"}
