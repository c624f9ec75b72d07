"""Writing audit records, inside the transaction of the write that they tell of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from efcp.audit.addresses import client_address
from efcp.audit.models import AuditRecord


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from which address (empty for the panel itself or a command)."""

    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is written: its kind ("dispatcher", "proxy", "user", ...), its id, and a label for people."""

    kind: str
    id: str
    label: str


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in user of `request` and the client's address (behind a trusted proxy: the client's own)."""
    return Actor(name=request.user.get_username(), address=client_address(request))


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
    return AuditRecord.objects.create(
        at=timezone.now(),
        actor=actor.name,
        address=actor.address,
        action=action,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_label=subject.label[:255],
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        reason=reason[:255],
    )
