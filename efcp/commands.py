"""What the panel's commands have in common."""

from django.core.management.base import BaseCommand


class PanelCommand(BaseCommand):
    """A command that starts without Django's checks of the whole project.

    They load every page of the panel, which takes longer than most commands do, and more memory. `make lint`
    and the tests run them.
    """

    requires_system_checks: tuple[str, ...] = ()
