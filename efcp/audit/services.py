"""Writing audit records, inside the transaction of the write that they record.

Not django-auditlog or the like, which hook into save(): the panel's writes to OpenSIPS's tables are SQL of
their own, and a record has to be able to prove whether its write was committed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from django.db import Error, IntegrityError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from efcp.audit.models import AuditRecord
from efcp.database.failures import DatabaseFailure
from efcp.proxy_headers import client_address

RECORDS_AT_ONCE = 500
"""Records that one INSERT stores."""


@dataclass(slots=True)
class RequestWrites:
    """The audited writes of one request, numbered, so that the outcome of the last one can be looked up."""

    id: str = field(default_factory=lambda: uuid4().hex)
    last_number: int = 0


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from which address (empty for the panel itself or a command).

    `token` is the name of the API token that was used, if any.
    """

    name: str
    address: str = ""
    writes: RequestWrites | None = field(default=None, compare=False)
    token: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is written: its kind ("dispatcher", "proxy", "user", ...), its id, and a label for people."""

    kind: str
    id: str
    label: str


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in user of `request` and the client's address (behind a trusted proxy: the client's own)."""
    return Actor(
        name=request.user.get_username(), address=client_address(request), writes=started_writes(request)
    )


def started_writes(request: HttpRequest) -> RequestWrites:
    """The writes of `request`, of which there may be none yet."""
    writes = writes_of(request)
    if writes is None:
        writes = request.audited_writes = RequestWrites()  # type: ignore[attr-defined]
    return writes


def writes_of(request: HttpRequest) -> RequestWrites | None:
    """The writes of `request`; None where it began none."""
    return getattr(request, "audited_writes", None)


def last_write_is_stored(writes: RequestWrites) -> bool:
    """Whether the last write of a request is in the database, asked after its connection was lost.

    A record of the same number is inserted and rolled back. While the lost transaction still ends, the unique
    key makes that wait; where it was committed, it is refused. Raises a database error where neither can be
    found out.
    """
    if not writes.last_number:
        return False
    with transaction.atomic():
        try:
            with transaction.atomic():
                AuditRecord.objects.create(
                    at=timezone.now(), write_id=writes.id, write_number=writes.last_number
                )
        except IntegrityError:
            return True
        transaction.set_rollback(True)
    return False


def stored_despite(error: Error, actor: Actor) -> AuditRecord | None:
    """The audit record of the actor's last write, if its COMMIT arrived although `error` came back for it.

    For a write that starts work: its caller goes on, because nobody else would start the work. None where the
    write is not stored. Raises a database error where that can't be found out.
    """
    writes = actor.writes
    if writes is None or connection.in_atomic_block or not DatabaseFailure.of(error).may_be_committed:
        return None
    connection.close()
    if not last_write_is_stored(writes):
        return None
    return AuditRecord.objects.get(write_id=writes.id, write_number=writes.last_number)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write among many: what `record` takes of it."""

    action: str
    subject: Subject
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


def record(
    actor: Actor,
    action: str,
    subject: Subject,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditRecord:
    """Store one audit record now; call it inside the write's own transaction.

    `before` and `after` hold plain JSON values of the columns concerned, secrets masked by the caller.
    """
    stored = _record_of(actor, AuditEntry(action, subject, before, after), reason)
    stored.save(force_insert=True)
    return stored


def record_all(actor: Actor, entries: Iterable[AuditEntry], reason: str = "") -> None:
    """Store an audit record for each entry, in their order, as `record` does for one."""
    records = [_record_of(actor, entry, reason) for entry in entries]
    AuditRecord.objects.bulk_create(records, batch_size=RECORDS_AT_ONCE)


def _record_of(actor: Actor, entry: AuditEntry, reason: str) -> AuditRecord:
    writes = actor.writes
    if writes is not None:
        writes.last_number += 1
    return AuditRecord(
        write_id=writes.id if writes else None,
        write_number=writes.last_number if writes else None,
        at=timezone.now(),
        actor=actor.name,
        token=actor.token,
        address=actor.address,
        action=entry.action,
        subject_kind=entry.subject.kind,
        subject_id=entry.subject.id,
        subject_label=entry.subject.label[:255],
        before=dict(entry.before) if entry.before is not None else None,
        after=dict(entry.after) if entry.after is not None else None,
        reason=reason[:255],
    )
