"""OpenSIPS's module dispatcher: its table, forms and pages."""

from django.apps import AppConfig

from efcp.database import opensips


class DispatcherConfig(AppConfig):
    """The dispatcher module."""

    name = "dispatcher"
    verbose_name = "Dispatcher"

    def ready(self) -> None:
        """Register the module, its table and its tasks of the leading watcher."""
        from dispatcher import name_watch, probe_modes
        from dispatcher.reloading import DispatcherReload
        from dispatcher.table import DISPATCHER
        from efcp.editing import batches
        from efcp.modules import registry
        from efcp.proxies import leader

        opensips.register(DISPATCHER)
        registry.register(
            registry.PanelModule(
                name="dispatcher",
                label="Dispatcher",
                rows="destinations",
                list_url="dispatcher:list",
                reload_url="operations:reload",
                reload_run_url="operations:run",
                restore_url="dispatcher:restore",
                batch_url="dispatcher:batch_of_write",
                strategy=DispatcherReload,
                namespaces=("dispatcher", "operations"),
                has_partitions=True,
                has_live_states=True,
                has_sets=True,
            )
        )
        batches.register("dispatcher", "dispatcher.views.EDITOR")
        leader.register("names", name_watch.EVERY_S, name_watch.carry_out)
        leader.register("probe modes", probe_modes.EVERY_S, probe_modes.carry_out)
