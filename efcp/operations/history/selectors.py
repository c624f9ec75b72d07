"""Reading one destination's states on each proxy, and who changed them where that is known."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.services import subject
from efcp.audit.models import AuditRecord
from efcp.audit.selectors import AuditFilter, audit_page
from efcp.charts.axes import Tick
from efcp.charts.drawings import Pill
from efcp.modules.registry import ReloadOutcome, modules_with_live_states
from efcp.operations.history.availability import (
    COUNTS,
    known_until,
    percentage,
    period_ticks,
    pills_of,
    stored_gaps,
    up_to,
)
from efcp.operations.history.causes import ExplainedChange, with_causes
from efcp.operations.history.timeline import Period, Timeline, TimelineChange, TimelineGap, parts, timeline
from efcp.operations.maintenance.models import Maintenance
from efcp.operations.maintenance.selectors import open_of
from efcp.operations.reloads.models import ReloadResult
from efcp.proxies.models import KnownDestination, StateChange
from efcp.proxies.probing import Check, live_check, why_check
from efcp.proxies.selectors import WatchedProxy, live_states
from efcp.sip.uri import uri_key

MAX_CHANGES = 2_000
"""Of one destination on one proxy in a period; of more, the newest count."""

SHOWN_CHANGES = 50
SHOWN_RECORDS = 10
SHOWN_GAPS = 5


@dataclass(frozen=True, slots=True)
class OnProxy:
    """The destination on one proxy. `known` is what it holds now, None where it does not."""

    watched: WatchedProxy
    known: KnownDestination | None
    timeline: Timeline
    pills: tuple[Pill, ...]
    gaps: tuple[TimelineGap, ...]
    hits_per_hour: float | None

    @property
    def check(self) -> Check | None:
        """Whether it is probed, if it is active."""
        return live_check(self.watched, self.known) if self.known else None

    @property
    def why_check(self) -> str:
        """From what that is known."""
        return why_check(self.watched, self.known) if self.known and self.check else ""

    @property
    def availability(self) -> str:
        """The percentage for people, never rounded up to 100."""
        return percentage(self.timeline.availability)


@dataclass(frozen=True, slots=True)
class DestinationHistory:
    """What the page of a destination shows."""

    row: Destination
    period: Period
    ticks: tuple[Tick, ...]
    on_proxies: tuple[OnProxy, ...]
    changes: tuple[ExplainedChange, ...]
    records: tuple[AuditRecord, ...]
    maintenances: tuple[Maintenance, ...]


def history(row: Destination, period: Period, watched: Sequence[WatchedProxy]) -> DestinationHistory:
    """Read the history of a row's destination; as many queries for one proxy as for twenty."""
    end = timezone.now()
    key = uri_key(row.destination)
    listed = live_states([(row.setid, key)]).get((row.setid, key), {})
    past = _Past.read(row.setid, key, watched, end - period.value)
    on_proxies = tuple(_on_proxy(each, listed.get(each.proxy.pk, ()), past, end, period) for each in watched)
    changes = StateChange.objects.filter(proxy__in=[each.proxy.pk for each in watched], setid=row.setid)
    recent = changes.filter(uri_key=key).select_related("proxy").order_by("-at", "-pk")[:SHOWN_CHANGES]
    criteria = AuditFilter(kind=subject(row.pk, DestinationRow.of(row)).kind, subject_id=str(row.pk))
    return DestinationHistory(
        row=row,
        period=period,
        ticks=period_ticks(past.begin, end),
        on_proxies=on_proxies,
        changes=with_causes(row.setid, row.destination, list(recent)),
        records=tuple(audit_page(criteria).records[:SHOWN_RECORDS]),
        maintenances=tuple(open_of(row.setid, row.destination)),
    )


@dataclass(frozen=True, slots=True)
class _Past:
    """By proxy: changes and gaps since `begin`, oldest first; the last change before it; the last reload."""

    begin: datetime
    changes: Mapping[int, Sequence[TimelineChange]]
    earlier: Mapping[int, TimelineChange]
    gaps: Mapping[int, Sequence[TimelineGap]]
    reloaded_at: Mapping[int, datetime]

    @classmethod
    def read(cls, setid: int, key: str, watched: Sequence[WatchedProxy], begin: datetime) -> "_Past":
        """Read what is known of the first destination of this identity."""
        partitions = {each.proxy.pk: each.proxy.partition for each in watched}
        stored = StateChange.objects.filter(
            proxy__in=partitions,
            partition__in=set(partitions.values()),
            setid=setid,
            uri_key=key,
            occurrence=0,
        )
        changes: dict[int, list[TimelineChange]] = defaultdict(list)
        newest = list(stored.filter(at__gte=begin).order_by("-at", "-pk")[: MAX_CHANGES + 1])
        read_from = newest[-1].at if len(newest) > MAX_CHANGES else begin
        for one in reversed(newest):
            if partitions[one.proxy_id] == one.partition:
                changes[one.proxy_id].append(_change(one))
        before = stored.filter(at__lt=begin).values("proxy_id", "partition").annotate(last=Max("pk"))
        last = [each["last"] for each in before if partitions[each["proxy_id"]] == each["partition"]]
        reloads = ReloadResult.objects.filter(
            run__module__in=modules_with_live_states(), proxy__in=partitions, outcome=ReloadOutcome.DONE
        )
        ended = reloads.values("proxy_id").annotate(last=Max("ended_at"))
        return cls(
            begin=begin,
            changes=changes,
            gaps=stored_gaps(partitions, begin, read_from),
            earlier={one.proxy_id: _change(one) for one in StateChange.objects.filter(pk__in=last)},
            reloaded_at={each["proxy_id"]: each["last"] for each in ended if each["last"]},
        )


def _on_proxy(
    each: WatchedProxy, listed: Sequence[KnownDestination], past: _Past, end: datetime, period: Period
) -> OnProxy:
    known = listed[0] if listed else None
    line = timeline(
        past.begin,
        known_until(each, past.begin, end),
        each.contact.known_since,
        past.changes.get(each.proxy.pk, ()),
        past.earlier.get(each.proxy.pk),
        known.state if known else None,
        past.gaps.get(each.proxy.pk, ()),
    )
    whole = up_to(line, end)
    gaps = tuple(reversed(past.gaps.get(each.proxy.pk, ())))
    hits_per_hour = _hits_per_hour(each, known, past.reloaded_at.get(each.proxy.pk))
    pills = pills_of(parts(whole, COUNTS[period]))
    return OnProxy(each, known, whole, pills, gaps[:SHOWN_GAPS], hits_per_hour)


def _change(change: StateChange) -> TimelineChange:
    return TimelineChange(change.at, change.state_before, change.state_after)


def _hits_per_hour(
    each: WatchedProxy, known: KnownDestination | None, reloaded_at: datetime | None
) -> float | None:
    """First choices an hour since the table was loaded last, as far as that moment is known."""
    since = max((moment for moment in (reloaded_at, each.contact.up_since) if moment), default=None)
    if known is None or known.first_hits is None or since is None or each.now - since < timedelta(minutes=1):
        return None
    return known.first_hits / ((each.now - since) / timedelta(hours=1))
