"""Long work outside of requests."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The queue's worker and the regular cleanup."""

    name = "efcp.jobs"
    label = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        """Register the cleanup tasks of the frame itself."""
        from efcp.jobs import cleanup

        cleanup.register("sessions", cleanup.clear_expired_sessions)
        cleanup.register("job results", cleanup.prune_job_results)
        cleanup.register("job runs", cleanup.prune_job_runs)
