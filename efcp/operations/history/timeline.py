"""What a destination was over a period: a line of states, and how much of it calls could be taken. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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


IMPAIRED = "impaired"
"""Of a set: some of its destinations take no calls."""

OUT = "out"
"""Of a set: none of its destinations takes calls."""


def set_timeline(
    begin: datetime,
    end: datetime,
    known_since: datetime | None,
    now: Mapping[str, int],
    courses: Sequence[tuple[Sequence[TimelineChange], str | None]],
    gaps: Sequence[TimelineGap] = (),
) -> Timeline:
    """A set's line: "active", IMPAIRED, OUT, ABSENT or UNKNOWN.

    `now` counts the destinations that the proxy holds by their state; `courses` are the changes (oldest
    first) of those that changed since `begin`, with the present state, None where it is no longer loaded.
    """
    loaded = sum(now.values()) - sum(state is not None for _changes, state in courses)
    active = now.get("active", 0) - sum(state == "active" for _changes, state in courses)
    steps: list[tuple[datetime, int, int]] = []
    for changes, present in courses:
        state = _state_at_begin(changes, None, present)
        loaded += state != ABSENT
        active += state == "active"
        for change in changes:
            after = change.after or ABSENT
            in_loaded, in_active = (
                (after != ABSENT) - (state != ABSENT),
                (after == "active") - (state == "active"),
            )
            steps.append((change.at, in_loaded, in_active))
            state = after
    segments: list[Segment] = []
    first_known = end if known_since is None else min(end, max(begin, known_since))
    _add(segments, UNKNOWN, begin, first_known)
    since = first_known
    for at, in_loaded, in_active in sorted(steps, key=lambda step: step[0]):
        _add(segments, _service(loaded, active), since, min(at, end))
        since = max(since, at)
        loaded, active = loaded + in_loaded, active + in_active
    _add(segments, _service(loaded, active), since, end)
    return Timeline(begin, end, _without(segments, gaps))


def _service(loaded: int, active: int) -> str:
    if not loaded:
        return ABSENT
    if not active:
        return OUT
    return "active" if active == loaded else IMPAIRED


@dataclass(frozen=True, slots=True)
class TimelinePart:
    """One of the equal parts of a period, and how long each state lasted in it."""

    begin: datetime
    end: datetime
    lengths: Mapping[str, timedelta]


def parts(line: Timeline, count: int) -> tuple[TimelinePart, ...]:
    """The line cut into `count` equal parts."""
    length = line.end - line.begin
    edges = [line.begin + length * index / count for index in range(count)] + [line.end]
    lengths: list[Counter[str]] = [Counter() for _ in range(count)]
    micro = timedelta(microseconds=1)
    index = 0
    for segment in line.segments:
        at = segment.begin
        while at < segment.end:
            while edges[index + 1] <= at:
                index += 1
            upto = min(segment.end, edges[index + 1])
            lengths[index][segment.state] += (upto - at) // micro
            at = upto
    return tuple(
        TimelinePart(edges[index], edges[index + 1], {state: micro * n for state, n in found.items()})
        for index, found in enumerate(lengths)
    )


def together(lines: Sequence[Sequence[TimelinePart]]) -> tuple[TimelinePart, ...]:
    """The parts of several lines of one period, their lengths summed."""
    return tuple(_summed(column) for column in zip(*lines, strict=True))


def _summed(column: Sequence[TimelinePart]) -> TimelinePart:
    lengths: dict[str, timedelta] = {}
    for each in column:
        for state, length in each.lengths.items():
            lengths[state] = lengths.get(state, timedelta()) + length
    return TimelinePart(column[0].begin, column[0].end, lengths)


def available(lines: Iterable[TimelinePart]) -> float | None:
    """The percentage of the time known in which calls were taken; None where nothing is known.

    While a set is not in memory, nothing is expected of it: that time does not count.
    """
    lengths = _summed([*lines]).lengths
    taken = lengths.get("active", timedelta()) + lengths.get(IMPAIRED, timedelta())
    known = sum((length for state, length in lengths.items() if state not in {UNKNOWN, ABSENT}), timedelta())
    return 100 * (taken / known) if known else None


def active_share(lines: Iterable[TimelinePart]) -> float | None:
    """The percentage of the time known in which a destination was active; None where nothing is known."""
    lengths = _summed([*lines]).lengths
    known = sum((length for state, length in lengths.items() if state != UNKNOWN), timedelta())
    return 100 * (lengths.get("active", timedelta()) / known) if known else None
