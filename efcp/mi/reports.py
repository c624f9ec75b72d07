"""The core's `sr_list_reports`: what modules report of their work, above all of loading and of states."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from efcp.mi.reply import Reply
from efcp.mi.shape import JsonValue, Shape, objects

_UNIX_TIMES = range(253402300800)  # up to the year 9999, the last that datetime knows

_LOADED = re.compile(r"([0-9]{1,18}) (destinations|rules) loaded \(([0-9]{1,18}) discarded\)\s*")
_SWITCHED = re.compile(
    r"DESTINATION <(.*)>, set (-?[0-9]{1,10}) switched to \[(active|inactive)\] due to (.*?)\s*", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class LoadCount:
    """How many rows a load took over (`loaded`) and dropped (`discarded`)."""

    loaded: int
    discarded: int


@dataclass(frozen=True, slots=True)
class StateSwitch:
    """A destination was switched on (`active`) or off: inactive or probing, the report does not say which."""

    uri: str
    set_id: int
    active: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """One report: when, to the second and in UTC, and its text."""

    at: datetime
    text: str

    def load_count(self) -> LoadCount | None:
        """What dispatcher says of destinations and dialplan of rules after a load, None for other reports."""
        found = _LOADED.fullmatch(self.text)
        return LoadCount(int(found[1]), int(found[3])) if found else None

    def state_switch(self) -> StateSwitch | None:
        """What dispatcher says of a destination's switch, None for other reports."""
        found = _SWITCHED.fullmatch(self.text)
        return StateSwitch(found[1], int(found[2]), found[3] == "active", found[4]) if found else None


@dataclass(frozen=True, slots=True)
class IdentifierReports:
    """The reports of one identifier, oldest first. Dispatcher's are a partition's name for loading, and that
    name with `;events` for states.
    """

    group: str
    identifier: str
    reports: tuple[Report, ...]

    def last_load_count(self) -> LoadCount | None:
        """The newest count: that of the last load that succeeded, since a failed one reports none.

        None where there is none, or where it was pushed out.
        """
        counts = (report.load_count() for report in reversed(self.reports))
        return next((count for count in counts if count is not None), None)


@dataclass(frozen=True, slots=True)
class ReportList:
    """The answer to `sr_list_reports`."""

    identifiers: tuple[IdentifierReports, ...]
    round_trip_s: float

    def of(self, group: str, identifier: str) -> IdentifierReports | None:
        """The reports of one identifier, None where there is none of that name."""
        for reports in self.identifiers:
            if (reports.group, reports.identifier) == (group, identifier):
                return reports
        return None


def parse_reports(reply: Reply, group: str | None = None, identifier: str | None = None) -> ReportList:
    """Read the result of `sr_list_reports`, shaped by what was asked for. Raises WrongShapeError."""
    return ReportList(tuple(_identifiers(reply.result, group, identifier)), reply.round_trip_s)


def _identifiers(result: JsonValue, group: str | None, identifier: str | None) -> Iterator[IdentifierReports]:
    if group is not None and identifier is not None:
        yield IdentifierReports(group, identifier, _reports(objects(result)))
    elif group is not None:
        yield from _of_group(group, objects(result))
    else:
        for shape in objects(result):
            yield from _of_group(shape.text("Name"), shape.objects("Identifiers"))


def _of_group(group: str, identifiers: Iterator[Shape]) -> Iterator[IdentifierReports]:
    for shape in identifiers:
        yield IdentifierReports(group, shape.text("Name"), _reports(shape.objects("Reports")))


def _reports(reports: Iterator[Shape]) -> tuple[Report, ...]:
    return tuple(
        Report(datetime.fromtimestamp(shape.whole("Timestamp", _UNIX_TIMES), UTC), shape.text("Log"))
        for shape in reports
    )
