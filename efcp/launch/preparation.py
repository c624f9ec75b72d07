"""What has to be done once before the panel's processes start: tables, static files, the first sign-in."""

import os
from dataclasses import dataclass

from django.core.management import call_command
from django.db import DatabaseError

from efcp.accounts import services as accounts
from efcp.accounts.models import User
from efcp.accounts.passwords import FIRST_PASSWORD, FIRST_USERNAME, made_up_password, password_faults
from efcp.configuration import Configuration
from efcp.database.opensips import UnusableTableError, verify_all


class PreparationError(Exception):
    """The panel can't start; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class FirstSignIn:
    """The password to sign in with at first, if this start made one that has to be told."""

    username: str
    password: str


def prepare(configuration: Configuration) -> FirstSignIn | None:
    """Create or migrate the tables, check OpenSIPS's own, collect static files, make the first administrator.

    Returns the first sign-in where it is to be told. Raises PreparationError.
    """
    _require_good_password(configuration)
    _require_writable(configuration)
    try:
        call_command("migrate", interactive=False, verbosity=0)
        verify_all()
    except UnusableTableError as error:
        raise PreparationError(str(error)) from error
    except DatabaseError as error:
        raise PreparationError(f"The database can't be used: {_one_line(error)}") from error
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        raise PreparationError(
            f"EFCP_DATA_DIR: {error.filename} can't be written: {error.strerror}."
        ) from None
    first = _first_administrator(configuration)
    _refuse_first_password_beyond_loopback(configuration)
    return first


def _require_good_password(configuration: Configuration) -> None:
    if not configuration.admin_password:
        return
    faults = password_faults(configuration.admin_password, User(username=FIRST_USERNAME))
    if faults:
        raise PreparationError(f"EFCP_ADMIN_PASSWORD: {' '.join(faults)}")


def _require_writable(configuration: Configuration) -> None:
    folder = configuration.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PreparationError(f"EFCP_DATA_DIR: {folder} can't be made: {error.strerror}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PreparationError(f"EFCP_DATA_DIR: {folder} can't be written to.")


def _first_administrator(configuration: Configuration) -> FirstSignIn | None:
    password = configuration.admin_password or (FIRST_PASSWORD if configuration.trial else made_up_password())
    was_chosen = bool(configuration.admin_password)
    created = accounts.create_first_administrator(password, must_change=not was_chosen)
    if created and not was_chosen:
        return FirstSignIn(FIRST_USERNAME, password)
    if accounts.first_password_is_unchanged():
        return FirstSignIn(FIRST_USERNAME, FIRST_PASSWORD)
    return None


def _refuse_first_password_beyond_loopback(configuration: Configuration) -> None:
    if configuration.listens_beyond_loopback:
        way = f"EFCP_HOST is {configuration.host}"
    elif configuration.is_published:
        way = f"EFCP_URL is {configuration.url}"
    else:
        return
    if accounts.first_password_is_unchanged():
        raise PreparationError(
            f"{way}, but the first password is unchanged: start on loopback without EFCP_URL, sign in and"
            " change it, or set EFCP_ADMIN_PASSWORD before the first start."
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(part) for part in error.args).replace("\n", " ")
