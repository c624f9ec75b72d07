"""The app `efcp.operations`."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """What joins proxies and modules: see docs/architecture.md."""

    name = "efcp.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Register cleanup tasks, also those of the proxies, and tasks of the leading watcher."""
        from efcp.jobs import cleanup, regular
        from efcp.operations import cleanup_tasks, reconciliation
        from efcp.operations.alerts import delivery as notifications
        from efcp.operations.alerts import outside
        from efcp.operations.maintenance import schedule as maintenance
        from efcp.proxies import call_counts, leader

        cleanup.register("state changes", cleanup_tasks.prune_state_changes)
        cleanup.register("call counts", call_counts.prune_counts)
        cleanup.register("runs", cleanup_tasks.prune_runs)
        cleanup.register("maintenances", cleanup_tasks.prune_maintenances)
        cleanup.register("notices", cleanup_tasks.prune_notices)
        cleanup.register("probes", cleanup_tasks.prune_probes)
        cleanup.register("questions", cleanup_tasks.prune_questions)
        cleanup.register("loaded rows", cleanup_tasks.prune_loaded_rows)
        leader.register("notifications", notifications.EVERY_S, notifications.Beat())
        leader.register("heartbeat", outside.HEARTBEAT_EVERY_S, outside.send_heartbeat)
        regular.register("processes", outside.WORKER_EVERY_S, outside.watch_the_watcher)
        leader.register("unsettled results", reconciliation.EVERY_S, reconciliation.reconcile)
        leader.register("maintenance", maintenance.EVERY_S, maintenance.run_due)
