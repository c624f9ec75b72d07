"""Which proxies there are, and what each holds in memory."""

from django.apps import AppConfig


class ProxiesConfig(AppConfig):
    """Proxies, snapshots of their memory, the watcher."""

    name = "efcp.proxies"
    label = "proxies"
    verbose_name = "Proxies"
