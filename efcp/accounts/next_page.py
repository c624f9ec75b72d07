"""Where a person goes after signing in."""

from urllib.parse import unquote, urlsplit

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

PANEL = "/cp/"


def safe_next(request: HttpRequest, target: str) -> str:
    """`target` where it is a page of this panel, else the panel's first page; never another host."""
    return target if is_own_page(request, target) else reverse("home")


def is_own_page(request: HttpRequest, target: str) -> bool:
    """Whether `target`, a path or a URL, is an address under /cp/ of this host other than the sign-in's."""
    if not target.isprintable() or "\\" in target:
        return False
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return False
    path = urlsplit(target).path
    # Browsers resolve these, percent-encoded too (WHATWG URL, "double-dot path segment").
    if not {".", ".."}.isdisjoint(unquote(path).split("/")):
        return False
    return path.startswith(PANEL) and not path.startswith(reverse("accounts:sign-in"))


def page_of(request: HttpRequest) -> str:
    """The path and query of the page from which `request` was sent; its own where the browser tells none."""
    told = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not told or not is_own_page(request, told):
        return request.get_full_path()
    parts = urlsplit(told)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
