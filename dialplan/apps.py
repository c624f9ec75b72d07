"""OpenSIPS's module dialplan: its table, forms and pages."""

from django.apps import AppConfig

from efcp.database import opensips


class DialplanConfig(AppConfig):
    """The dialplan module."""

    name = "dialplan"
    verbose_name = "Dialplan"

    def ready(self) -> None:
        """Register the module and its table."""
        from dialplan.reloading import DialplanReload
        from dialplan.table import DIALPLAN
        from efcp.editing import batches
        from efcp.modules import registry

        opensips.register(DIALPLAN)
        registry.register(
            registry.PanelModule(
                name="dialplan",
                label="Dialplan",
                rows="rules",
                list_url="dialplan:list",
                reload_url="operations_dialplan:reload",
                reload_run_url="operations_dialplan:run",
                batch_url="dialplan:batch_of_write",
                strategy=DialplanReload,
                namespaces=("dialplan", "operations_dialplan"),
            )
        )
        batches.register("dialplan", "dialplan.views.EDITOR")
