"""Store the target of a dialplan on the route map, with the audit record."""

from typing import Any

from django.db import transaction

from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.preview.models import DialplanTarget
from efcp.preview.routes.selectors import MAX_ENTRIES

_COLUMNS = ("target", "setid", "next_dpid", "algorithm", "flags", "route")


class TooManyTargetsError(Exception):
    """There are MAX_ENTRIES targets already."""


def save(
    dpid: int, attributes: str, values: dict[str, Any], actor: Actor, original: str | None = None
) -> DialplanTarget:
    """Store where translations of a dialplan with these attributes lead, replacing an earlier target.

    `original` is the edit token of the earlier one. Raises TooManyTargetsError or StaleFormError.
    """
    with transaction.atomic():
        target = DialplanTarget.objects.select_for_update().filter(dpid=dpid, attributes=attributes).first()
        if target is None and DialplanTarget.objects.count() >= MAX_ENTRIES:
            raise TooManyTargetsError(f"The limit of {MAX_ENTRIES} mappings is reached.")
        if target is not None and _values(target) != values:
            require_current(original, target, _subject(target))
        before = _values(target) if target else None
        target = target or DialplanTarget(dpid=dpid, attributes=attributes)
        for name in _COLUMNS:
            setattr(target, name, values[name])
        target.save()
        record(actor, "edit" if before else "add", _subject(target), before=before, after=_values(target))
    return target


def delete(target: DialplanTarget, actor: Actor, original: str | None = None) -> None:
    """Delete a target. `original` is the form's edit token. Raises StaleFormError."""
    with transaction.atomic():
        stored = DialplanTarget.objects.select_for_update().filter(pk=target.pk).first() or DialplanTarget()
        require_current(original, stored, _subject(target))
        record(actor, "delete", _subject(target), before=_values(target))
        target.delete()


def _values(target: DialplanTarget) -> dict[str, Any]:
    return {name: getattr(target, name) for name in _COLUMNS}


def _subject(target: DialplanTarget) -> Subject:
    # "dialplan lead" is what earlier audit records name it.
    return Subject("dialplan lead", str(target.dpid), f"dialplan {target.dpid} {target.attributes}".strip())
