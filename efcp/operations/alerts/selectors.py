"""Alerts and messages as the pages list them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from dispatcher.selectors import set_names
from efcp.operations.alerts.content import duration_text, subject_of
from efcp.operations.alerts.models import Notice, Outage

MAX_READ = 2_000
SHOWN = 200

FILTERS = {
    "open": "Open",
    "silent": "Silent",
    "closed": "Closed",
    "all": "All",
}
"""What the list of alerts can be narrowed to."""


@dataclass(slots=True)
class ListedAlert:
    """One cause and scope, in the eyes of one or more rules; `first` is the oldest of these rows."""

    first: Outage
    set_name: str
    rules: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)

    @property
    def lasted(self) -> str:
        """For how long, once it is over."""
        ended, began = self.first.ended_at, self.first.began_at
        return duration_text(max(0, int((ended - began).total_seconds()))) if ended else ""


@dataclass(frozen=True, slots=True)
class AlertList:
    """Alerts by scope; `is_cut` where there are more than are shown."""

    alerts: tuple[ListedAlert, ...]
    is_cut: bool


def alerts_by_scope(which: str, rule_id: int | None = None) -> AlertList:
    """The alerts of a filter, the newest first, one per cause and scope."""
    rows = Outage.objects.select_related("rule", "proxy")
    rows = rows.filter(rule=rule_id) if rule_id else rows
    match which:
        case "open":
            rows = rows.filter(closed_as=0, silence="", is_old=False)
        case "silent":
            rows = rows.exclude(silence="")
        case "closed":
            rows = rows.filter(closed_as__gt=0)
    read = list(rows.order_by("closed_as", "-began_at", "pk")[: MAX_READ + 1])
    by_scope = _by_scope(read)
    return AlertList(tuple(by_scope[:SHOWN]), is_cut=len(by_scope) > SHOWN or len(read) > MAX_READ)


def alerts_of(notice: Notice) -> tuple[ListedAlert, ...]:
    """The alerts that a message was the first one of; of a later message, those of its rule that go on."""
    rows = Outage.objects.select_related("rule", "proxy")
    if notice.kind in {"still", "escalated"}:
        rows = rows.filter(rule=notice.rule_id, closed_as=0).exclude(notified_at=None)
    else:
        rows = rows.filter(notice=notice)
    return tuple(_by_scope(rows.order_by("closed_as", "began_at", "pk")[:SHOWN]))


def open_ids() -> list[int]:
    """The numbers of all alerts that are open and not acknowledged."""
    rows = Outage.objects.filter(closed_as=0, silence="", is_old=False, acknowledged_at=None)
    return list(rows.values_list("pk", flat=True)[:20_000])


def open_counts() -> dict[str, int]:
    """How many alerts are open and unacknowledged, acknowledged, and silent."""
    rows = Outage.objects.filter(closed_as=0, is_old=False)
    return {
        "open": rows.filter(silence="", acknowledged_at=None).count(),
        "acknowledged": rows.exclude(acknowledged_at=None).count(),
        "silent": rows.exclude(silence="").count(),
    }


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A message, to whom it went, and what it was about in a line."""

    notice: Notice
    subject: str

    @property
    def receiver(self) -> Any:
        """The rule whose channel it went to."""
        return self.notice.receiver or self.notice.rule


def message_log(rule_id: int | None = None, *, failed_only: bool = False) -> tuple[LoggedMessage, ...]:
    """The newest messages, with their outcome."""
    rows: QuerySet[Notice] = Notice.objects.select_related("rule", "receiver")
    if rule_id:
        rows = rows.filter(Q(rule=rule_id) | Q(receiver=rule_id))
    if failed_only:
        rows = rows.filter(state__in=("given up", "unknown"))
    return tuple(LoggedMessage(each, subject_line(each)) for each in rows[:SHOWN])


def subject_line(notice: Notice) -> str:
    """The subject as it was sent, without the panel's name."""
    if not notice.content:
        return notice.kind
    return subject_of(notice.kind, notice.content).removeprefix("[EFCP] ")


def _by_scope(rows: Iterable[Outage]) -> list[ListedAlert]:
    names = set_names()
    found: dict[tuple[object, ...], ListedAlert] = {}
    for each in rows:
        when: datetime | None = each.ended_at if each.closed_as else None
        scope = (each.proxy_id, each.partition, each.setid, each.uri_key, each.began_at, when)
        listed = found.setdefault(scope, ListedAlert(each, names.get(each.setid, "")))
        listed.ids.append(each.pk)
        listed.rules.append(each.rule.name)
    return list(found.values())
