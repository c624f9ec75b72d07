"""Signing in and out: what proves the user at a throttled pace, the session started or ended, all recorded.

A failed sign-in gives the same answer, after comparable work, whether or not the name exists: Django's
backend hashes a password for an unknown name too, and an inactive user counts as wrong. Behind a right
password waits the second factor: until then the session is a visitor's that names the user to be.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import urlencode

from efcp.accounts.factors import FactorRefusedError, has_second_factor
from efcp.accounts.form_recovery import keep_form, page_of
from efcp.accounts.middleware import View, redirect_whole_page
from efcp.accounts.models import User
from efcp.accounts.policy import apply_to_session
from efcp.accounts.services import subject
from efcp.accounts.session_store import BACKEND
from efcp.accounts.sessions import MEANS, PROXY, is_confirmed, known_browser, note_confirmation, note_session
from efcp.accounts.throttle import (
    ACCOUNT,
    RECORDS_AN_HOUR,
    LoginAttempt,
    Throttled,
    count_attempt,
    reset_failures,
    uncount_attempt,
)
from efcp.audit.selectors import records_since
from efcp.audit.services import Actor, Subject, actor_of, record
from efcp.proxy_headers import client_address

FACTOR_WAITS_S = 600
"""Seconds in which the second factor has to follow the password."""
GRACE_S = 3600
"""Seconds for which a form may be open: by so much later it is still taken without another confirmation."""
FAILED = "sign in failed"
_PENDING = "pending_sign_in"


@dataclass(frozen=True, slots=True)
class WrongPassword:
    """The name or the password is wrong; `wait_next` seconds before the next try is looked at."""

    wait_next: int


@dataclass(frozen=True, slots=True)
class WrongFactor:
    """A code or a key was refused, and why; `wait_next` seconds before the next try is looked at."""

    text: str
    wait_next: int


class FactorNeeded:
    """The password is right, and a second factor is next."""


def sign_in(
    request: HttpRequest, username: str, password: str
) -> User | FactorNeeded | WrongPassword | Throttled:
    """Begin a session for the user if the password is right, enough, and not tried too early."""
    checked = _checked(request, username, password)
    if not isinstance(checked, tuple):
        return checked
    counted, user = checked
    if has_second_factor(user):
        uncount_attempt(counted)
        pending = {"user": user.pk, "hash": user.get_session_auth_hash(), "at": int(time.time())}
        request.session.cycle_key()
        request.session[_PENDING] = pending
        request.session.set_expiry(FACTOR_WAITS_S)
        return FactorNeeded()
    reset_failures(counted)
    begin_session(request, user, "password", has_factor=False)
    return user


def check_password(request: HttpRequest, username: str, password: str) -> User | WrongPassword | Throttled:
    """The active user whose password this is, at the pace that efcp/accounts/throttle.py allows."""
    checked = _checked(request, username, password)
    if not isinstance(checked, tuple):
        return checked
    reset_failures(checked[0])
    return checked[1]


def may_sign_in_here(user: User) -> bool:
    """Whether a user may prove who they are to the panel itself (settings.LOCAL_USERS)."""
    return not settings.LOCAL_USERS or user.username in settings.LOCAL_USERS


def pending_user(request: HttpRequest) -> User | None:
    """The user whose password was right a moment ago, and whose second factor is next."""
    pending = request.session.get(_PENDING)
    if not pending or time.time() - pending["at"] > FACTOR_WAITS_S:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    # A password that was changed meanwhile is to be typed again.
    if user is None or not constant_time_compare(pending["hash"], user.get_session_auth_hash()):
        return None
    return user


def add_second_factor(
    request: HttpRequest, user: User, use: Callable[[], str]
) -> User | WrongFactor | Throttled:
    """Begin the session of the pending `user` if `use` takes their factor, and the try isn't too early."""
    means = check_factor(request, user, use)
    if not isinstance(means, str):
        return means
    request.session.pop(_PENDING, None)
    begin_session(request, user, f"password and {means}", has_factor=True)
    return user


def check_factor(request: HttpRequest, user: User, use: Callable[[], str]) -> str | WrongFactor | Throttled:
    """The means that `use` takes as the user's, at the pace of passwords; failures are recorded.

    `use` raises FactorRefusedError.
    """
    address = client_address(request)
    counted = count_attempt(user.username, address, timezone.now(), known_browser(request, user.username))
    if isinstance(counted, Throttled):
        return counted
    try:
        means = use()
    except FactorRefusedError as refused:
        record_failure(request, user, str(refused))
        _record_throttles(counted, user.username, address)
        return WrongFactor(str(refused), counted.wait_next)
    reset_failures(counted)
    return means


def begin_session(request: HttpRequest, user: User, means: str, *, has_factor: bool) -> None:
    """Sign `user` in, who proved by `means` who they are."""
    with transaction.atomic():
        login(request, user, backend=BACKEND)
        apply_to_session(request.session, user, has_factor)
        note_session(request, user, means)
        record(actor_of(request), "sign in", subject(user), after={"means": means})
        if user.notice:
            messages.warning(request, user.notice)
            User.objects.filter(pk=user.pk).update(notice="")


def record_failure(request: HttpRequest, user: User | None, reason: str, label: str = "") -> None:
    """Record a refused sign-in, at most RECORDS_AN_HOUR times.

    An unknown name is left out: what is typed as a name is now and then a password.
    """
    if records_since(timezone.now() - timedelta(hours=1), FAILED) >= RECORDS_AN_HOUR:
        return
    of = subject(user) if user else Subject("user", "", label or "(unknown user)")
    record(Actor(user.username if user else "", client_address(request)), FAILED, of, reason=reason)


def sign_out(request: HttpRequest) -> None:
    """End the session, if there is one."""
    with transaction.atomic():
        if isinstance(request.user, User):
            record(actor_of(request), "sign out", subject(request.user))
        logout(request)


def recently_confirmed(view: View) -> View:
    """A view that is reached only soon after its user proved who they are; else it asks them to, first."""

    @wraps(view)
    def confirmed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return confirmation_needed(request) or view(request, *args, **kwargs)

    return confirmed


def confirmation_needed(request: HttpRequest) -> HttpResponse | None:
    """A redirect to the page that asks for the password or a factor again; None where that isn't needed."""
    if request.session.get(MEANS) == PROXY:
        return None  # only the proxy could ask
    grace_s = GRACE_S if request.method == "POST" else 0
    if not request.user.is_authenticated or is_confirmed(request.session, time.time(), grace_s):
        return None
    if request.method == "POST":
        keep_form(request)
    target = request.get_full_path() if request.method in {"GET", "HEAD"} else page_of(request)
    return redirect_whole_page(request, reverse("accounts:confirm") + "?" + urlencode({"next": target}))


def confirm(request: HttpRequest, means: str) -> None:
    """Note that the user has just proved who they are."""
    note_confirmation(request.session, time.time())
    record(actor_of(request), "confirm identity", subject(cast(User, request.user)), after={"means": means})


def _checked(
    request: HttpRequest, username: str, password: str
) -> tuple[LoginAttempt, User] | WrongPassword | Throttled:
    address = client_address(request)
    counted = count_attempt(username, address, timezone.now(), known_browser(request, username))
    if isinstance(counted, Throttled):
        return counted
    user = authenticate(request, username=username, password=password)
    if user is None or not may_sign_in_here(user):
        reason = "Wrong password." if user is None else "Only users of EFCP_LOCAL_USERS sign in here."
        record_failure(request, User.objects.filter(username=username[:64]).first(), reason)
        _record_throttles(counted, username, address)
        return WrongPassword(counted.wait_next)
    return counted, user


def _record_throttles(counted: LoginAttempt, username: str, address: str) -> None:
    """Record once per count of failed logins that it is throttled, at most RECORDS_AN_HOUR times.

    The name stands as it was typed, known or not. By then it was typed too often to be a password that
    slipped into the wrong field.
    """
    if not counted.began or records_since(timezone.now() - timedelta(hours=1), "throttle") >= RECORDS_AN_HOUR:
        return
    for kind in counted.began:
        label = username if kind == ACCOUNT else address
        record(Actor("", address), "throttle", Subject(f"sign-in {kind}", label[:64], label))
