"""Roles and what each permits.

Views of every app ask for one of three permissions by Django's own decorator, so that they need not know
this app: `@permission_required("efcp.operate", raise_exception=True)`.
"""

from django.db import models

VIEW = "efcp.view"
OPERATE = "efcp.operate"
ADMINISTER = "efcp.administer"


class Role(models.TextChoices):
    """The three roles; each permits what the one before it permits, and more."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    ADMINISTRATOR = "administrator", "Administrator"


PERMISSIONS: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({VIEW}),
    Role.OPERATOR: frozenset({VIEW, OPERATE}),
    Role.ADMINISTRATOR: frozenset({VIEW, OPERATE, ADMINISTER}),
}
