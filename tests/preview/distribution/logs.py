"""Call logs that tests upload and count."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pyarrow import parquet

from efcp.jobs.models import JobOutcome, JobRun
from efcp.jobs.running import execute
from efcp.preview.models import CallLog
from tests.dispatcher.conftest import add_row as add_row

CSV = b"call_id,from,start\na1@x,sip:anna@example.org,10:00\nb2@x,sip:bob@example.org,10:01\n"


def send(client: Client, content: bytes, name: str = "calls.csv") -> HttpResponse:
    return client.post(reverse("preview:distribution-upload"), {"log": SimpleUploadedFile(name, content)})  # type: ignore[return-value]


def uploaded(client: Client, content: bytes = CSV, name: str = "calls.csv") -> CallLog:
    response = send(client, content, name)
    assert response.status_code == 302, response.content.decode()
    return CallLog.objects.latest("pk")


def counted(client: Client, log: CallLog, **question: Any) -> JobRun:
    """The count of a log, done as its process does it."""
    form: dict[str, Any] = {
        "setid": 1,
        "algorithm": 0,
        "source": "table",
        "call_id": 0,
        "has_header": "on",
    } | question
    response = client.post(reverse("preview:distribution-log-count", args=[log.pk]), form)
    assert response.status_code == 302, response.content.decode()
    job = JobRun.objects.latest("pk")
    JobRun.objects.filter(pk=job.pk).update(outcome=JobOutcome.RUNNING)
    execute(job.pk)
    job.refresh_from_db()
    return job


def as_parquet(**columns: Sequence[Any]) -> bytes:
    written = io.BytesIO()
    parquet.write_table(pa.table(dict(columns)), written)
    return written.getvalue()
