"""The pages for errors of the panel's own."""

import logging
import sys
from dataclasses import dataclass
from enum import Enum

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from efcp.accounts.form_recovery import is_secret
from efcp.audit.models import AuditRecord
from efcp.audit.services import last_write_is_stored, writes_of
from efcp.database.failures import DatabaseFailure

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
MAX_FIELDS_SENT_AGAIN = 200
_CSRF_TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of a field


class CommitStatus(Enum):
    """Whether a request's write was stored when its connection to the database failed."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """An outcome with the audit records of the writes that are stored."""

    outcome: CommitStatus
    records: tuple[AuditRecord, ...] = ()


def server_error(request: HttpRequest) -> HttpResponse:
    """500; or where the database failed, 503 with what is wrong and whether the request's write was stored.

    A write whose COMMIT arrived although its answer was lost is found by its audit record: then the page
    says that it was saved, with 200, since sending it again would be wrong.
    """
    error = sys.exception()
    if not isinstance(error, (OperationalError, InterfaceError, InternalError)):
        return render(request, "500.html", status=500)
    failure = DatabaseFailure.of(error)
    found = outcome_of(request, failure)
    context = {
        "failure": failure,
        "outcome": found.outcome.name,
        "records": found.records,
        "is_read": request.method in {"GET", "HEAD"},
        "sent_again": _fields_to_send_again(request),
    }
    if found.outcome is CommitStatus.DONE:
        return render(request, "503.html", context, status=200)
    response = render(request, "503.html", context, status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def outcome_of(request: HttpRequest, failure: DatabaseFailure) -> WriteOutcome:
    """Look up the request's writes over a new connection.

    Only a lost connection leaves the last write open: any other failure was the database's own answer to it.
    """
    writes = writes_of(request)
    if writes is None or not writes.last_number:
        return WriteOutcome(CommitStatus.NOT_DONE)
    try:
        connection.close()
        is_stored = failure.may_be_committed and last_write_is_stored(writes)
        records = tuple(AuditRecord.objects.filter(write_id=writes.id).order_by("write_number")[:20])
    except DatabaseError:
        log.warning("The outcome of write %s is unknown", writes.id)
        connection.close()
        return WriteOutcome(CommitStatus.UNKNOWN)
    return WriteOutcome(CommitStatus.DONE if is_stored else CommitStatus.NOT_DONE, records)


def _fields_to_send_again(request: HttpRequest) -> list[tuple[str, str]]:
    """The fields of a form that can be sent once more as it was; none where it held a secret or a file."""
    if request.method != "POST" or request.headers.get("HX-Request") == "true" or request.FILES:
        return []
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    if len(fields) > MAX_FIELDS_SENT_AGAIN:
        return []
    sent = [(name, str(value)) for name, value in fields if name != _CSRF_TOKEN]
    return [] if any(is_secret(name, value) for name, value in sent) else sent
