"""How long a session lives: settings.SESSION_COOKIE_AGE after its user last did something.

Storing that moment at each request would cost a write each time; so it is stored when the last one is older
than RENEWED_AFTER.
"""

import time
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

RENEWED_AFTER = 600
"""Seconds."""

_SESSION_KEY = "active_at"


def start_session_age(sender: object, request: HttpRequest, **_kwargs: Any) -> None:
    """Receiver of user_logged_in: from now on the session lives as a user's, not as a visitor's."""
    request.session.set_expiry(None)
    request.session[_SESSION_KEY] = int(time.time())


def renew_session(session: SessionBase, now: float) -> None:
    """Have the session stored, and its cookie sent, with its full life if that was long enough ago."""
    if now - session.get(_SESSION_KEY, 0) > RENEWED_AFTER:
        session[_SESSION_KEY] = int(now)
