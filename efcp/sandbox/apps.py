"""The app `efcp.sandbox`."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """See docs/house.md for what lives on this floor."""

    name = "efcp.sandbox"
    label = "sandbox"
    verbose_name = "Sandbox"
