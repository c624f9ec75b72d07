"""Planning a maintenance, and changing its end; schedule.py carries it out."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.services import subject
from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy, Phase
from efcp.proxies.models import Proxy


def plan(
    row: Destination,
    proxies: Sequence[Proxy],
    begins_at: datetime,
    ends_at: datetime,
    actor: Actor,
    reason: str,
    *,
    allow_empty_set: bool = False,
) -> Maintenance:
    """Have a row's destination taken out on these proxies, and put back at the end."""
    with transaction.atomic():
        planned = Maintenance.objects.create(
            destination_id=row.pk,
            setid=row.setid,
            uri=row.destination,
            reason=reason,
            actor=actor.name,
            begins_at=begins_at,
            ends_at=ends_at,
            allow_empty_set=allow_empty_set,
        )
        MaintenanceOnProxy.objects.bulk_create(
            MaintenanceOnProxy(maintenance=planned, proxy=proxy) for proxy in proxies
        )
        record(
            actor,
            "maintenance",
            subject(row.pk, DestinationRow.of(row)),
            after=_times(begins_at, ends_at) | {"proxies": [proxy.name for proxy in proxies]},
            reason=reason,
        )
    return planned


def end_now(planned: Maintenance, actor: Actor, original: str | None = None) -> None:
    """Have it end at once: what is out is put back by the watcher, what is not yet out stays in service.

    `original` is the form's edit token. Raises StaleFormError.
    """
    now = timezone.now()
    with transaction.atomic():
        planned = _locked(planned, original)
        waiting = planned.on_proxies.filter(step=Phase.PLANNED)
        waiting.update(step=Phase.NOT_TAKEN, done_at=now, message=f"Cancelled by {actor.name}.")
        _move_end(planned, min(planned.ends_at, now), actor, "end maintenance")


def extend(planned: Maintenance, ends_at: datetime, actor: Actor, original: str | None = None) -> None:
    """Have it end later, or earlier. `original` is the form's edit token. Raises StaleFormError."""
    with transaction.atomic():
        planned = _locked(planned, original)
        _move_end(planned, ends_at, actor, "move end of maintenance")


def _locked(planned: Maintenance, original: str | None) -> Maintenance:
    stored = Maintenance.objects.select_for_update().get(pk=planned.pk)
    require_current(original, stored, _subject(stored))
    return stored


def _subject(planned: Maintenance) -> Subject:
    return Subject("dispatcher", str(planned.destination_id), f"{planned.uri} in set {planned.setid}")


def _move_end(planned: Maintenance, ends_at: datetime, actor: Actor, action: str) -> None:
    former = planned.ends_at
    planned.ends_at = ends_at
    planned.save(update_fields=["ends_at", "changed_at"])
    record(
        actor,
        action,
        _subject(planned),
        before={"ends_at": former.isoformat()},
        after={"ends_at": ends_at.isoformat()},
    )


def _times(begins_at: datetime, ends_at: datetime) -> dict[str, object]:
    return {"begins_at": begins_at.isoformat(), "ends_at": ends_at.isoformat()}
