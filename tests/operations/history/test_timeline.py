"""The line of states over a period, and the share of the time known in which calls were taken."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from efcp.operations.history.timeline import Timeline, TimelineChange, timeline

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
