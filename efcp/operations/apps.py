"""The app `efcp.operations`."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """See docs/house.md for what lives on this floor."""

    name = "efcp.operations"
    label = "operations"
    verbose_name = "Operations"
