"""The app `efcp.preview`."""

from django.apps import AppConfig


class PreviewConfig(AppConfig):
    """What a proxy would do with calls, before it does."""

    name = "efcp.preview"
    label = "preview"
    verbose_name = "Preview"

    def ready(self) -> None:
        """Register the jobs on logs, and the deletion of old logs."""
        from efcp.jobs import housekeeping, kinds
        from efcp.preview.bulk_translation.job import TRANSLATE_NUMBERS
        from efcp.preview.distribution import services
        from efcp.preview.distribution.job import COUNT_LOG

        kinds.register(COUNT_LOG)
        kinds.register(TRANSLATE_NUMBERS)
        housekeeping.register("call logs", services.delete_old)
