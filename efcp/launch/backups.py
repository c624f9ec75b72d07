"""Backups of the tables, taken while everything runs, and restored as a whole or not at all.

A backup is a ZIP file with a JSON line for each row in `tables/NAME`, read in one snapshot, and a manifest
that is signed with EFCP_SECRET_KEY. It does not depend on the database: one of the trial's SQLite can be
restored to MariaDB. docs/backup.md describes both for administrators.
"""

import base64
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import BinaryField, Field, JSONField, Model
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from efcp import __version__
from efcp.audit.services import Actor, Subject, record
from efcp.proxies.models import WatcherHeartbeat

FORMAT = 1
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1_000_000
ROWS_AT_ONCE = 500
RUNNING_WITHIN = timedelta(seconds=20)
"""A watcher that left a heartbeat so lately is taken to run."""

LEFT_OUT = frozenset(
    {
        "accounts.FailedLogins",
        "auth.Permission",
        "contenttypes.ContentType",
        "django_tasks_database.DBTaskResult",
        "editing.TableLock",
        "proxies.SharedAnswer",
        "proxies.SharedQuestion",
        "proxies.WatcherHeartbeat",
        "sessions.Session",
        "usersessions.UserSession",
    }
)
"""Models whose rows are of the moment: who is signed in, what waits, who holds a lock."""
SESSIONS = ("usersessions.UserSession", "sessions.Session")


class BackupError(Exception):
    """A backup can't be written, or not restored; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class TableBackup:
    """One model's rows in a backup: how many, and the SHA-256 of their lines as hexadecimal digits."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `tables` are by the models' labels, `created_at` is ISO 8601."""

    version: str
    created_at: str
    migrations: frozenset[str]
    tables: dict[str, TableBackup]
    same_key: bool

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(table.rows for table in self.tables.values())


def write_backup(path: Path, *, opensips: bool = True) -> Manifest:
    """Write a new file that only its owner may read; without OpenSIPS's tables where `opensips` is false.

    Raises BackupError.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, _snapshot():
                tables = {
                    model._meta.label: _write_rows(archive, model)
                    for model in _models()
                    if opensips or model._meta.managed
                }
                archive.writestr(MANIFEST, _manifest_text(tables))
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError as error:
        raise BackupError(f"{error.filename2 or error.filename} exists already.") from None
    except OSError as error:
        raise BackupError(f"Can't write {path}: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return read_manifest(path)


def read_manifest(path: Path) -> Manifest:
    """Check the file as far as it can be without reading its rows. Raises BackupError."""
    with _opened(path) as archive:
        return _manifest_of(archive)


def check_backup(path: Path) -> Manifest:
    """Check that every row of the file is as it was written, and that this panel can restore it.

    Raises BackupError.
    """
    with _opened(path) as archive:
        manifest = _manifest_of(archive)
        _require_same_schema(manifest)
        for label, table in manifest.tables.items():
            digest, rows = hashlib.sha256(), 0
            for line in _lines(archive, label):
                digest.update(line)
                rows += 1
            if (rows, digest.hexdigest()) != (table.rows, table.sha256):
                raise BackupError(f"{path.name} was changed or damaged: {label} is not as it was written.")
    return manifest


def rows_now(manifest: Manifest) -> dict[str, int]:
    """How many rows a restore would replace, by the models' labels."""
    return {label: apps.get_model(label)._base_manager.count() for label in manifest.tables}


def require_stopped() -> None:
    """Refuse while the panel runs: it would write between the rows. Raises BackupError."""
    if WatcherHeartbeat.objects.filter(beat_at__gte=timezone.now() - RUNNING_WITHIN).exists():
        raise BackupError("The panel is running: stop it first (the watcher left a heartbeat just now).")


def restore_backup(path: Path) -> None:
    """Replace the rows of every table of the backup by its own, in one transaction; end all sessions.

    The file was checked by `check_backup`. Raises BackupError.
    """
    with _opened(path) as archive, connection.constraint_checks_disabled(), transaction.atomic():
        manifest = _manifest_of(archive)
        for label in (*SESSIONS, *manifest.tables):
            _execute(f"DELETE FROM {_quoted(apps.get_model(label))}")  # noqa: S608 - a model's table
        for label in manifest.tables:
            _insert_rows(apps.get_model(label), _lines(archive, label))
        connection.check_constraints()
        subject = Subject("backup", path.name[:64], f"backup of {manifest.created_at}")
        record(Actor("(command)"), "restore", subject, after={"rows": manifest.rows})


def _models() -> list[type[Model]]:
    """Every model whose rows are kept, by label."""
    models = apps.get_models(include_auto_created=True)
    return sorted(
        (model for model in models if model._meta.label not in LEFT_OUT), key=lambda model: model._meta.label
    )


@contextmanager
def _snapshot() -> Iterator[None]:
    """All reads see the tables as they are at one moment; nobody who writes has to wait.

    Django's own transactions take SQLite's lock for writing, and on MariaDB see what others commit.
    """
    if connection.vendor == "mysql":
        _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with transaction.atomic():
            yield
    else:
        _execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            _execute("ROLLBACK")


def _write_rows(archive: zipfile.ZipFile, model: type[Model]) -> TableBackup:
    fields = model._meta.concrete_fields
    digest, rows = hashlib.sha256(), 0
    found = model._base_manager.order_by("pk").values_list(*(field.attname for field in fields))
    with archive.open(f"tables/{model._meta.label}", "w", force_zip64=True) as file:
        for row in found.iterator(chunk_size=ROWS_AT_ONCE):
            values = {field.attname: _plain(value) for field, value in zip(fields, row, strict=True)}
            line = f"{json.dumps(values, separators=(',', ':'))}\n".encode()
            file.write(line)
            digest.update(line)
            rows += 1
    return TableBackup(rows, digest.hexdigest())


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _insert_rows(model: type[Model], lines: Iterable[bytes]) -> None:
    """Store the rows as they were: without the model's own ways to fill columns, such as "now"."""
    fields = model._meta.concrete_fields
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {_quoted(model)} ({names}) VALUES ({marks})"  # noqa: S608 - a model's columns
    rows = ([_stored(field, values[field.attname]) for field in fields] for values in map(json.loads, lines))
    with connection.cursor() as cursor:
        while chunk := list(islice(rows, ROWS_AT_ONCE)):
            cursor.executemany(sql, chunk)


def _stored(field: "Field[Any, Any]", value: Any) -> Any:
    """A value as the database takes it."""
    if isinstance(field, JSONField):
        return None if value is None and field.null else connection.ops.adapt_json_value(value, field.encoder)
    if isinstance(field, BinaryField):
        value = None if value is None else base64.b64decode(value)
    else:
        value = field.to_python(value)
    return field.get_db_prep_save(value, connection)


def _quoted(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _applied() -> frozenset[str]:
    """The migrations of the database, as "app.name"."""
    return frozenset(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def _manifest_text(tables: dict[str, TableBackup]) -> str:
    content = {
        "format": FORMAT,
        "version": __version__,
        "created_at": timezone.now().isoformat(timespec="seconds"),
        "migrations": sorted(_applied()),
        "key": _key_digest(),
        "tables": {label: [table.rows, table.sha256] for label, table in tables.items()},
    }
    return json.dumps({**content, "signature": _signature(content)}, indent=1)


def _key_digest(secret: str | None = None) -> str:
    """By which a backup knows the key that made it; of the secret key where no other is given."""
    return salted_hmac("efcp.backups.key", "", secret=secret, algorithm="sha256").hexdigest()[:16]


def _signature(content: dict[str, Any], secret: str | None = None) -> str:
    text = json.dumps(content, sort_keys=True)
    return salted_hmac("efcp.backups.manifest", text, secret=secret, algorithm="sha256").hexdigest()


def _key_of(digest: str) -> str | None:
    """The secret key or former one that has this digest."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return next((key for key in keys if _key_digest(key) == digest), None)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise BackupError(f"Can't read {path}: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, zipfile.zlib.error, EOFError) as error:  # type: ignore[attr-defined]
        raise BackupError(f"{path.name} is no backup, or it was cut off or damaged: {error}.") from None


def _lines(archive: zipfile.ZipFile, label: str) -> Iterator[bytes]:
    try:
        file = archive.open(f"tables/{label}")
    except KeyError:
        raise BackupError(f"The backup lacks {label}, which its manifest names.") from None
    with file:
        yield from file


def _manifest_of(archive: zipfile.ZipFile) -> Manifest:
    try:
        if archive.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
            raise BackupError("It is no backup of this panel: its manifest is too large.")
        content = json.loads(archive.read(MANIFEST))
        signature, key, number = content.pop("signature"), _key_of(content["key"]), content["format"]
        manifest = Manifest(
            content["version"],
            content["created_at"],
            frozenset(content["migrations"]),
            {label: TableBackup(*table) for label, table in content["tables"].items()},
            key is not None,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BackupError("It is no backup of this panel: its manifest can't be read.") from None
    if number != FORMAT:
        raise BackupError(f"The backup is of version {manifest.version}, which this version can't read.")
    if key is not None and not constant_time_compare(signature, _signature(content, key)):
        raise BackupError("The backup was changed after it was written: its signature is wrong.")
    return manifest


def _require_same_schema(manifest: Manifest) -> None:
    """Only a panel of the same tables can restore a backup. Raises BackupError."""
    applied = _applied()
    if manifest.migrations == applied:
        unknown = manifest.tables.keys() - {model._meta.label for model in _models()}
        if unknown:
            raise BackupError(f"The backup has a table that this panel does not know: {min(unknown)}.")
        return
    if manifest.migrations - applied:
        raise BackupError(
            f"The backup is of version {manifest.version}, whose tables are newer: install that version"
            f" (this is {__version__})."
        )
    raise BackupError(
        f"The backup is of version {manifest.version}, whose tables are older: install that version, restore,"
        f" then update to {__version__}."
    )
