"""Who changed what."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Audit records of every write."""

    name = "efcp.audit"
    label = "audit"
    verbose_name = "Audit"
