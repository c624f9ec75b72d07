"""Why a proxy gives something else than the table: what it tells of its loads, beside what was changed here.

The moments of loads are by the proxy's clock, those of changes by the panel's, so that this is a likely
reason and no verdict.
"""

from dataclasses import dataclass
from datetime import datetime

from dialplan.trying import Tried
from efcp.audit.models import AuditRecord
from efcp.mi import IdentifierReports
from efcp.proxies.ages import in_words

_LOOKED_THROUGH = 200
_VERBS = {"add": "added", "edit": "changed", "delete": "deleted"}


@dataclass(frozen=True, slots=True)
class Change:
    """A rule was `verb` ("added", "changed", "deleted") in the panel."""

    rule: str
    verb: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Loads:
    """When the load began whose rules a proxy works with, None where it does not report it.

    `failed_at` is when a later load failed, None where none did.
    """

    begun_at: datetime | None = None
    failed_at: datetime | None = None


def loads_of(reports: IdentifierReports | None) -> Loads:
    """Read what a proxy reports of loading, the oldest first (`dp_load_db` in the module's `dp_db.c`)."""
    begun: datetime | None = None
    loads = Loads()
    for report in reports.reports if reports else ():
        if report.text.startswith("starting DB data loading"):
            begun = report.at
        elif report.text.startswith("DB data loading successfully completed"):
            loads = Loads(begun or report.at)
        elif report.text.startswith("DB data loading failed"):
            loads = Loads(loads.begun_at, report.at)
    return loads


def newest_change(dpid: int) -> Change | None:
    """The newest change of a rule of `dpid` among the last changes of all; None where none is there."""
    records = AuditRecord.objects.filter(subject_kind="dialplan").order_by("-pk")[:_LOOKED_THROUGH]
    for record in records:
        for values in (record.after, record.before):
            if values and values.get("dpid") == dpid:
                verb = _VERBS.get(record.action, "changed")
                return Change(str(values.get("match_exp", "")), verb, record.at)
    return None


def why(loads: Loads, change: Change | None, tried: Tried, now: datetime) -> str:
    """The likeliest reason, as a sentence. A proxy tells whole seconds: a change in one of them counts."""
    if loads.failed_at is not None:
        return (
            f"Its last reload failed {in_words(now - loads.failed_at)} ago: it keeps the rules from before."
        )
    if loads.begun_at is None:
        return "It does not report when it loaded its rules: reload it, and ask again."
    if change is not None and loads.begun_at <= change.at:
        age = in_words(now - change.at)
        return f"Not reloaded since the rule {change.rule} was {change.verb} {age} ago."
    if tried.depends_on_time:
        return "A rule with a time recurrence was tried, and the proxy goes by its own clock and zone."
    return (
        "It was reloaded after the last change made here: the table was changed by other hands, or it reads "
        "another table."
    )
