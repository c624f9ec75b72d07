"""Who wrote rows of the table last, by the audit records."""

from typing import Any

from django.db.models import Max

from efcp.audit.models import AuditRecord
from efcp.sip.uri import uri_key

LATEST_RECORDS = 2000
"""Among how many audit records the one that took a destination out of the table is looked for."""


def writers(row_ids: set[int]) -> dict[int, str]:
    """Who wrote each of these rows last, as far as the panel knows."""
    if not row_ids:
        return {}
    latest = (
        AuditRecord.objects.filter(
            subject_kind="dispatcher",
            subject_id__in=[str(row_id) for row_id in row_ids],
            action__in=("add", "edit"),
        )
        .values("subject_id")
        .annotate(latest=Max("id"))
        .values("latest")
    )
    records = AuditRecord.objects.filter(pk__in=latest).values_list("subject_id", "actor")
    return {int(subject_id): actor for subject_id, actor in records}


def removers(removed: set[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Who deleted these destinations, or gave their rows another set or URI, among the latest records."""
    if not removed:
        return {}
    records = (
        AuditRecord.objects.filter(subject_kind="dispatcher", action__in=("delete", "edit"))
        .order_by("-id")
        .values_list("actor", "before", "after")[:LATEST_RECORDS]
    )
    found: dict[tuple[int, str], str] = {}
    for actor, before, after in records:
        former = _set_and_key_of(before)
        if former in removed and former != _set_and_key_of(after):
            found.setdefault(former, actor)
    return found


def _set_and_key_of(columns: dict[str, Any] | None) -> tuple[int, str] | None:
    if not columns or not {"setid", "destination"} <= columns.keys():
        return None
    return columns["setid"], uri_key(columns["destination"].rstrip(" "))
