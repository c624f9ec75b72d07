"""The pages that show who changed what."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from efcp.audit.models import AuditRecord
from efcp.audit.selectors import (
    LARGEST_ID,
    AuditFilter,
    audit_page,
    changed_columns,
    differences,
    find_record,
    has_siblings,
    known_kinds,
)
from efcp.audit.syslog import failing_forwarding
from efcp.modules.registry import find_module

LONGEST_FILTER = 255


@require_safe
@permission_required("efcp.view", raise_exception=True)
def record_list(request: HttpRequest) -> HttpResponse:
    """Records, newest first; filtered by `kind`, `id`, `actor`, `q`, `set`, days `since` to `until`."""
    criteria = _criteria(request.GET)
    page = audit_page(criteria)
    context = {
        "criteria": criteria,
        "since": _day_text(criteria.since),
        "until": _day_text(criteria.until, end=True),
        "page": page,
        "lines": [(each, changed_columns(each)) for each in page.records],
        "kinds": known_kinds(),
        "forwarding": failing_forwarding(),
        "newest_url": _query(replace(criteria, before=None)),
        "older_url": _query(replace(criteria, before=page.older)) if page.older else "",
    }
    return render(request, "audit/list.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def record_page(request: HttpRequest, record_id: int) -> HttpResponse:
    """One record with what was before and after."""
    record = find_record(record_id)
    if record is None:
        raise Http404
    context = {
        "record": record,
        "differences": differences(record),
        "restore_url": _restore_url(request, record),
        "batch_url": _batch_url(request, record),
    }
    return render(request, "audit/record.html", context)


def _restore_url(request: HttpRequest, record: AuditRecord) -> str:
    """Where the row of before can be restored; empty where it can't, or not by this user."""
    module = find_module(record.subject_kind)
    if module is None or not module.restore_url or not request.user.has_perm(module.edit_permission):
        return ""
    if record.action == "state" or record.before is None:
        return ""
    return reverse(module.restore_url, args=[record.pk])


def _batch_url(request: HttpRequest, record: AuditRecord) -> str:
    """Where the rows written together with this one are listed and can be undone; empty where none are."""
    module = find_module(record.subject_kind)
    if module is None or not module.batch_url or not request.user.has_perm(module.edit_permission):
        return ""
    return reverse(module.batch_url, args=[record.write_id]) if has_siblings(record) else ""


def _criteria(parameters: QueryDict) -> AuditFilter:
    """The filter in the address; a `before` that is no id is left out."""
    before = parameters.get("before", "")
    return AuditFilter(
        kind=parameters.get("kind", "")[:LONGEST_FILTER],
        subject_id=parameters.get("id", "")[:LONGEST_FILTER],
        actor=parameters.get("actor", "")[:LONGEST_FILTER],
        text=parameters.get("q", "").strip()[:LONGEST_FILTER],
        since=_day(parameters.get("since", "")),
        until=_day(parameters.get("until", ""), end=True),
        set_number=_number(parameters.get("set", "")),
        before=min(int(before), LARGEST_ID) if before.isascii() and before.isdigit() else None,
    )


def _day(text: str, *, end: bool = False) -> datetime | None:
    """The begin of a day in the user's zone, or its end; None for what is no day."""
    try:
        day = date.fromisoformat(text)
        begin = datetime.combine(day, time.min, timezone.get_current_timezone())
        return begin + timedelta(days=1) if end else begin
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def _day_text(moment: datetime | None, *, end: bool = False) -> str:
    """The day of a filter, as the address has it."""
    if moment is None:
        return ""
    return f"{(moment - timedelta(days=1) if end else moment).date():%Y-%m-%d}"


def _query(criteria: AuditFilter) -> str:
    """The filter as an address."""
    named = {
        "kind": criteria.kind,
        "id": criteria.subject_id,
        "actor": criteria.actor,
        "q": criteria.text,
        "since": _day_text(criteria.since),
        "until": _day_text(criteria.until, end=True),
        "set": "" if criteria.set_number is None else str(criteria.set_number),
        "before": criteria.before,
    }
    return "?" + urlencode({name: value for name, value in named.items() if value})
