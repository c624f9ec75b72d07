"""A token for a program, from the server's own shell: `manage.py apitoken NAME --role operator`."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from efcp.accounts.roles import Role
from efcp.accounts.tokens import TokenLimits, TooManyTokensError, create_token
from efcp.audit.services import Actor
from efcp.commands import PanelCommand

LONGEST_NAME = 64


class Command(PanelCommand):
    """Creates a token of a service account and prints its secret, and nothing else."""

    help = "Creates an API token of a service account and prints its secret, which is shown only now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The name, the role, and for how long."""
        parser.add_argument("name", help="what the audit shows as the one who did something")
        parser.add_argument("--role", choices=list(Role), default=Role.VIEWER, help="default: %(default)s")
        parser.add_argument("--days", type=int, default=90, help="default: %(default)s; 0: no end")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Create and print."""
        name, days = options["name"], options["days"]
        if not (name.strip() == name and name.isprintable() and 0 < len(name) <= LONGEST_NAME):
            raise CommandError(f"The name must be 1 to {LONGEST_NAME} printable characters.")
        if not 0 <= days <= 3650:
            raise CommandError("--days must be 0 to 3650.")
        now = timezone.now()
        expires_at = now + timedelta(days=days) if days else None
        limits, actor = TokenLimits(Role(options["role"])), Actor("manage.py apitoken")
        try:
            _token, secret = create_token(name, None, limits, expires_at, now, actor)
        except TooManyTokensError:
            raise CommandError("There are too many tokens of service accounts: revoke some.") from None
        self.stdout.write(secret)
