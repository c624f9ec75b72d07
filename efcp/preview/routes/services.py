"""Saying where a dialplan leads, with the audit record."""

from typing import Any

from django.db import transaction

from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.preview.models import Lead
from efcp.preview.routes.selectors import MAX_WAYS

_COLUMNS = ("target", "setid", "next_dpid", "algorithm", "flags", "route")


class TooManyLeadsError(Exception):
    """There are MAX_WAYS leads already."""


def save(
    dpid: int, attributes: str, values: dict[str, Any], actor: Actor, original: str | None = None
) -> Lead:
    """Say where translations of a dialplan with these attributes lead; what was said before is replaced.

    `original` is the edit token of the former one. Raises TooManyLeadsError or StaleFormError.
    """
    with transaction.atomic():
        lead = Lead.objects.select_for_update().filter(dpid=dpid, attributes=attributes).first()
        if lead is None and Lead.objects.count() >= MAX_WAYS:
            raise TooManyLeadsError(f"There are {MAX_WAYS} leads already.")
        if lead is not None and _values(lead) != values:
            require_current(original, lead, _subject(lead))
        before = _values(lead) if lead else None
        lead = lead or Lead(dpid=dpid, attributes=attributes)
        for name in _COLUMNS:
            setattr(lead, name, values[name])
        lead.save()
        record(actor, "edit" if before else "add", _subject(lead), before=before, after=_values(lead))
    return lead


def delete(lead: Lead, actor: Actor, original: str | None = None) -> None:
    """Forget where it leads. `original` is the form's edit token. Raises StaleFormError."""
    with transaction.atomic():
        stored = Lead.objects.select_for_update().filter(pk=lead.pk).first() or Lead()
        require_current(original, stored, _subject(lead))
        record(actor, "delete", _subject(lead), before=_values(lead))
        lead.delete()


def _values(lead: Lead) -> dict[str, Any]:
    return {name: getattr(lead, name) for name in _COLUMNS}


def _subject(lead: Lead) -> Subject:
    return Subject("dialplan lead", str(lead.dpid), f"dialplan {lead.dpid} {lead.attributes}".strip())
