"""What happened: audit records, jobs, and the watch on all events with a cursor."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from efcp.accounts.roles import VIEW
from efcp.api.exchange import (
    PageQuery,
    answered,
    answered_items,
    answered_page,
    cursor_of,
    moment,
    position_of,
)
from efcp.api.operations import declared, page_of
from efcp.api.problems import not_found, refused
from efcp.api.proxies import change_as_json
from efcp.audit.models import AuditRecord
from efcp.audit.selectors import AuditFilter, audit_page, find_record
from efcp.jobs.models import JobRun
from efcp.operations.reloads.models import ReloadResult
from efcp.proxies.models import StateChange

router = Router()

LONGEST_WATCH_S = 25
LOOKED_EVERY_S = 0.5
UNCOMMITTED_FOR = timedelta(seconds=20)
"""How long a missing id may belong to a transaction that is not committed yet."""


class AuditOut(Schema):
    """Who changed what."""

    id: int = Field(description="The record's id.")
    at: str | None = Field(None, description="When.")
    actor: str | None = Field(None, description="Who.")
    token: str | None = Field(None, description="The API token that was used; empty for the panel's pages.")
    address: str | None = Field(None, description="From which address.")
    action: str | None = Field(None, description="What was done: add, edit, delete, reload, …")
    kind: str | None = Field(None, description="The kind of what was changed.")
    subject: str | None = Field(None, description="Its id.")
    label: str | None = Field(None, description="It, for people.")
    before: dict[str, Any] | None = Field(None, description="The columns before.")
    after: dict[str, Any] | None = Field(None, description="The columns after.")
    reason: str | None = Field(None, description="Why, if a reason was given.")


class AuditPageQuery(PageQuery):
    """Which records are requested."""

    kind: str = Field("", max_length=32, description="Only this kind of subject.")
    subject: str = Field("", max_length=64, description="Only the subject of this id.")
    actor: str = Field("", max_length=64, description="Only what this user did.")
    q: str = Field("", max_length=255, description="A text in subject, reason, action, address or actor.")


def record_as_json(record: AuditRecord) -> dict[str, Any]:
    """An audit record."""
    return {
        "id": record.pk,
        "at": moment(record.at),
        "actor": record.actor,
        "token": record.token,
        "address": record.address,
        "action": record.action,
        "kind": record.subject_kind,
        "subject": record.subject_id,
        "label": record.subject_label,
        "before": record.before,
        "after": record.after,
        "reason": record.reason,
    }


@router.get(
    "/audit",
    summary="List audit records",
    description="The newest first. What no index finds is looked for in 20,000 records a page.",
    operation_id="list_audit",
    url_name="audit",
    tags=["audit"],
    **declared(VIEW, answer=page_of(AuditOut)),
)
def list_audit(request: HttpRequest, query: Query[AuditPageQuery]) -> HttpResponse:
    """The audit."""
    requested = AuditFilter(
        query.kind, query.subject, query.actor, query.q.strip(), position_of(query.cursor)
    )
    found = audit_page(requested, query.limit)
    following = cursor_of(found.older) if found.older else None
    return answered_items(map(record_as_json, found.records), query.fields, following)


@router.get(
    "/audit/{int:row_id}",
    summary="Get an audit record",
    description="With the columns before and after.",
    operation_id="get_audit",
    url_name="audit-record",
    tags=["audit"],
    **declared(VIEW, answer=AuditOut),
)
def get_audit(request: HttpRequest, row_id: int) -> HttpResponse:
    """One record."""
    record = find_record(row_id)
    if record is None:
        raise not_found("There is no such record.")
    return answered(record_as_json(record))


class JobOut(Schema):
    """Long work in the background."""

    id: int = Field(description="The job's id.")
    kind: str | None = Field(None, description="Its kind.")
    title: str | None = Field(None, description="It, for people.")
    actor: str | None = Field(None, description="Who requested it.")
    requested_at: str | None = Field(None, description="When it was requested.")
    ended_at: str | None = Field(None, description="When it ended.")
    progress: int | None = Field(None, description="How much is done.")
    total: int | None = Field(None, description="Of how much; 0 where that is not known.")
    unit: str | None = Field(None, description="In what that is counted.")
    outcome: str | None = Field(None, description="waiting, running, done, failed, cancelled.")
    message: str | None = Field(None, description="Why it failed.")


def _job_as_json(job: JobRun) -> dict[str, Any]:
    names = ("kind", "title", "actor", "progress", "total", "unit", "outcome", "message")
    shown = {name: getattr(job, name) for name in names}
    return {"id": job.pk, "requested_at": moment(job.requested_at), "ended_at": moment(job.ended_at), **shown}


@router.get(
    "/jobs",
    summary="List jobs",
    description="The newest first.",
    operation_id="list_jobs",
    url_name="jobs",
    tags=["jobs"],
    **declared(VIEW, answer=page_of(JobOut)),
)
def list_jobs(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The jobs."""
    return answered_page(JobRun.objects.all(), query, _job_as_json, newest_first=True)


@router.get(
    "/jobs/{int:row_id}",
    summary="Get a job",
    description="How far it is.",
    operation_id="get_job",
    url_name="job",
    tags=["jobs"],
    **declared(VIEW, answer=JobOut),
)
def get_job(request: HttpRequest, row_id: int) -> HttpResponse:
    """One job."""
    job = JobRun.objects.filter(pk=min(row_id, 2**63 - 1)).first()
    if job is None:
        raise not_found("There is no such job.")
    return answered(_job_as_json(job))


# The watch.


class EventOut(Schema):
    """Something that happened."""

    kind: str = Field(description="write (an audit record), state (a state change) or reload (of one proxy).")
    data: dict[str, Any] = Field(description="As its own resource shows it.")


class EventPage(Schema):
    """Events after a cursor."""

    items: list[EventOut] = Field(description="By kind, the oldest first; empty where nothing happened.")
    next: str = Field(description="The cursor to go on with; nothing is lost or repeated.")


class EventQuery(Schema):
    """Events since when."""

    cursor: str = Field("", max_length=100, description="`next` of the answer before; empty: from now on.")
    wait: int = Field(0, ge=0, le=LONGEST_WATCH_S, description="Seconds to wait for an event.")
    limit: int = Field(100, ge=1, le=1_000, description="Most events of each kind.")


@dataclass(frozen=True, slots=True)
class EventSource:
    """A table whose rows are events, when they happened, and how they are shown."""

    kind: str
    rows: Callable[[], QuerySet[Any]]
    at: str
    as_json: Callable[[Any], dict[str, Any]]


def _reload_as_json(result: ReloadResult) -> dict[str, Any]:
    return {
        "run": result.run_id,
        "module": result.run.module,
        "proxy": result.proxy.name,
        "started_at": moment(result.run.started_at),
        "actor": result.run.actor,
    }


SOURCES = (
    EventSource("write", AuditRecord.objects.all, "at", record_as_json),
    EventSource("state", lambda: StateChange.objects.select_related("proxy"), "at", change_as_json),
    EventSource(
        "reload",
        lambda: ReloadResult.objects.select_related("run", "proxy"),
        "run__started_at",
        _reload_as_json,
    ),
)


@router.get(
    "/events",
    summary="Watch events",
    description="Writes, state changes and reloads after a cursor, as long polling: the answer waits for the"
    " first event. Go on with `next`; nothing is lost in between.",
    operation_id="watch_events",
    url_name="events",
    tags=["events"],
    **declared(VIEW, answer=EventPage),
)
def watch_events(request: HttpRequest, query: Query[EventQuery]) -> HttpResponse:
    """What happened after the cursor."""
    positions = positions_of(query.cursor)
    until = time.monotonic() + query.wait
    while True:
        items: list[dict[str, Any]] = []
        after = list(positions)
        for number, source in enumerate(SOURCES):
            rows = settled(source, positions[number], query.limit)
            items += [{"kind": source.kind, "data": source.as_json(row)} for row in rows]
            if rows:
                after[number] = rows[-1].pk
        if items or time.monotonic() >= until:
            return answered({"items": items, "next": event_cursor(after)})
        time.sleep(LOOKED_EVERY_S)


def settled(source: EventSource, position: int, limit: int) -> Sequence[Model]:
    """The rows after an id, up to the first gap that a transaction under way may still fill.

    An id is taken when its row is inserted, and read by others once it is committed: a lower one may come
    after a higher one. A gap older than UNCOMMITTED_FOR was rolled back or deleted. SQLite commits one writer
    after another.
    """
    rows = list(source.rows().filter(pk__gt=position).order_by("pk")[:limit])
    if connection.vendor == "sqlite":
        return rows
    newest = timezone.now() - UNCOMMITTED_FOR
    expected = position + 1
    for number, row in enumerate(rows):
        at: Any = row
        for name in source.at.split("__"):
            at = getattr(at, name)
        if row.pk != expected and at > newest:
            return rows[:number]
        expected = row.pk + 1
    return rows


def positions_of(cursor: str) -> list[int]:
    if not cursor:
        return [source.rows().order_by("-pk").values_list("pk", flat=True).first() or 0 for source in SOURCES]
    found = re.fullmatch(r"e(\d{1,18})-(\d{1,18})-(\d{1,18})", cursor, re.ASCII)
    if found is None:
        raise refused("cursor", "cursor", "This is no cursor of events.")
    return [int(each) for each in found.groups()]


def event_cursor(positions: Sequence[int]) -> str:
    return "e" + "-".join(map(str, positions))
