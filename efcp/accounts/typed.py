"""What was typed into a form whose session had ended: kept through signing in, and given back to the form.

The fields wait in the anonymous session, which keeps its content when it becomes the user's. Nothing is saved
by itself: the form's view shows them, and the user presses its button again. Only a browser that somebody has
signed in with before may have a session before signing in, and only so many: else anyone could fill the disk.
"""

from enum import Enum, auto
from urllib.parse import urlsplit

from django.http import HttpRequest, QueryDict
from django.utils import timezone

from efcp.accounts.known_browser import anyone_s_browser
from efcp.accounts.next_page import page_of
from efcp.accounts.throttle import may_begin_session

LARGEST = 64 * 1024
"""Bytes of urlencoded fields that are kept for one visitor."""

LARGEST_BODY = 4 * LARGEST
"""Bytes of a body that is looked at: with passwords and tokens, which are left out."""

WAITS_AT_MOST = 3600
"""Seconds for which an anonymous session with typed fields lives."""

NOTICE = "Your session had ended, so nothing was saved. Here is what you typed: check it, then send it again."

_SESSION_KEY = "typed"
_NEVER_KEPT = ("password", "csrfmiddlewaretoken")


class Keeping(Enum):
    """What became of typed fields."""

    KEPT = auto()
    TOO_LARGE = auto()
    UNKNOWN_BROWSER = auto()


def keep_typed(request: HttpRequest) -> Keeping:
    """Keep the fields of the POST `request` for the page it came from, where there is room for them.

    Passwords and tokens are left out. What was kept before is replaced. What is not kept is not read either.
    """
    if not request.user.is_authenticated and not _may_keep(request):
        return Keeping.UNKNOWN_BROWSER
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
        return Keeping.TOO_LARGE
    fields = request.POST.copy()
    for name in list(fields):
        if any(word in name.lower() for word in _NEVER_KEPT):
            del fields[name]
    text = fields.urlencode()
    if len(text) > LARGEST:
        return Keeping.TOO_LARGE
    paths = sorted({request.path, urlsplit(page_of(request)).path})
    request.session[_SESSION_KEY] = {"paths": paths, "fields": text}
    if not request.user.is_authenticated:
        request.session.set_expiry(WAITS_AT_MOST)
    return Keeping.KEPT


def _may_keep(request: HttpRequest) -> bool:
    """Whether this visitor's browser is known, and has a session already or may begin one."""
    browser = anyone_s_browser(request)
    if not browser:
        return False
    return typed_waits(request) or may_begin_session(browser, timezone.now())


def typed_waits(request: HttpRequest) -> bool:
    """Whether fields wait for their form."""
    return _SESSION_KEY in request.session


def take_typed(request: HttpRequest) -> QueryDict | None:
    """The fields that were typed into this page's form before its session ended, once; None where none wait.

    For the form's view on GET: show the form filled with them, and NOTICE above it.
    """
    waiting = request.session.get(_SESSION_KEY)
    if not waiting or request.path not in waiting["paths"]:
        return None
    del request.session[_SESSION_KEY]
    request.recovered_fields = QueryDict(waiting["fields"])  # type: ignore[attr-defined]
    return QueryDict(waiting["fields"])
