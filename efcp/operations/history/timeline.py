"""What a destination was over a period: a line of states, and how much of it calls could be taken. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

UNKNOWN = ""
"""The state before anybody looked."""

ABSENT = "absent"
"""The proxy did not hold the destination."""


class Period(Enum):
    """How far back is looked."""

    DAY = timedelta(days=1)
    WEEK = timedelta(days=7)
    MONTH = timedelta(days=30)

    @property
    def label(self) -> str:
        """For a URL and for people."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class TimelineChange:
    """A change of state at a moment; texts are those of the history, `before` empty where it appeared."""

    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A state that lasted from `begin` to `end`."""

    state: str
    begin: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it lasted."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Timeline:
    """The segments of a period in order, without a hole from `begin` to `end`."""

    begin: datetime
    end: datetime
    segments: tuple[Segment, ...]

    @property
    def availability(self) -> float | None:
        """The percentage of the time known in which it took calls; None where nothing is known."""
        known = [each for each in self.segments if each.state != UNKNOWN]
        total = sum((each.length for each in known), timedelta())
        if not total:
            return None
        active = sum((each.length for each in known if each.state == "active"), timedelta())
        return 100 * (active / total)

    def place(self, moment: datetime) -> float:
        """Where `moment` lies on the line, from 0 to 1000."""
        return 1000 * ((moment - self.begin) / (self.end - self.begin))


@dataclass(frozen=True, slots=True)
class TimelineGap:
    """A time of which nothing is known, and why."""

    begin: datetime
    end: datetime
    why: str


def timeline(
    begin: datetime,
    end: datetime,
    known_since: datetime | None,
    changes: Sequence[TimelineChange],
    earlier: TimelineChange | None,
    now: str | None,
    gaps: Sequence[TimelineGap] = (),
) -> Timeline:
    """The line from `begin` to `end`, out of the changes within it (oldest first).

    Before `known_since`, and in the `gaps` (oldest first), nothing is known of the proxy. `earlier` is the
    last change before `begin`, if there was one; `now` the present state, None where the proxy does not hold
    the destination.
    """
    segments: list[Segment] = []
    first_known = end if known_since is None else min(end, max(begin, known_since))
    _add(segments, UNKNOWN, begin, first_known)
    state, since = _state_at_begin(changes, earlier, now), first_known
    for change in changes:
        _add(segments, state, since, change.at)
        state, since = change.after or ABSENT, max(since, change.at)
    _add(segments, state, since, end)
    return Timeline(begin, end, _without(segments, gaps))


def _state_at_begin(
    changes: Sequence[TimelineChange], earlier: TimelineChange | None, now: str | None
) -> str:
    """Without a change in between, a state was what it is now."""
    if earlier is not None:
        return earlier.after or ABSENT
    if changes:
        return changes[0].before or ABSENT
    return now or ABSENT


def _without(segments: Sequence[Segment], gaps: Sequence[TimelineGap]) -> tuple[Segment, ...]:
    """The segments, with what lies in a gap as unknown."""
    left = list(segments)
    for gap in gaps:
        cut: list[Segment] = []
        for each in left:
            _add(cut, each.state, each.begin, min(each.end, gap.begin))
            _add(cut, UNKNOWN, max(each.begin, gap.begin), min(each.end, gap.end))
            _add(cut, each.state, max(each.begin, gap.end), each.end)
        left = cut
    return tuple(left)


def _add(segments: list[Segment], state: str, begin: datetime, end: datetime) -> None:
    if end > begin:
        segments.append(Segment(state, begin, end))
