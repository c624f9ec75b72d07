"""The app `efcp.script`."""

from django.apps import AppConfig


class ScriptConfig(AppConfig):
    """opensips.cfg: what is wrong with one, and writing one."""

    name = "efcp.script"
    label = "script"
    verbose_name = "Script"
