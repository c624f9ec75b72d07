"""OpenSIPS's module dialplan: its table, forms and pages."""

from django.apps import AppConfig

from efcp.database import opensips


class DialplanConfig(AppConfig):
    """The dialplan module."""

    name = "dialplan"
    verbose_name = "Dialplan"

    def ready(self) -> None:
        """Have the module's table verified at start."""
        from dialplan.table import DIALPLAN

        opensips.register(DIALPLAN)
