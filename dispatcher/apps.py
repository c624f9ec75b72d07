"""OpenSIPS's module dispatcher: its table, forms and pages."""

from django.apps import AppConfig

from efcp.database import opensips


class DispatcherConfig(AppConfig):
    """The dispatcher module."""

    name = "dispatcher"
    verbose_name = "Dispatcher"

    def ready(self) -> None:
        """Have the module's table verified at start."""
        from dispatcher.table import DISPATCHER

        opensips.register(DISPATCHER)
