"""How rows of OpenSIPS's tables are edited."""

from django.apps import AppConfig


class EditingConfig(AppConfig):
    """Guarded and serialized writes."""

    name = "efcp.editing"
    label = "editing"
    verbose_name = "Editing"
