"""Which lane a request takes."""

from functools import cache

from django.urls import reverse

from efcp.launch.serving.lanes import Kind


@cache
def _paths() -> tuple[str, str, str, str]:
    return reverse("healthz"), reverse("accounts:sign-in"), reverse("preview:spread-upload"), "/cp/static/"


def kind_of(method: str, path: str) -> Kind:
    """The kind of a request for `path`."""
    health, sign_in, upload, static = _paths()
    if path == health:
        return Kind.HEALTH
    if path == sign_in:
        return Kind.ENTRANCE
    if path.startswith(static):
        return Kind.FILE
    if path == upload and method == "POST":
        return Kind.UPLOAD
    return Kind.PAGE
