"""The app `efcp.preview`."""

from django.apps import AppConfig


class PreviewConfig(AppConfig):
    """What a proxy would do with calls, before it does."""

    name = "efcp.preview"
    label = "preview"
    verbose_name = "Preview"
