"""What was typed into a form whose session had ended: kept through signing in, and given back to the form.

The fields wait in the anonymous session, which keeps its content when it becomes the user's. Nothing is saved
by itself: the form's view shows them, and the user presses its button again.
"""

from urllib.parse import urlsplit

from django.http import HttpRequest, QueryDict

from efcp.accounts.next_page import page_of

LARGEST = 64 * 1024
"""Bytes of urlencoded fields that are kept for one visitor."""

WAITS_AT_MOST = 3600
"""Seconds for which an anonymous session with typed fields lives."""

NOTICE = "Your session had ended, so nothing was saved. Here is what you typed: check it, then send it again."

_SESSION_KEY = "typed"
_NEVER_KEPT = ("password", "csrfmiddlewaretoken")


def keep_typed(request: HttpRequest) -> bool:
    """Keep the fields of the POST `request` for the page it came from; tell whether there was room for them.

    Passwords and tokens are left out. What was kept before is replaced.
    """
    fields = request.POST.copy()
    for name in list(fields):
        if any(word in name.lower() for word in _NEVER_KEPT):
            del fields[name]
    text = fields.urlencode()
    if len(text) > LARGEST:
        return False
    paths = sorted({request.path, urlsplit(page_of(request)).path})
    request.session[_SESSION_KEY] = {"paths": paths, "fields": text}
    if not request.user.is_authenticated:
        request.session.set_expiry(WAITS_AT_MOST)
    return True


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
    return QueryDict(waiting["fields"])
