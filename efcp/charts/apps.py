"""Charts as Django sees them: template tags only."""

from django.apps import AppConfig


class ChartsConfig(AppConfig):
    """The app `efcp.charts`."""

    name = "efcp.charts"
