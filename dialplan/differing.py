"""A proxy gives something else than the table: what is known of its rules, and what may be the cause.

The moments of loads are by the proxy's clock, those of changes by the panel's: what follows from comparing
them is a possible cause and no verdict.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dialplan.dry_run import DryRun
from efcp.audit.models import AuditRecord
from efcp.clock import in_words
from efcp.mi import IdentifierReports
from efcp.mi.replies import LoadCount

_LOOKED_THROUGH = 200
_REQUESTED_WITHIN = timedelta(minutes=1)
_CLOCKS_DIFFER = timedelta(seconds=5)
_VERBS = {"add": "added", "edit": "changed", "delete": "deleted"}


@dataclass(frozen=True, slots=True)
class TableChange:
    """A rule was `verb` ("added", "changed", "deleted") in the panel."""

    rule: str
    verb: str
    at: datetime
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Loads:
    """When the load began whose rules a proxy works with, None where it does not report it.

    `failed_at` is when a later load failed, None where none did. `count` is what it loaded.
    """

    started_at: datetime | None = None
    failed_at: datetime | None = None
    count: LoadCount | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Sentences that are `known`, and the possible `causes`."""

    known: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


def loads_of(reports: IdentifierReports | None) -> Loads:
    """Read what a proxy reports of loading, the oldest first (`dp_load_db` in the module's `dp_db.c`)."""
    started: datetime | None = None
    loads = Loads()
    for report in reports.reports if reports else ():
        if report.text.startswith("starting DB data loading"):
            started = report.at
        elif report.text.startswith("DB data loading successfully completed"):
            loads = Loads(started or report.at)
        elif report.text.startswith("DB data loading failed"):
            loads = replace(loads, failed_at=report.at)
        elif (count := report.load_count()) and loads.failed_at is None:
            loads = replace(loads, count=count)
    return loads


def newest_change(dpid: int) -> TableChange | None:
    """The newest change of a rule of `dpid` among the last changes of all; None where none is there."""
    records = AuditRecord.objects.filter(subject_kind="dialplan").order_by("-pk")[:_LOOKED_THROUGH]
    for record in records:
        for values in (record.after, record.before):
            if values and values.get("dpid") == dpid:
                verb = _VERBS.get(record.action, "changed")
                return TableChange(str(values.get("match_exp", "")), verb, record.at, record.actor)
    return None


def panel_reload(proxy: str, loads: Loads) -> str:
    """Who had the panel reload this proxy's dialplan within a minute before that load; "" for nobody."""
    if loads.started_at is None:
        return ""
    reloads = AuditRecord.objects.filter(
        subject_kind="reload",
        action="reload",
        at__range=(loads.started_at - _REQUESTED_WITHIN, loads.started_at + _CLOCKS_DIFFER),
    )
    for record in reloads.order_by("-pk")[:_LOOKED_THROUGH]:
        is_dialplan = record.subject_label.startswith("dialplan on ")
        if is_dialplan and proxy in (record.after or {}).get("proxies", ()):
            return record.actor
    return ""


def explained(
    loads: Loads, change: TableChange | None, dry_run: DryRun, now: datetime, by: str = ""
) -> Explanation:
    """What is known of a proxy that differs, and every cause that fits; none of them is a verdict.

    A proxy reports whole seconds of its own clock: a change within one may have come after the load.
    """
    return Explanation(tuple(_known(loads, change, now, by)), tuple(_causes(loads, change, dry_run)))


def _known(loads: Loads, change: TableChange | None, now: datetime, by: str) -> Iterator[str]:
    if loads.started_at is None:
        yield "The proxy does not report when it loaded its rules."
    else:
        counted = f": {loads.count.loaded} rules, {loads.count.discarded} discarded" if loads.count else ""
        origin = f"requested here by {by}" if by else "no reload from this panel at that time"
        yield f"Loaded {in_words(now - loads.started_at)} ago by its clock{counted}; {origin}."
    if loads.failed_at is not None:
        yield f"A later reload failed {in_words(now - loads.failed_at)} ago: the previous rules stay in use."
    if change is not None:
        age = in_words(now - change.at)
        yield f"Last change here: the rule {change.rule} was {change.verb} {age} ago by {change.actor}."


def _causes(loads: Loads, change: TableChange | None, dry_run: DryRun) -> Iterator[str]:
    if change is not None and (loads.started_at is None or loads.started_at <= change.at):
        yield "not reloaded since that change"
    elif loads.failed_at is not None:
        yield "older rules in use because the last reload failed"
    if dry_run.depends_on_time:
        yield "a time recurrence applies, and the proxy uses its own clock and time zone"
    yield "the table was changed outside this panel after the load"
    yield "the proxy reads another table or database"
