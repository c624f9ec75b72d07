"""The app `efcp.api`."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The REST API: the services and selectors of the pages, over HTTP and JSON."""

    name = "efcp.api"
    label = "api"
    verbose_name = "API"

    def ready(self) -> None:
        """Register cleanup and webhooks of events. Every process does this: it imports no operation."""
        from efcp.api import event_delivery
        from efcp.api.models import prune_answers, prune_deliveries
        from efcp.jobs import cleanup
        from efcp.proxies import leader

        cleanup.register("API answers", prune_answers)
        cleanup.register("event deliveries", prune_deliveries)
        leader.register("event webhooks", event_delivery.EVERY_S, event_delivery.run_due)
