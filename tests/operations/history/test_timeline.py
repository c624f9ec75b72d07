"""The line of states over a period, and the share of the time known in which calls were taken."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from efcp.operations.history.timeline import (
    Timeline,
    TimelineChange,
    TimelineGap,
    available,
    parts,
    set_timeline,
    timeline,
)

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = BEGIN + timedelta(hours=10)


def at(hours: float) -> datetime:
    """A moment so long after the beginning."""
    return BEGIN + timedelta(hours=hours)


def spans(line: Timeline) -> list[tuple[str, float]]:
    """State and hours of each segment."""
    return [(each.state, each.length / timedelta(hours=1)) for each in line.segments]


def test_a_state_that_never_changed_fills_the_line() -> None:
    line = timeline(BEGIN, END, at(-20), [], None, "active")
    assert spans(line) == [("active", 10)]
    assert line.availability == 100


def test_a_change_divides_the_line() -> None:
    changes = [TimelineChange(at(4), "active", "probing"), TimelineChange(at(5), "probing", "active")]
    line = timeline(BEGIN, END, at(-20), changes, None, "active")
    assert spans(line) == [("active", 4), ("probing", 1), ("active", 5)]
    assert line.availability == 90


def test_the_change_before_the_period_shows_how_it_began() -> None:
    line = timeline(BEGIN, END, at(-20), [], TimelineChange(at(-1), "active", "inactive"), "inactive")
    assert spans(line) == [("inactive", 10)]
    assert line.availability == 0


def test_before_anybody_looked_the_state_is_unknown_and_counts_for_nothing() -> None:
    line = timeline(BEGIN, END, at(6), [], None, "active")
    assert spans(line) == [("", 6), ("active", 4)]
    assert line.availability == 100


def test_a_destination_that_came_with_a_reload_was_absent_before() -> None:
    line = timeline(BEGIN, END, at(-20), [TimelineChange(at(2), "", "active")], None, "active")
    assert spans(line) == [("absent", 2), ("active", 8)]
    assert line.availability == 80


def test_a_destination_that_vanished_is_absent_after() -> None:
    line = timeline(BEGIN, END, at(-20), [TimelineChange(at(7.5), "active", "")], None, None)
    assert spans(line) == [("active", 7.5), ("absent", 2.5)]


def test_a_change_after_the_first_poll_leaves_the_time_before_unknown() -> None:
    changes = [TimelineChange(at(8), "active", "inactive")]
    assert spans(timeline(BEGIN, END, at(6), changes, None, "inactive")) == [
        ("", 6),
        ("active", 2),
        ("inactive", 2),
    ]


def test_what_was_never_listed_has_no_line() -> None:
    line = timeline(BEGIN, END, None, [], None, None)
    assert spans(line) == [("", 10)]
    assert line.availability is None


STATES = st.sampled_from(["active", "probing", "inactive", ""])


@given(st.lists(st.tuples(st.floats(0, 10), STATES, STATES)), st.none() | st.tuples(STATES, STATES))
def test_the_line_has_no_hole_and_no_overlap(
    drawn: list[tuple[float, str, str]], before: tuple[str, str] | None
) -> None:
    changes = [TimelineChange(at(hours), one, other) for hours, one, other in sorted(drawn)]
    earlier = TimelineChange(at(-1), *before) if before else None
    line = timeline(BEGIN, END, at(-20), changes, earlier, "active")
    ends = [BEGIN, *(each.end for each in line.segments)]
    assert [each.begin for each in line.segments] == ends[:-1]
    assert ends[-1] == END
    assert line.availability is None or 0 <= line.availability <= 100


COURSE_STATES = ("active", "inactive", "probing", "")
MINUTES = 240
Course = list[tuple[int, str]]
"""One destination: its state from a minute on, the first at minute 0; empty where it is not held."""


def state_at(course: Course, minute: float) -> str:
    """The state then, by looking through all changes."""
    return [state for since, state in course if since <= minute][-1]


@st.composite
def courses(draw: st.DrawFn) -> list[Course]:
    """The courses of a set's destinations."""
    found = []
    for _ in range(draw(st.integers(0, 5))):
        minutes = sorted(draw(st.sets(st.integers(1, MINUTES - 1), max_size=6)))
        course: Course = [(0, draw(st.sampled_from(COURSE_STATES)))]
        for at in minutes:
            others = [each for each in COURSE_STATES if each != course[-1][1]]
            course.append((at, draw(st.sampled_from(others))))
        found.append(course)
    return found


@st.composite
def outside(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """Since which minute the proxy is known, and the gaps, which may overlap."""
    gaps = draw(st.lists(st.tuples(st.integers(0, MINUTES), st.integers(0, 60)), max_size=3))
    return draw(st.integers(0, MINUTES)), sorted((begin, begin + length) for begin, length in gaps)


def minute(number: float) -> datetime:
    return BEGIN + timedelta(minutes=number)


def changes_of(course: Course) -> list[TimelineChange]:
    return [TimelineChange(minute(at), before, after) for (_since, before), (at, after) in pairwise(course)]


@given(courses(), outside(), st.sampled_from([1, 7, 48]))
def test_a_set_is_what_its_destinations_are_at_every_moment(
    drawn: list[Course], known: tuple[int, list[tuple[int, int]]], count: int
) -> None:
    known_from, gaps = known
    now = Counter(course[-1][1] for course in drawn if course[-1][1])
    changed = [(changes_of(course), course[-1][1] or None) for course in drawn if len(course) > 1]
    line = set_timeline(
        BEGIN,
        minute(MINUTES),
        minute(known_from),
        now,
        changed,
        [TimelineGap(minute(begin), minute(end), "") for begin, end in gaps],
    )

    def naive(at: float) -> str:
        if at < known_from or any(begin <= at < end for begin, end in gaps):
            return ""
        listed = [state for course in drawn if (state := state_at(course, at))]
        active = listed.count("active")
        if not listed:
            return "absent"
        return "out" if not active else "active" if active == len(listed) else "impaired"

    samples = [number + 0.5 for number in range(MINUTES)]
    found = [next(s.state for s in line.segments if s.begin <= minute(at) < s.end) for at in samples]
    assert found == [naive(at) for at in samples]
    assert line.segments[0].begin == BEGIN
    assert line.segments[-1].end == minute(MINUTES)
    cut = parts(line, count)
    total = Counter[str]()
    for part in cut:
        assert sum(part.lengths.values(), timedelta()) == part.end - part.begin
        total.update({state: length // timedelta(microseconds=1) for state, length in part.lengths.items()})
    assert total == Counter({state: 60_000_000 * n for state, n in Counter(found).items()})
    expected = [state for state in found if state not in {"", "absent"}]
    share = available(cut)
    assert (share is None) == (not expected)
    if share is not None:
        assert abs(share - 100 * sum(s in {"active", "impaired"} for s in expected) / len(expected)) < 1e-9


@given(courses(), outside(), st.integers(1, 60))
def test_each_bar_of_a_destination_has_the_time_of_its_states(
    drawn: list[Course], known: tuple[int, list[tuple[int, int]]], count: int
) -> None:
    known_from, gaps = known
    spans = [TimelineGap(minute(begin), minute(end), "") for begin, end in gaps]
    for course in drawn:
        changes, now = changes_of(course), course[-1][1] or None
        line = timeline(BEGIN, minute(MINUTES), minute(known_from), changes, None, now, spans)
        for part in parts(line, count):
            for state, length in part.lengths.items():
                mine = (each for each in line.segments if each.state == state)
                overlap = (min(each.end, part.end) - max(each.begin, part.begin) for each in mine)
                assert length == sum((each for each in overlap if each > timedelta()), timedelta())
