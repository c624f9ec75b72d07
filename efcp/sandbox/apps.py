"""The embedded proxy for trial and tests."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """The command `sandbox`, and the note that the samples were seeded."""

    name = "efcp.sandbox"
    label = "sandbox"
    verbose_name = "Sandbox proxy"
