"""What has to be done once before the panel's processes start: tables, static files, the first sign-in."""

import errno
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from efcp.accounts import services as accounts
from efcp.accounts.models import User
from efcp.accounts.passwords import FIRST_PASSWORD, FIRST_USERNAME, password_faults, random_password
from efcp.configuration import Configuration
from efcp.database.opensips import UnusableTableError, verify_all
from efcp.operations.reconciliation import close_abandoned


class PreparationError(Exception):
    """The panel can't start; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class FirstSignIn:
    """The password to sign in with at first, if this start created one that has to be shown."""

    username: str
    password: str


def prepare(configuration: Configuration) -> FirstSignIn | None:
    """Create or migrate the tables, check OpenSIPS's own, collect static files, make the first administrator.

    Reloads and settings of states that an ended process left open are closed.

    Returns the first sign-in where it is to be shown. Raises PreparationError.
    """
    _require_good_password(configuration)
    _require_writable(configuration)
    try:
        _refuse_newer_schema()
        _migrate()
        _require_own_tables()
        verify_all()
        close_abandoned(timezone.now())
    except UnusableTableError as error:
        raise PreparationError(str(error)) from error
    except DatabaseError as error:
        raise PreparationError(f"The database can't be used: {_one_line(error)}") from error
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        raise PreparationError(f"EFCP_DATA_DIR: can't write to {error.filename}: {error.strerror}.") from None
    first = _first_administrator(configuration)
    _refuse_first_password_beyond_loopback(configuration)
    return first


def _migrate() -> None:
    """Apply what is missing; on SQLite all of it or nothing, whenever the process is killed.

    Django records a migration after the transaction that creates its tables where indexes are still to be
    created: a start that was killed in between would find tables that no migration made. MariaDB commits each
    statement by itself.
    """
    with ExitStack() as stack:
        if connection.vendor == "sqlite":
            stack.enter_context(connection.constraint_checks_disabled())
            stack.enter_context(transaction.atomic())
        call_command("migrate", interactive=False, verbosity=0)


def _refuse_newer_schema() -> None:
    """Refuse to work on tables of a newer panel: this one would write what that one can't read."""
    loader = MigrationLoader(connection)
    own_apps = {app.label for app in apps.get_app_configs()}
    newer = sorted(
        f"{app}.{name}"
        for app, name in loader.applied_migrations
        if app in own_apps
        and (app, name) not in loader.disk_migrations
        and not _was_replaced(loader, app, name)
    )
    if newer:
        raise PreparationError(
            f"The database was made by a newer version of the panel ({newer[-1]}): install that, or restore a"
            " backup."
        )


def _was_replaced(loader: MigrationLoader, app: str, name: str) -> bool:
    return any((app, name) in migration.replaces for migration in loader.disk_migrations.values())


def _require_own_tables() -> None:
    """Report tables that are missing although their migrations ran: no page would say it as plainly."""
    present = set(connection.introspection.table_names())
    models = apps.get_models(include_auto_created=True)
    expected = {model._meta.db_table for model in models if model._meta.managed}
    if missing := sorted(expected - present):
        raise PreparationError(
            f"The database lacks the table {missing[0]}"
            + (f" and {len(missing) - 1} more" if missing[1:] else "")
            + ": restore a backup, or begin with an empty schema."
        )


def require_event_address(configuration: Configuration) -> None:
    """Refuse to start a watcher here that no proxy could send its events to. Raises PreparationError."""
    address = configuration.watching.event_address
    try:
        is_free(address, 0, socket.SOCK_DGRAM)
    except OSError as error:
        raise PreparationError(
            f"EFCP_EVENT_ADDRESS is {address}, which is not an address of this host: {error.strerror}."
        ) from None


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
        raise PreparationError(f"EFCP_DATA_DIR: {folder} can't be created: {error.strerror}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PreparationError(f"EFCP_DATA_DIR: {folder} can't be written to.")


def _first_administrator(configuration: Configuration) -> FirstSignIn | None:
    password = configuration.admin_password or (FIRST_PASSWORD if configuration.trial else random_password())
    was_chosen = bool(configuration.admin_password)
    created = accounts.create_first_administrator(password, must_change=not was_chosen)
    if created and not was_chosen:
        return FirstSignIn(FIRST_USERNAME, password)
    if accounts.first_password_is_unchanged():
        return FirstSignIn(FIRST_USERNAME, FIRST_PASSWORD)
    return None


def _refuse_first_password_beyond_loopback(configuration: Configuration) -> None:
    if configuration.listens_beyond_loopback:
        setting = f"EFCP_HOST is {configuration.host}"
    elif configuration.is_published:
        setting = f"EFCP_URL is {configuration.url}"
    else:
        return
    if accounts.first_password_is_unchanged():
        raise PreparationError(
            f"{setting}, but the first password is unchanged: start on loopback without EFCP_URL, sign in and"
            " change it, or set EFCP_ADMIN_PASSWORD before the first start."
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(part) for part in error.args).replace("\n", " ")


MAX_PORT = 65535


class NoFreePortError(Exception):
    """No port from the configured one upwards is free; the message is one line for people."""


def is_free(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Whether `port` of `host` is free; raise OSError where binding fails for another reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def next_free(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """The first free port from `port` upwards, looking at 200 at most."""
    for candidate in range(port, min(port + 200, MAX_PORT)):
        if is_free(host, candidate, kind):
            return candidate
    raise NoFreePortError(f"No port from {port} to {port + 199} is free.")
