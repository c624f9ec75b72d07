"""`manage.py changekey`: encrypt stored secrets with a new EFCP_SECRET_KEY."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from efcp.commands import PanelCommand
from efcp.launch.secret_key import reencrypt


class Command(PanelCommand):
    """Run once after EFCP_SECRET_KEY was changed, with the key before in EFCP_FORMER_SECRET_KEY."""

    help = "Encrypt stored passwords and secrets with EFCP_SECRET_KEY, read with EFCP_FORMER_SECRET_KEY."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """encrypt again, and print how many; 1 where some could not be read."""
        if not settings.SECRET_KEY_FALLBACKS:
            raise CommandError("Set EFCP_FORMER_SECRET_KEY to the key before.")
        done = reencrypt()
        self.stdout.write(f"{done.encrypted} secrets encrypted with EFCP_SECRET_KEY.")
        if done.unreadable:
            raise CommandError(f"{done.unreadable} can't be read with either key: enter them again.")
