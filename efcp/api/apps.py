"""The app `efcp.api`."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The REST API: the services and selectors of the pages, over HTTP and JSON."""

    name = "efcp.api"
    label = "api"
    verbose_name = "API"

    def ready(self) -> None:
        """Register the cleanup of stored answers. Every process does this: it imports no operation."""
        from efcp.api.models import prune_answers
        from efcp.jobs import cleanup

        cleanup.register("API answers", prune_answers)
