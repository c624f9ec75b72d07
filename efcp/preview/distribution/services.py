"""Receive, keep and delete call logs; start the job that counts one."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record
from efcp.jobs import running as jobs
from efcp.jobs.models import JobRun
from efcp.jobs.uploads import ReceivedFile, upload_path
from efcp.preview.distribution.log_formats import (
    SAMPLE_BYTES,
    Format,
    format_of,
    read_csv_head,
    read_parquet_head,
)
from efcp.preview.distribution.question import LogColumns, SelectArguments
from efcp.preview.models import CallLog

KIND = "call log"
KEPT_FOR = timedelta(days=7)
FIELD = "log"
_STRAYS_KEPT_FOR = timedelta(days=1)
"""How long a file without a row is kept: it may belong to an upload under way."""


def keep(received: ReceivedFile, actor: Actor) -> CallLog:
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
