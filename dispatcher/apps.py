"""OpenSIPS's module dispatcher: its table, forms and pages."""

from django.apps import AppConfig

from efcp.database import opensips


class DispatcherConfig(AppConfig):
    """The dispatcher module."""

    name = "dispatcher"
    verbose_name = "Dispatcher"

    def ready(self) -> None:
        """Have the table verified at start, and what the leading watcher does for the module done."""
        from dispatcher import name_watch, probe_modes
        from dispatcher.table import DISPATCHER
        from efcp.proxies import leader

        opensips.register(DISPATCHER)
        leader.register("names", name_watch.EVERY_S, name_watch.carry_out)
        leader.register("probe modes", probe_modes.EVERY_S, probe_modes.carry_out)
