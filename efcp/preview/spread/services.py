"""FormRecovery uploaded logs, and asking for their calls to be counted."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record
from efcp.jobs import services as jobs
from efcp.jobs.models import JobRun
from efcp.preview.models import CallLog, upload_path
from efcp.preview.spread.fields import Reading
from efcp.preview.spread.peek import sketch_of_parquet
from efcp.preview.spread.question import Question
from efcp.preview.spread.sniffing import LOOKED_AT, Format, format_of, sketch_of_csv
from efcp.preview.spread.uploading import ReceivedLog

KEPT_FOR = timedelta(days=7)
"""How long an upload is kept, and a file that belongs to none, of an upload under way say, a day."""

KIND = "call log"
_STRAYS_KEPT_FOR = timedelta(days=1)


def keep(received: ReceivedLog, actor: Actor) -> CallLog:
    """Store what a received file is; raises NoLogError where it is no call log."""
    with received.path.open("rb") as file:
        found = format_of(file.read(LOOKED_AT))
    look_at = sketch_of_csv if found is Format.CSV else sketch_of_parquet
    sketch = look_at(received.path)
    with transaction.atomic():
        log = CallLog.objects.create(
            name=(received.name or "")[:255],
            token=received.token,
            size=received.size or 0,
            format=sketch.format,
            delimiter=sketch.delimiter,
            has_header=sketch.has_header,
            columns=sketch.columns,
            first_rows=sketch.first_rows,
            uploaded_at=timezone.now(),
            uploaded_by=actor.name,
        )
        record(actor, "upload", _subject(log), after={"name": log.name, "bytes": log.size})
    return log


def delete(log: CallLog, actor: Actor) -> None:
    """Delete a log with its file; what was counted of it stays."""
    path = log.path
    with transaction.atomic():
        record(actor, "delete", _subject(log), before={"name": log.name, "bytes": log.size})
        log.delete()
    path.unlink(missing_ok=True)


def count(log: CallLog, question: Question, reading: Reading, sources: list[str], actor: Actor) -> JobRun:
    """Have the calls of a log counted; `sources` are keys."""
    arguments: dict[str, Any] = {
        "log": log.pk,
        "setid": question.setid,
        "algorithm": int(question.algorithm),
        "flags": question.flags.value,
        "columns": {field.value: index for field, index in reading.columns.items()},
        "has_header": reading.has_header,
        "sources": sources,
        "edit": asdict(question.edit) if question.edit else None,
    }
    with transaction.atomic():
        job = jobs.start(KIND, f"{log.name} through set {question.setid}", actor.name, arguments)
        record(actor, "count", _subject(log), after={"set": question.setid, "algorithm": question.algorithm})
    return job


def delete_old(now: datetime) -> int:
    """Delete logs that are older than KEPT_FOR, and files that belong to none."""
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
