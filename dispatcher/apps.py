"""OpenSIPS's module dispatcher: its table, forms and pages."""

from django.apps import AppConfig

from efcp.database import opensips


class DispatcherConfig(AppConfig):
    """The dispatcher module."""

    name = "dispatcher"
    verbose_name = "Dispatcher"

    def ready(self) -> None:
        """Have the module's table verified at start, and its names looked up by the leading watcher."""
        from dispatcher import name_watch
        from dispatcher.table import DISPATCHER
        from efcp.proxies import duties

        opensips.register(DISPATCHER)
        duties.register("names", name_watch.EVERY_S, name_watch.carry_out)
