"""The app `efcp.operations`."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """See docs/house.md for what lives on this floor."""

    name = "efcp.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Register the chores of this floor, and of the proxies' floor, which is below the jobs."""
        from efcp.jobs import housekeeping
        from efcp.operations import chores, settling
        from efcp.operations.maintenance import carrying_out as maintenance
        from efcp.operations.notifications import sending as notifications
        from efcp.proxies import duties

        housekeeping.register("state changes", chores.thin_state_changes)
        housekeeping.register("runs", chores.thin_runs)
        housekeeping.register("maintenances", chores.thin_maintenances)
        housekeeping.register("notices", chores.thin_notices)
        housekeeping.register("probes", chores.thin_probes)
        housekeeping.register("questions", chores.thin_questions)
        housekeeping.register("loaded rows", chores.thin_loaded_rows)
        duties.register("notifications", notifications.EVERY_S, notifications.carry_out)
        duties.register("unsettled results", settling.EVERY_S, settling.settle)
        duties.register("maintenance", maintenance.EVERY_S, maintenance.carry_out)
