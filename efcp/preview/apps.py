"""The app `efcp.preview`."""

from django.apps import AppConfig


class PreviewConfig(AppConfig):
    """What a proxy would do with calls, before it does."""

    name = "efcp.preview"
    label = "preview"
    verbose_name = "Preview"

    def ready(self) -> None:
        """Register the jobs on logs, and the deletion of old logs."""
        from efcp.jobs import cleanup, job_types
        from efcp.preview.bulk_translation.job import TRANSLATE_NUMBERS
        from efcp.preview.distribution import services
        from efcp.preview.distribution.job import COUNT_LOG

        job_types.register(COUNT_LOG)
        job_types.register(TRANSLATE_NUMBERS)
        cleanup.register("call logs", services.delete_old)
