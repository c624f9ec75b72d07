"""Signing in half-way through: the page to return to, and the form fields that were typed before.

When a session ends while a form is open, its fields wait in the anonymous session, which keeps its content
when it becomes the user's. Nothing is saved by itself: the form's view shows them, and the user sends it
again. Only a browser that somebody has signed in with before may have a session before signing in, and only
so many: else anyone could fill the disk.
"""

import re
from enum import Enum, auto
from urllib.parse import unquote, urlsplit

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from efcp.accounts.sessions import known_to_anyone
from efcp.accounts.throttle import may_begin_session

LARGEST = 64 * 1024
"""Bytes of urlencoded fields that are kept for one visitor."""

LARGEST_BODY = 4 * LARGEST
"""Bytes of a body that is looked at: with passwords and tokens, which are left out."""

WAITS_AT_MOST = 3600
"""Seconds for which an anonymous session with typed fields lives."""

NOTICE = "Your session expired, so nothing was saved. Your input is below: check it and submit again."

_SESSION_KEY = "typed"
_SECRET_NAMES = ("password", "secret", "token")
_WEBHOOK = "url"
"""The field of a webhook's address, whose path is a secret with many receivers."""
_WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")
"""In a URL, such as that of a database or an `fs://` weight."""


class FormRecovery(Enum):
    """Whether the fields of a form were kept."""

    KEPT = auto()
    TOO_LARGE = auto()
    UNKNOWN_BROWSER = auto()


def keep_form(request: HttpRequest) -> FormRecovery:
    """Keep the fields of the POST `request` for the page it came from, where there is room for them.

    Secrets are left out (`is_secret`). What was kept before is replaced. What is not kept is not read either.
    """
    if not request.user.is_authenticated and not _may_keep(request):
        return FormRecovery.UNKNOWN_BROWSER
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
        return FormRecovery.TOO_LARGE
    fields = request.POST.copy()
    for name, values in list(fields.lists()):
        if any(is_secret(name, str(value)) for value in values):
            del fields[name]
    text = fields.urlencode()
    if len(text) > LARGEST:
        return FormRecovery.TOO_LARGE
    paths = sorted({request.path, urlsplit(page_of(request)).path})
    request.session[_SESSION_KEY] = {"paths": paths, "fields": text}
    if not request.user.is_authenticated:
        request.session.set_expiry(WAITS_AT_MOST)
    return FormRecovery.KEPT


def is_secret(name: str, value: str) -> bool:
    """Whether a form's field is never stored outside its own table, nor put into a second page."""
    lowered = name.lower()
    named = lowered == _WEBHOOK or any(word in lowered for word in _SECRET_NAMES)
    return named or _WITH_PASSWORD.search(value) is not None


def _may_keep(request: HttpRequest) -> bool:
    """Whether this visitor's browser is known, and has a session already or may begin one."""
    browser = known_to_anyone(request)
    if not browser:
        return False
    return form_is_kept(request) or may_begin_session(browser, timezone.now())


def form_is_kept(request: HttpRequest) -> bool:
    """Whether fields wait for their form."""
    return _SESSION_KEY in request.session


def recover_form(request: HttpRequest) -> QueryDict | None:
    """The fields that were typed into this page's form before its session ended, once; None where none wait.

    For the form's view on GET: show the form filled with them, and NOTICE above it.
    """
    waiting = request.session.get(_SESSION_KEY)
    if not waiting or request.path not in waiting["paths"]:
        return None
    del request.session[_SESSION_KEY]
    request.recovered_fields = QueryDict(waiting["fields"])  # type: ignore[attr-defined]
    return QueryDict(waiting["fields"])


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
    sent_from = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not sent_from or not is_own_page(request, sent_from):
        return request.get_full_path()
    parts = urlsplit(sent_from)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
