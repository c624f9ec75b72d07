"""How long a session lives, and the browsers in which a user has signed in before.

A session lives for settings.SESSION_COOKIE_AGE after its user last did something.

Guessing at an account keeps its count of failed logins high. A browser that its user has signed
in with bears a signed cookie, and its attempts are counted apart, so that nobody can be shut out of their own
account by others' guesses (OWASP calls such a cookie a device cookie). It opens nothing by itself.
"""

import secrets
import time
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

COOKIE = "efcp_browser"
REMEMBERED_FOR = 180 * 24 * 3600
"""Seconds."""

_SALT = "efcp.accounts.known_browser"


def known_browser(request: HttpRequest, username: str) -> str:
    """The name of this browser if `username` has signed in with it before; else empty."""
    owner, name = _owner_and_name(request)
    return name if constant_time_compare(owner, _digest(username)) else ""


def known_to_anyone(request: HttpRequest) -> str:
    """The name of this browser if any user has signed in with it before; else empty."""
    return _owner_and_name(request)[1]


def _owner_and_name(request: HttpRequest) -> tuple[str, str]:
    try:
        owner, name = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=REMEMBERED_FOR)
    except (signing.BadSignature, TypeError, ValueError):
        return "", ""
    return str(owner), str(name)


def remember_browser(response: HttpResponse, username: str) -> None:
    """Have the browser that gets `response` known as one of `username`'s."""
    response.set_cookie(
        COOKIE,
        signing.dumps([_digest(username), secrets.token_hex(8)], salt=_SALT),
        max_age=REMEMBERED_FOR,
        path="/cp/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _digest(username: str) -> str:
    """Who looks at the browser's cookies should not read a name there."""
    return salted_hmac(_SALT, username.casefold(), algorithm="sha256").hexdigest()


RENEWED_AFTER = 600
"""Seconds."""

_ACTIVE_AT = "active_at"


def start_session_age(sender: object, request: HttpRequest, **_kwargs: Any) -> None:
    """Receiver of user_logged_in: from now on the session lives as a user's, not as a visitor's."""
    request.session.set_expiry(None)
    request.session[_ACTIVE_AT] = int(time.time())


def renew_session(session: SessionBase, now: float) -> None:
    """Have the session stored, and its cookie sent, with its full life if that was long enough ago."""
    if now - session.get(_ACTIVE_AT, 0) > RENEWED_AFTER:
        session[_ACTIVE_AT] = int(now)
