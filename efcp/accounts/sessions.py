"""How long a session lives, and the browsers in which a user has signed in before.

A session lives for settings.SESSION_COOKIE_AGE after its user last did something.

Guessing at an account keeps its count of failed logins high. A browser that its user has signed
in with bears a signed cookie, and its attempts are counted apart, so that nobody can be shut out of their own
account by others' guesses (OWASP calls such a cookie a device cookie). It opens nothing by itself.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from efcp.accounts.models import User
from efcp.proxy_headers import client_address

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

SHOWN = 100
MEANS = "means"
"""In a session: how its user signed in."""
PROXY = "proxy"
"""Signed in by a trusted proxy's header; no key of a provider's settings may be so."""
MUST_ADD_FACTOR = "must_add_factor"
"""In the session of a user whose role needs a second factor that they don't have yet."""
IDLE_S = "idle_s"
"""In a session: the seconds without activity after which it ends, if the user's role has a limit."""

_ACTIVE_AT = "active_at"
_CONFIRMED_AT = "confirmed_at"
_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - stands for none
_BROWSERS = (
    ("Firefox/", "Firefox"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def start_session_age(sender: object, request: HttpRequest, **_kwargs: Any) -> None:
    """Receiver of user_logged_in: from now on the session lives as a user's, not as a visitor's."""
    request.session.set_expiry(None)
    request.session[_ACTIVE_AT] = request.session[_CONFIRMED_AT] = int(time.time())


def renew_session(session: SessionBase, now: float) -> None:
    """Have the session stored, and its cookie sent, with its full life if that was long enough ago."""
    if now - session.get(_ACTIVE_AT, 0) > min(RENEWED_AFTER, session.get(IDLE_S, RENEWED_AFTER * 10) / 10):
        session[_ACTIVE_AT] = int(now)
        UserSession.objects.filter(session_key=session.session_key).update(last_seen_at=timezone.now())


def note_session(request: HttpRequest, user: User, means: str) -> None:
    """List the session that `user` has just started, by `means`."""
    if request.session.session_key is None:
        request.session.save()
    request.session[MEANS] = means
    UserSession.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user": user,
            "ip": client_address(request) or _NO_ADDRESS,
            "user_agent": request.headers.get("User-Agent", "")[:200],
            "data": {"means": means, "epoch": user.session_epoch},
        },
    )


def keep_session(request: HttpRequest, user: User) -> None:
    """Let this session go on under a new key while the user's others have ended."""
    update_session_auth_hash(request, user)
    note_session(request, user, request.session.get(MEANS, ""))


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session of a user: where, in which browser, since when."""

    id: int
    address: str
    browser: str
    means: str
    began_at: datetime
    last_used_at: datetime
    is_this: bool


def open_sessions(user: User, this: str | None) -> list[OpenSession]:
    """The user's newest SHOWN sessions that are still good; `this` is the key of the one that is looking."""
    stored = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    rows = UserSession.objects.filter(user=user, session_key__in=stored).order_by("-last_seen_at")[:SHOWN]
    return [
        OpenSession(
            row.pk,
            "" if row.ip == _NO_ADDRESS else row.ip,
            browser_name(row.user_agent),
            row.data.get("means", ""),
            row.created_at,
            row.last_seen_at,
            row.session_key == this,
        )
        for row in rows
        if row.data.get("epoch") == user.session_epoch
    ]


def end_session(user: User, session_id: int) -> bool:
    """End one of the user's own sessions; False where it is over already."""
    row = UserSession.objects.filter(user=user, pk=session_id).first()
    if row is None:
        return False
    Session.objects.filter(pk=row.session_key).delete()
    row.delete()
    return True


def prune_sessions(_now: datetime) -> int:
    """Delete the notes of sessions that are over. For the cleanup job."""
    deleted, _ = UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return int(deleted)


def browser_name(user_agent: str) -> str:
    """The browser and system of a User-Agent header, in a few words; they are the browser's own claim."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return " on ".join(filter(None, (browser, system))) or user_agent[:40] or "unknown browser"


def is_confirmed(session: SessionBase, now: float, grace_s: int = 0) -> bool:
    """Whether the user proved who they are recently (settings.CONFIRM_AFTER_S, plus `grace_s` seconds)."""
    limit = settings.CONFIRM_AFTER_S
    return not limit or now - session.get(_CONFIRMED_AT, 0) <= limit + grace_s


def note_confirmation(session: SessionBase, now: float) -> None:
    """The user has just proved who they are."""
    session[_CONFIRMED_AT] = int(now)
