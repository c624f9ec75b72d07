"""What a proxy reported of a destination's flags, put together to states. No database.

A proxy keeps its last 200 reports of flags (`PARTITION;events` of the group `dispatcher`). A report tells
that a flag was set ("inactive") or taken away ("active") and why, to the second, but not which flag: it is
found by what a list told before and after (dispatch.c, _ds_set_state, alike in 3.4, 3.6 and 4.0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Flag, auto
from typing import Final, NamedTuple
from zlib import crc32

from efcp.mi.replies import IdentifierReports, Report
from efcp.sip.uri import uri_key

FLAG_REPORTS_KEPT: Final = 200
LOAD_REPORTS_KEPT: Final = 20
"""How many reports the proxy keeps of flags, and of loads (dispatch.c)."""

DOWN = "down"
"""A state between two lists of which the reports only tell that no calls were taken: inactive or probing."""

PROBE_FAILED = "negative probing reply"
PROBE_ANSWERED = "200 OK probing reply"


class Mark(NamedTuple):
    """How far a ring of reports was read: the newest report's second, how many of that second, and which."""

    second: int
    reports: int
    digest: int

    @classmethod
    def parse(cls, text: str) -> "Mark | None":
        """The mark as `str` wrote it; None for any other text: what was read is not known."""
        parts = text.split(":")
        return cls(*map(int, parts)) if len(parts) == len(cls._fields) else None

    @classmethod
    def of(cls, reports: Sequence[Report]) -> "Mark":
        """The mark at the end of a ring."""
        if not reports:
            return cls(0, 0, 0)
        newest = [report.text for report in reports if report.at == reports[-1].at]
        return cls(int(reports[-1].at.timestamp()), len(newest), crc32("\0".join(newest).encode()))

    def __str__(self) -> str:
        return f"{self.second}:{self.reports}:{self.digest}"


@dataclass(frozen=True, slots=True)
class Unread:
    """The reports that came after a mark, oldest first, and the mark for the next time.

    `lost` tells that there were more than the ring kept, or that the proxy began a new one: it restarted.
    """

    reports: tuple[Report, ...]
    mark: Mark
    lost: bool


def unread(ring: IdentifierReports | None, mark: Mark | None, kept: int) -> Unread:
    """What is new in a ring of at most `kept` reports; without a mark none is, as nobody knows what was.

    Reports have no number. So where the ring is full and begins in the second of the mark, how many of that
    second were pushed out is not known, and they count as lost.
    """
    reports = ring.reports if ring else ()
    seconds = [int(report.at.timestamp()) for report in reports]
    newest = Mark.of(reports)
    if mark is None or newest == mark:
        return Unread((), newest, lost=False)
    begins_unknown = len(reports) >= kept and (not mark.reports or seconds[0] == mark.second)
    if begins_unknown or seconds.count(mark.second) < mark.reports:
        return Unread(reports, newest, lost=True)
    first = seconds.index(mark.second) + mark.reports if mark.reports else 0
    return Unread(reports[first:], newest, lost=False)


class Switch(NamedTuple):
    """One report of a flag: `active` where it was taken away. `at` is by the proxy's clock, to the second."""

    setid: int
    uri_key: str
    active: bool
    reason: str
    at: datetime


def switches(reports: Sequence[Report]) -> list[Switch]:
    """The reports that tell of flags."""
    told = ((report.at, report.state_switch()) for report in reports)
    return [Switch(each.set_id, uri_key(each.uri), each.active, each.reason, at) for at, each in told if each]


class Step(NamedTuple):
    """A change of state; `at` is None and `reason` empty where no report tells of it."""

    before: str
    after: str
    reason: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """How a state came to be another, and how many of the reports belong to it: later ones are newer."""

    steps: tuple[Step, ...]
    used: int


def path(before: str, after: str, told: Sequence[Switch]) -> Path:
    """The way from the state `before` to `after`, by the longest run of reports that leads there.

    Where none does (a reload in between, a report missing), the way is one step without a reason, or none,
    and all reports count as used: what can't be explained is not guessed.
    """
    possible = [frozenset({_OF_STATE[before]})]
    for switch in told:
        possible.append(frozenset(flags for each in possible[-1] for flags in _switched(each, switch)))
    wanted = _OF_STATE[after]
    for used in range(len(told), -1, -1):
        if wanted in possible[used]:
            return Path(_steps(possible[: used + 1], wanted, told[:used]), used)
    return Path((Step(before, after),), len(told))


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


def _switched(flags: _Flags, switch: Switch) -> tuple[_Flags, ...]:
    """The flags that a report can leave behind; none where it can't have been reported with these."""
    if switch.active:
        if flags is _Flags.NONE:
            return ()
        # Setting inactive takes the other flag away in a second step.
        between = flags == _BOTH and switch.reason != PROBE_ANSWERED
        return (_Flags.INACTIVE,) if between else (_Flags.NONE,)
    if flags is _Flags.NONE:
        return (_Flags.PROBING,) if switch.reason == PROBE_FAILED else (_Flags.INACTIVE, _Flags.PROBING)
    return (_BOTH,) if flags is _Flags.PROBING and switch.reason != PROBE_FAILED else ()


def _steps(possible: Sequence[_Possible], wanted: _Flags, told: Sequence[Switch]) -> tuple[Step, ...]:
    """The changes of the listed state along the way, once what can't lead to `wanted` is left out."""
    kept: list[_Possible] = [frozenset({wanted})]
    for flags, switch in zip(reversed(possible[:-1]), reversed(told), strict=True):
        kept.append(frozenset(each for each in flags if kept[-1].intersection(_switched(each, switch))))
    words = [_word(flags) for flags in reversed(kept)]
    return tuple(
        Step(before, after, switch.reason, switch.at)
        for before, after, switch in zip(words, words[1:], told, strict=False)
        if before != after
    )


def _word(possible: _Possible) -> str:
    words = {_LISTED[flags] for flags in possible}
    return words.pop() if len(words) == 1 else DOWN
