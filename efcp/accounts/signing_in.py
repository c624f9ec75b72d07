"""Signing in and out: the password checked at a throttled pace, the session started or ended, both recorded.

A failed sign-in gives the same answer, after comparable work, whether or not the name exists: Django's
backend hashes a password for an unknown name too, and an inactive user counts as wrong.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from efcp.accounts.models import User
from efcp.accounts.services import subject
from efcp.accounts.sessions import known_browser
from efcp.accounts.throttle import (
    ACCOUNT,
    RECORDS_AN_HOUR,
    LoginAttempt,
    Throttled,
    count_attempt,
    reset_failures,
)
from efcp.audit.selectors import throttles_since
from efcp.audit.services import Actor, Subject, actor_of, record
from efcp.proxy_headers import client_address


@dataclass(frozen=True, slots=True)
class WrongPassword:
    """The name or the password is wrong; `wait_next` seconds before the next try is looked at."""

    wait_next: int


def sign_in(request: HttpRequest, username: str, password: str) -> User | WrongPassword | Throttled:
    """Begin a session for the user if the password is right and the try does not come too early."""
    user = check_password(request, username, password)
    if isinstance(user, User):
        with transaction.atomic():
            login(request, user)
            record(actor_of(request), "sign in", subject(user))
    return user


def check_password(request: HttpRequest, username: str, password: str) -> User | WrongPassword | Throttled:
    """The active user whose password this is, at the pace that efcp/accounts/throttle.py allows."""
    address = client_address(request)
    counted = count_attempt(username, address, timezone.now(), known_browser(request, username))
    if isinstance(counted, Throttled):
        return counted
    user = authenticate(request, username=username, password=password)
    if user is None:
        _record_throttles(counted, username, address)
        return WrongPassword(counted.wait_next)
    reset_failures(counted)
    return user


def sign_out(request: HttpRequest) -> None:
    """End the session, if there is one."""
    with transaction.atomic():
        if isinstance(request.user, User):
            record(actor_of(request), "sign out", subject(request.user))
        logout(request)


def _record_throttles(counted: LoginAttempt, username: str, address: str) -> None:
    """Record once per count of failed logins that it is throttled, at most RECORDS_AN_HOUR times.

    The name stands as it was typed, known or not. By then it was typed too often to be a password that
    slipped into the wrong field.
    """
    if not counted.began or throttles_since(timezone.now() - timedelta(hours=1)) >= RECORDS_AN_HOUR:
        return
    for kind in counted.began:
        label = username if kind == ACCOUNT else address
        record(Actor("", address), "throttle", Subject(f"sign-in {kind}", label[:64], label))
