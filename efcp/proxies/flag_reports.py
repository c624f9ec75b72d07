"""What a proxy reported of a destination's flags, and the states that follow. Pure: no Django, no I/O.

A proxy keeps its last 200 reports of flags (`PARTITION;events` of the group `dispatcher`). A report says
that a flag was set ("inactive") or taken away ("active") and why, to the second, but not which flag: it is
found by what the lists before and after show (dispatch.c, _ds_set_state, alike in 3.4, 3.6 and 4.0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Flag, auto
from typing import Final, NamedTuple
from zlib import crc32

from efcp.mi.replies import IdentifierReports, StatusReport
from efcp.sip.uri import uri_key

FLAG_REPORTS_KEPT: Final = 200
LOAD_REPORTS_KEPT: Final = 20
"""How many reports the proxy keeps of flags, and of loads (dispatch.c)."""

DOWN = "down"
"""A state between two lists of which the reports only say that no calls were taken: inactive or probing."""

PROBE_FAILED = "negative probing reply"
PROBE_ANSWERED = "200 OK probing reply"


class ReportCursor(NamedTuple):
    """How far a ring of reports was read: the newest report's second, how many of that second, and which."""

    second: int
    reports: int
    digest: int

    @classmethod
    def parse(cls, text: str) -> "ReportCursor | None":
        """The cursor as `str` wrote it; None for any other text: what was read is not known."""
        parts = text.split(":")
        return cls(*map(int, parts)) if len(parts) == len(cls._fields) else None

    @classmethod
    def of(cls, reports: Sequence[StatusReport]) -> "ReportCursor":
        """The cursor at the end of a ring."""
        if not reports:
            return cls(0, 0, 0)
        newest = [report.text for report in reports if report.at == reports[-1].at]
        return cls(int(reports[-1].at.timestamp()), len(newest), crc32("\0".join(newest).encode()))

    def __str__(self) -> str:
        return f"{self.second}:{self.reports}:{self.digest}"


@dataclass(frozen=True, slots=True)
class Unread:
    """The reports that came after a cursor, oldest first, and the cursor for the next time.

    `lost` is whether there were more than the ring kept, or the proxy began a new one because it restarted.
    """

    reports: tuple[StatusReport, ...]
    cursor: ReportCursor
    lost: bool


def unread(ring: IdentifierReports | None, cursor: ReportCursor | None, kept: int) -> Unread:
    """What is new in a ring of at most `kept` reports; without a cursor none is, as nobody knows what was.

    Reports have no number. So where the ring is full and begins in the second of the cursor, how many of that
    second were pushed out is not known, and they count as lost.
    """
    reports = ring.reports if ring else ()
    seconds = [int(report.at.timestamp()) for report in reports]
    newest = ReportCursor.of(reports)
    if cursor is None or newest == cursor:
        return Unread((), newest, lost=False)
    begins_unknown = len(reports) >= kept and (not cursor.reports or seconds[0] == cursor.second)
    if begins_unknown or seconds.count(cursor.second) < cursor.reports:
        return Unread(reports, newest, lost=True)
    first = seconds.index(cursor.second) + cursor.reports if cursor.reports else 0
    return Unread(reports[first:], newest, lost=False)


class FlagReport(NamedTuple):
    """One report of a flag: `active` where it was taken away. `at` is by the proxy's clock, to the second."""

    setid: int
    uri_key: str
    active: bool
    reason: str
    at: datetime


def flag_reports(reports: Sequence[StatusReport]) -> list[FlagReport]:
    """The reports of changed flags."""
    found = ((report.at, report.state_switch()) for report in reports)
    return [
        FlagReport(each.set_id, uri_key(each.uri), each.active, each.reason, at) for at, each in found if each
    ]


class Transition(NamedTuple):
    """A change of state; `at` is None and `reason` empty where no report shows it."""

    before: str
    after: str
    reason: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transitions:
    """How one state became another, and how many of the reports explain it: the others are newer."""

    steps: tuple[Transition, ...]
    used: int


def transitions(before: str, after: str, reports: Sequence[FlagReport]) -> Transitions:
    """The transitions from the state `before` to `after`, by the longest run of reports that leads there.

    Where none does (a reload in between, a report missing), there is one transition without a reason, or
    none, and all reports count as used: nothing is guessed.
    """
    possible = [frozenset({_OF_STATE[before]})]
    for report in reports:
        possible.append(frozenset(flags for each in possible[-1] for flags in _flags_after(each, report)))
    target = _OF_STATE[after]
    for used in range(len(reports), -1, -1):
        if target in possible[used]:
            return Transitions(_steps(possible[: used + 1], target, reports[:used]), used)
    return Transitions((Transition(before, after),), len(reports))


class _Flags(Flag):
    NONE = 0
    INACTIVE = auto()
    PROBING = auto()


_BOTH = _Flags.INACTIVE | _Flags.PROBING
_OF_STATE = {"active": _Flags.NONE, "inactive": _Flags.INACTIVE, "probing": _Flags.PROBING}
_LISTED = {
    _Flags.NONE: "active",
    _Flags.INACTIVE: "inactive",
    _Flags.PROBING: "probing",
    _BOTH: "inactive",
}

_Possible = frozenset[_Flags]


def _flags_after(flags: _Flags, report: FlagReport) -> tuple[_Flags, ...]:
    """The flags that a report can leave behind; none where it can't have been reported with these."""
    if report.active:
        if flags is _Flags.NONE:
            return ()
        # Setting inactive takes the other flag away in a second step.
        between = flags == _BOTH and report.reason != PROBE_ANSWERED
        return (_Flags.INACTIVE,) if between else (_Flags.NONE,)
    if flags is _Flags.NONE:
        return (_Flags.PROBING,) if report.reason == PROBE_FAILED else (_Flags.INACTIVE, _Flags.PROBING)
    return (_BOTH,) if flags is _Flags.PROBING and report.reason != PROBE_FAILED else ()


def _steps(
    possible: Sequence[_Possible], target: _Flags, reports: Sequence[FlagReport]
) -> tuple[Transition, ...]:
    """The changes of the listed state, once what can't lead to `target` is left out."""
    kept: list[_Possible] = [frozenset({target})]
    for flags, report in zip(reversed(possible[:-1]), reversed(reports), strict=True):
        kept.append(frozenset(each for each in flags if kept[-1].intersection(_flags_after(each, report))))
    words = [_word(flags) for flags in reversed(kept)]
    return tuple(
        Transition(before, after, report.reason, report.at)
        for before, after, report in zip(words, words[1:], reports, strict=False)
        if before != after
    )


def _word(possible: _Possible) -> str:
    words = {_LISTED[flags] for flags in possible}
    return words.pop() if len(words) == 1 else DOWN
