"""Every write to the users, each with its audit record in one transaction.

What would leave the panel without an active administrator is refused. That is decided while the rows of all
active administrators are locked, so that two requests at once can't remove each other's.
"""

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction

from efcp.accounts.models import User
from efcp.accounts.passwords import FIRST_PASSWORD, FIRST_USERNAME, random_password
from efcp.accounts.roles import Role
from efcp.accounts.throttle import reset_account
from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.proxies.locking import retried_on_lock

AT_START = Actor("(start of the panel)")
SHELL = Actor("(manage.py resetadmin)")


class UserNameTakenError(Exception):
    """Another user has the name, or one that differs only in case; nothing was written."""


class UserGoneError(Exception):
    """The user was deleted meanwhile; nothing was written."""


class LastAdministratorError(Exception):
    """The change would leave no active administrator; nothing was written."""


@retried_on_lock
def add_user(username: str, role: Role, password: str, actor: Actor) -> User:
    """Store a new user, whose password must be changed at the first sign-in.

    Raises UserNameTakenError.
    """
    user = User(username=username, role=role, must_change_password=True)
    user.set_password(password)
    try:
        with transaction.atomic():
            _refuse_same_name(username)
            user.save(force_insert=True)
            record(actor, "add", subject(user), after=_for_audit(user))
    except IntegrityError as error:
        raise UserNameTakenError from error
    return user


@retried_on_lock
def add_external_user(
    username: str, role: Role, actor: Actor, *, is_active: bool = True, page_size: int = 30
) -> User:
    """Store a user without a password: a provider or proxy vouches for them, or they set one by a link.

    Raises UserNameTakenError.
    """
    user = User(username=username, role=role, is_active=is_active, page_size=page_size)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            _refuse_same_name(username)
            user.save(force_insert=True)
            record(actor, "add", subject(user), after=_for_audit(user))
    except IntegrityError as error:
        raise UserNameTakenError from error
    return user


@retried_on_lock
def change_user(user_id: int, role: Role, is_active: bool, actor: Actor, original: str | None = None) -> User:
    """Give the user the role, and let them sign in or not. Nothing is recorded where nothing changes.

    `original` is the form's edit token. Raises UserGoneError, StaleFormError or LastAdministratorError.
    """
    with transaction.atomic():
        administrators = _locked_administrators()
        user = _locked(user_id, original)
        before = _for_audit(user)
        if role != user.role:
            user.session_epoch += 1
        user.role, user.is_active = role, is_active
        if not (user.may_administer or administrators - {user.pk}):
            raise LastAdministratorError
        if _for_audit(user) != before:
            user.save(update_fields=["role", "is_active", "session_epoch"])
            record(actor, "edit", subject(user), before=before, after=_for_audit(user))
    return user


@retried_on_lock
def delete_user(user_id: int, actor: Actor, original: str | None = None) -> User:
    """Delete the user, whose sessions end with that; their audit records stay.

    `original` is the form's edit token. Raises UserGoneError, StaleFormError or LastAdministratorError.
    """
    with transaction.atomic():
        administrators = _locked_administrators()
        user = _locked(user_id, original)
        if not administrators - {user.pk}:
            raise LastAdministratorError
        record(actor, "delete", subject(user), before=_for_audit(user))
        User.objects.filter(pk=user.pk).delete()
    return user


def set_password(user_id: int, password: str, actor: Actor, original: str | None = None) -> User:
    """Give another user a password that they must change; all their sessions end.

    `original` is the form's edit token. Raises UserGoneError or StaleFormError.
    """

    def write(user: User) -> None:
        user.must_change_password = True
        user.set_password(password)

    return _write_password(user_id, write, actor, "set password", original)


def change_own_password(user: User, password: str, actor: Actor) -> User:
    """Give the signed-in user their new password; all their other sessions end. Raises UserGoneError."""

    def write(locked: User) -> None:
        locked.must_change_password = False
        locked.set_password(password)

    return _write_password(user.pk, write, actor, "change password")


def create_first_administrator(password: str, must_change: bool) -> bool:
    """Store the administrator `admin` where there is no user yet; return whether that was so.

    The policy is not asked: the trial's first password is the guide's. Safe with several processes at once.
    """
    user = User(username=FIRST_USERNAME, role=Role.ADMINISTRATOR, must_change_password=must_change)
    if User.objects.exists():
        return False
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            record(AT_START, "add", subject(user), after=_for_audit(user))
    except IntegrityError:
        return False
    return True


def first_password_is_unchanged() -> bool:
    """Whether the guide's first sign-in, admin with opensips, would be let in."""
    user = User.objects.filter(username=FIRST_USERNAME, is_active=True).first()
    return user is not None and user.check_password(FIRST_PASSWORD)


@retried_on_lock
def reset_administrator(username: str) -> str:
    """Make `username` an active administrator, created where absent, and return their made-up password.

    They must change it; their sessions end, their second factors are removed, and failed logins reset.
    """
    password = random_password()
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=username).first()
        before = None if user is None else _for_audit(user)
        user = user or User(username=username)
        user.role, user.is_active, user.must_change_password = Role.ADMINISTRATOR, True, True
        user.set_password(password)
        user.save()
        Authenticator.objects.filter(user=user).delete()
        record(SHELL, "reset", subject(user), before=before, after=_for_audit(user))
        reset_account(username)
    return password


@retried_on_lock
def end_sessions(user: User, actor: Actor) -> User:
    """End all sessions of the user; the caller keeps its own by update_session_auth_hash."""
    with transaction.atomic():
        locked = _locked(user.pk, None)
        locked.session_epoch += 1
        locked.save(update_fields=["session_epoch"])
        record(actor, "sign out everywhere", subject(locked))
    return locked


def subject(user: User) -> Subject:
    """How audit records name a user."""
    return Subject("user", str(user.pk), user.username)


@retried_on_lock
def _write_password(
    user_id: int, write: Callable[[User], None], actor: Actor, action: str, original: str | None = None
) -> User:
    with transaction.atomic():
        user = _locked(user_id, original)
        before = _for_audit(user)
        write(user)
        user.save(update_fields=["password", "must_change_password"])
        record(actor, action, subject(user), before=before, after=_for_audit(user))
    return user


def _locked_administrators() -> set[int]:
    locked = User.objects.select_for_update().filter(role=Role.ADMINISTRATOR, is_active=True).order_by("pk")
    return {user.pk for user in locked}


def _locked(user_id: int, original: str | None) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise UserGoneError
    require_current(original, user, subject(user))
    return user


def _refuse_same_name(username: str) -> None:
    names = User.objects.values_list("username", flat=True)
    if username.casefold() in {name.casefold() for name in names}:
        raise UserNameTakenError


def _for_audit(user: User) -> dict[str, Any]:
    return {
        "username": user.username,
        "role": str(user.role),
        "is_active": user.is_active,
        "must_change_password": user.must_change_password,
    }
