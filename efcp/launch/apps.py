"""Starting and ending the panel's processes."""

from django.apps import AppConfig


class LaunchConfig(AppConfig):
    """The commands `run` and `prepare`."""

    name = "efcp.launch"
    label = "launch"
    verbose_name = "Launch"
