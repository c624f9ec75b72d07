"""The app of the kinds of jobs that only tests know."""

from django.apps import AppConfig


class PlayingConfig(AppConfig):
    """The app `tests.jobs.playing`."""

    name = "tests.jobs.playing"
    label = "playing_jobs"

    def ready(self) -> None:
        """Register the kinds."""
        from efcp.jobs import job_types
        from tests.jobs.playing.works import LIMITS, WORKS

        for work in WORKS:
            job_types.register(job_types.JobType(work.__name__, work, LIMITS))
