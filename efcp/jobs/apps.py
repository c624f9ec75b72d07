"""Long work outside of requests."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The queue's worker and the regular housekeeping."""

    name = "efcp.jobs"
    label = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        """Register the chores of the frame itself."""
        from efcp.jobs import chores, housekeeping

        housekeeping.register("sessions", chores.clear_expired_sessions)
        housekeeping.register("job results", chores.prune_job_results)
        housekeeping.register("job runs", chores.prune_job_runs)
