"""Reading audit records, newest first, at a bounded cost however many there are."""

import contextlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Concat, Lower

from efcp.audit.models import AuditRecord
from efcp.clock import moment_text

RECORDS_PER_PAGE = 50

LARGEST_ID = 2**63 - 1
"""What the id's column holds; SQLite refuses to look for a larger number."""

SEARCHED_FOR_RECENT = 500

SEARCHED_AT_ONCE = 20_000
"""What no index finds, one page looks for in so many records; then it offers to go on with older ones."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records to list; an empty field does not filter. `before` is an id, exclusive."""

    kind: str = ""
    subject_id: str = ""
    actor: str = ""
    text: str = ""
    before: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    set_number: int | None = None
    """A set or dialplan that the columns before or after name."""

    @property
    def is_found_by_index(self) -> bool:
        """Whether one of the table's indexes leads to the requested records, newest first."""
        if self.text or self.set_number is not None or (self.subject_id and not self.kind):
            return False
        if self.since or self.until:
            return False
        return not (self.actor and self.kind)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of records; `older` is the `before` of the next page, None on the last one."""

    records: list[AuditRecord]
    older: int | None
    searched_back_to: int | None
    """The id below which no record was looked at yet; None where all were."""


def audit_page(criteria: AuditFilter, most: int = RECORDS_PER_PAGE) -> AuditPage:
    """The newest `most` records that match `criteria`, in one query, or two without an index."""
    records = _filtered(criteria)
    floor = None
    if not criteria.is_found_by_index:
        newest = criteria.before or _newest_before(criteria.until) + 1
        floor = newest - SEARCHED_AT_ONCE
        records = records.filter(id__gte=floor)
    found = list(records.order_by("-id")[: most + 1])
    if len(found) > most:
        found.pop()
        return AuditPage(found, found[-1].pk, None)
    if floor is not None and floor > 1:
        return AuditPage(found, floor, floor)
    return AuditPage(found, None, None)


def _newest_before(moment: datetime | None) -> int:
    """The id of the newest record, or of the newest before `moment`."""
    records = AuditRecord.objects.filter(at__lt=moment) if moment else AuditRecord.objects
    return records.aggregate(newest=Max("id"))["newest"] or 0


def recent_writes(limit: int, without: Collection[str] = ()) -> list[AuditRecord]:
    """The newest records among the last SEARCHED_FOR_RECENT, but for the actions `without`.

    `before` and `after` are left out.
    """
    newest = AuditRecord.objects.aggregate(newest=Max("id"))["newest"] or 0
    recent = AuditRecord.objects.filter(id__gt=newest - SEARCHED_FOR_RECENT).exclude(action__in=without)
    return list(recent.order_by("-id").defer("before", "after")[:limit])


def find_record(record_id: int) -> AuditRecord | None:
    """The record of that id; None where there is none."""
    return AuditRecord.objects.filter(pk=min(record_id, LARGEST_ID)).first()


def has_siblings(record: AuditRecord) -> bool:
    """Whether other rows of the same kind were written together with this one."""
    if record.write_id is None:
        return False
    together = AuditRecord.objects.filter(write_id=record.write_id, subject_kind=record.subject_kind)
    return together.exclude(pk=record.pk).exists()


def known_kinds() -> list[str]:
    """The kinds of subject that have records, by name.

    From each kind the index leads to the next, where DISTINCT would read all of it: one short query for each
    kind, of which there are a handful, however many records there are.
    """
    kinds: list[str] = []
    records = AuditRecord.objects.all()
    while (kind := records.aggregate(next=Min("subject_kind"))["next"]) is not None:
        kinds.append(kind)
        records = AuditRecord.objects.filter(subject_kind__gt=kind)
    return kinds


def _filtered(criteria: AuditFilter) -> QuerySet[AuditRecord]:
    records = AuditRecord.objects.all()
    if criteria.kind:
        records = records.filter(subject_kind=criteria.kind)
    if criteria.subject_id:
        records = records.filter(subject_id=criteria.subject_id)
    if criteria.actor:
        records = records.filter(actor=criteria.actor)
    if criteria.before is not None:
        records = records.filter(id__lt=criteria.before)
    if criteria.since:
        records = records.filter(at__gte=criteria.since)
    if criteria.until:
        records = records.filter(at__lt=criteria.until)
    if criteria.set_number is not None:
        records = records.filter(_names_set(criteria.set_number))
    return _containing(records, criteria.text) if criteria.text else records


def _names_set(number: int) -> Q:
    """Whose columns name the set or dialplan, before or after."""
    named = Q()
    for column in ("setid", "dpid"):
        named |= Q(**{f"before__{column}": number}) | Q(**{f"after__{column}": number})
    return named


def _containing(records: QuerySet[AuditRecord], text: str) -> QuerySet[AuditRecord]:
    """Those whose label, reason, action, address or actor contains `text` in any case.

    Lowered here, because the panel's tables compare by bytes on MariaDB.
    """
    blank = Value(" ", output_field=CharField())
    words = Concat("subject_label", blank, "reason", blank, "action", blank, "address", blank, "actor")
    return records.annotate(words=Lower(words)).filter(words__contains=text.lower())


def records_since(moment: datetime, action: str) -> int:
    """How many records of that action there are since then."""
    return AuditRecord.objects.filter(at__gte=moment, action=action).count()


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column before and after; None where the record has no such value, "NULL" where it was NULL."""

    column: str
    before: str | None
    after: str | None

    @property
    def changed(self) -> bool:
        """Whether the column was written with another value."""
        return self.before != self.after


def differences(record: AuditRecord) -> list[ColumnChange]:
    """Every column of the record, in the order in which it was recorded."""
    before, after = record.before or {}, record.after or {}
    columns = list(dict.fromkeys([*before, *after]))
    return [ColumnChange(column, _shown(before, column), _shown(after, column)) for column in columns]


def changed_columns(record: AuditRecord) -> list[str]:
    """The columns that an edit gave another value; none for what was added, deleted or has no columns."""
    if record.before is None or record.after is None:
        return []
    return [each.column for each in differences(record) if each.changed]


def _shown(values: dict[str, Any], column: str) -> str | None:
    if column not in values:
        return None
    value = values[column]
    if value is None:
        return "NULL"
    if column.endswith("_at") and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return moment_text(datetime.fromisoformat(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
