"""Receive, keep and delete call logs; start the job that counts one."""

import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record
from efcp.jobs import running as jobs
from efcp.jobs.models import JobRun
from efcp.preview.distribution.log_formats import (
    SAMPLE_BYTES,
    Format,
    format_of,
    read_csv_head,
    read_parquet_head,
)
from efcp.preview.distribution.question import LogColumns, SelectArguments
from efcp.preview.models import CallLog, upload_path

KIND = "call log"
KEPT_FOR = timedelta(days=7)
FIELD = "log"
CHUNK_BYTES = 1 << 20
KEPT_FREE = 200_000_000
"""Bytes of the disk that an upload leaves to the panel's other needs."""

_STRAYS_KEPT_FOR = timedelta(days=1)
"""How long a file without a row is kept: it may belong to an upload under way."""


def refusal(request: HttpRequest) -> str:
    """Why the upload is refused before it is read; empty where it is not."""
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    if announced > settings.UPLOAD_MAX:
        return f"The file exceeds the upload limit of {largest()} (EFCP_UPLOAD_MAX)."
    folder = upload_path("")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if announced + KEPT_FREE > shutil.disk_usage(folder).free:
        return "Not enough disk space for this file."
    return ""


def largest() -> str:
    """The largest upload, for people; in powers of ten, like the setting."""
    return f"{settings.UPLOAD_MAX / 1e6:,.0f} MB"


class ReceivedLog(UploadedFile[bytes]):
    """An upload on disk, under the name `token`."""

    def __init__(self, file: BinaryIO, name: str, size: int, token: str) -> None:
        super().__init__(file=file, name=name, size=size)
        self.token = token

    @property
    def path(self) -> Path:
        """The file on disk."""
        return upload_path(self.token)


class LogUploadHandler(FileUploadHandler):
    """Writes the file of the field `log` straight to disk, never whole in memory; ignores any other file.

    `discard` deletes a file that no view has claimed.
    """

    chunk_size = CHUNK_BYTES

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.problem = ""
        self.claimed = False
        self._token = ""
        self._file: BinaryIO | None = None

    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> None:
        """Open the file on disk."""
        super().new_file(field_name, *args, **kwargs)
        if field_name != FIELD or self._token:
            raise SkipFile
        self._token = secrets.token_hex(16)
        # For the panel alone: logs show who called whom.
        descriptor = os.open(upload_path(self._token), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a chunk."""
        if self._file is None:
            return
        try:
            self._file.write(raw_data)
        except OSError as error:
            self._fail(error)
            raise StopUpload from None

    def file_complete(self, file_size: int) -> ReceivedLog | None:
        """Close the file; it is then in the request's FILES."""
        file, self._file = self._file, None
        if file is None or self.problem:
            return None
        try:
            file.close()
        except OSError as error:
            self._fail(error)
            return None
        return ReceivedLog(file, self.file_name or "", file_size, self._token)

    def discard(self) -> None:
        """Delete the file, unless a view has claimed it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        if self._token and not self.claimed:
            upload_path(self._token).unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        self.problem = f"The file could not be stored: {error.strerror}."


def keep(received: ReceivedLog, actor: Actor) -> CallLog:
    """Keep a received file as a call log; raises NotACallLogError."""
    with received.path.open("rb") as file:
        found = format_of(file.read(SAMPLE_BYTES))
    read_head = read_csv_head if found is Format.CSV else read_parquet_head
    head = read_head(received.path)
    with transaction.atomic():
        log = CallLog.objects.create(
            name=(received.name or "")[:255],
            token=received.token,
            size=received.size or 0,
            format=head.format,
            delimiter=head.delimiter,
            has_header=head.has_header,
            columns=head.columns,
            first_rows=head.first_rows,
            uploaded_at=timezone.now(),
            uploaded_by=actor.name,
        )
        record(actor, "upload", _subject(log), after={"name": log.name, "bytes": log.size})
    return log


def delete(log: CallLog, actor: Actor) -> None:
    """Delete a log with its file; the counts of it stay."""
    path = log.path
    with transaction.atomic():
        record(actor, "delete", _subject(log), before={"name": log.name, "bytes": log.size})
        log.delete()
    path.unlink(missing_ok=True)


def count(
    log: CallLog, question: SelectArguments, columns: LogColumns, sources: list[str], actor: Actor
) -> JobRun:
    """Queue the count of a log's calls; `sources` are keys."""
    arguments: dict[str, Any] = {
        "log": log.pk,
        "setid": question.setid,
        "algorithm": int(question.algorithm),
        "flags": question.flags.value,
        "columns": {field.value: index for field, index in columns.columns.items()},
        "has_header": columns.has_header,
        "sources": sources,
        "edit": asdict(question.edit) if question.edit else None,
    }
    with transaction.atomic():
        job = jobs.start(KIND, f"{log.name} through set {question.setid}", actor.name, arguments)
        record(actor, "count", _subject(log), after={"set": question.setid, "algorithm": question.algorithm})
    return job


def delete_old(now: datetime) -> int:
    """Delete logs older than KEPT_FOR, and files without a row; return how many."""
    deleted = 0
    for log in CallLog.objects.filter(uploaded_at__lt=now - KEPT_FOR):
        path = log.path
        log.delete()
        path.unlink(missing_ok=True)
        deleted += 1
    return deleted + _delete_strays(now)


def _delete_strays(now: datetime) -> int:
    folder = upload_path("")
    if not folder.is_dir():
        return 0
    known = set(CallLog.objects.values_list("token", flat=True))
    before = (now - _STRAYS_KEPT_FOR).timestamp()
    strays = [path for path in folder.iterdir() if path.name not in known and path.stat().st_mtime < before]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


def _subject(log: CallLog) -> Subject:
    return Subject("call log", str(log.pk), log.name)
