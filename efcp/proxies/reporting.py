"""How far a proxy's reports were read, kept with its contact."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from efcp.proxies.changes import Told
from efcp.proxies.models import ProxyContact
from efcp.proxies.snapshot import Reports
from efcp.proxies.switches import (
    FLAG_REPORTS_KEPT,
    LOAD_REPORTS_KEPT,
    Mark,
    Switch,
    Unread,
    switches,
    unread,
)

RESTARTED = "restarted"
"""In place of a mark: the rings began anew, which empty ones do not show."""

_LOADED = "DB data loading successfully completed"


@dataclass(frozen=True, slots=True)
class Taken:
    """What the reports tell that was not read before.

    `reaches`: they reach back to what was read before. `lost`: they do not, though something was.
    """

    told: Told
    reaches: bool = False
    lost: bool = False


def take(contact: ProxyContact, reports: Reports | None) -> Taken:
    """Read on from the contact's marks, and move them; the contact is changed, not saved.

    Reports that were asked for before those of the marks tell nothing new.
    """
    if reports is None or _is_outdated(contact, reports):
        return Taken(Told())
    late = _read(contact.late_switches)
    former = Mark.parse(contact.switches_mark)
    if contact.switches_mark == RESTARTED:
        ring = reports.switches.reports if reports.switches else ()
        flags = Unread(ring, Mark.of(ring), lost=True)
    else:
        flags = unread(reports.switches, former, FLAG_REPORTS_KEPT)
    loads = unread(reports.loads, Mark.parse(contact.loads_mark), LOAD_REPORTS_KEPT)
    contact.reports_asked_at = reports.asked_at
    contact.switches_mark = str(flags.mark)
    contact.loads_mark = str(loads.mark)
    contact.late_switches = []
    reloaded = any(report.text.startswith(_LOADED) for report in loads.reports)
    told = Told(new=switches(flags.reports), late=late, reloaded=reloaded)
    return Taken(told, reaches=former is not None and not flags.lost, lost=flags.lost)


def last_switches(reports: Reports | None) -> Iterator[tuple[int, str, datetime]]:
    """Set, URI key and moment of the last flag that is reported of each destination."""
    ring = reports.switches.reports if reports and reports.switches else ()
    yield from {
        (each.setid, each.uri_key): (each.setid, each.uri_key, each.at) for each in switches(ring)
    }.values()


def keep_late(contact: ProxyContact, late: Iterable[Switch]) -> None:
    """Keep the reports that are newer than the list; the contact is changed, not saved."""
    contact.late_switches = [[*each[:-1], each.at.isoformat()] for each in late]


def _read(written: list[list[Any]]) -> list[Switch]:
    return [Switch._make((*values, datetime.fromisoformat(at))) for *values, at in written]


def _is_outdated(contact: ProxyContact, reports: Reports) -> bool:
    return contact.reports_asked_at is not None and reports.asked_at < contact.reports_asked_at
