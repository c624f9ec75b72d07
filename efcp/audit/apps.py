"""Who changed what."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Audit records of every write."""

    name = "efcp.audit"
    label = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        """Have the leading watcher forward records, and the cleanup delete old ones."""
        from efcp.audit import syslog
        from efcp.jobs import cleanup
        from efcp.proxies import leader

        leader.register("audit to syslog", syslog.EVERY_S, syslog.forward)
        cleanup.register("audit records", syslog.prune_records)
