"""The app `efcp.jobs`."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """See docs/house.md for what lives on this floor."""

    name = "efcp.jobs"
    label = "jobs"
    verbose_name = "Jobs"
