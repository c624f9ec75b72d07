"""Putting a proxy's reports of flags together to states."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.destinations import DestinationState, Health
from dispatcher.routing.destinations import StateFlag as Flags
from efcp.mi.replies import IdentifierReports, StatusReport
from efcp.proxies.flag_reports import (
    DOWN,
    FlagReport,
    ReportCursor,
    Transition,
    Transitions,
    flag_reports,
    transitions,
    unread,
)

KEPT = 200
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FAILED, ANSWERED = "negative probing reply", "200 OK probing reply"


def ring(*seconds: int) -> IdentifierReports:
    """A ring of reports, by the seconds after START at which they came."""
    reports = tuple(
        StatusReport(START + timedelta(seconds=second), f"report {number}")
        for number, second in enumerate(seconds)
    )
    return IdentifierReports("dispatcher", "default;events", reports)


def parsed(*reports: str) -> list[FlagReport]:
    """Reports such as "inactive MI command", a second apart."""
    return [
        FlagReport(1, "sip:a", status == "active", reason, START + timedelta(seconds=number))
        for number, (status, _, reason) in enumerate(report.partition(" ") for report in reports)
    ]


def words(found: Transitions) -> list[str]:
    """The states along the way."""
    return [step.before for step in found.steps[:1]] + [step.after for step in found.steps]


def test_at_first_sight_nothing_is_new() -> None:
    found = unread(ring(0, 5, 5), None, KEPT)
    assert (found.reports, found.lost) == ((), False)
    assert found.cursor[:2] == (int(START.timestamp()) + 5, 2)


def test_what_came_after_the_mark_is_new_within_its_second_too() -> None:
    mark = unread(ring(0, 5), None, KEPT).cursor
    found = unread(ring(0, 5, 5, 6), mark, KEPT)
    assert [report.text for report in found.reports] == ["report 2", "report 3"]
    assert not found.lost


def test_an_empty_ring_that_fills_has_lost_nothing() -> None:
    mark = unread(None, None, KEPT).cursor
    found = unread(ring(1, 2), ReportCursor.parse(str(mark)), KEPT)
    assert (len(found.reports), found.lost) == (2, False)


@pytest.mark.parametrize("later", [ring(9, 10), ring(), None])
def test_where_the_mark_is_pushed_out_or_the_ring_new_reports_are_lost(
    later: IdentifierReports | None,
) -> None:
    mark = unread(ring(0, 5), None, KEPT).cursor
    assert unread(later, mark, KEPT).lost


LOOKS = st.lists(st.lists(st.integers(0, 2), max_size=8), min_size=2, max_size=12)
"""Between two looks: how many seconds after the last one each report came."""


@given(LOOKS)
def test_what_is_new_is_what_came_since_or_is_reported_as_lost(looks: list[list[int]]) -> None:
    kept: deque[StatusReport] = deque(maxlen=5)
    mark, now, number = None, 0, 0
    for waits in looks:
        since = []
        for wait in waits:
            now, number = now + wait, number + 1
            since.append(StatusReport(START + timedelta(seconds=now), f"report {number}"))
        kept.extend(since)
        found = unread(IdentifierReports("dispatcher", "default;events", tuple(kept)), mark, 5)
        if mark is not None and not found.lost:
            assert list(found.reports) == since
        mark = found.cursor


def test_a_mark_reads_as_it_was_written() -> None:
    assert ReportCursor.parse(str(ReportCursor(1795426721, 3, 9))) == ReportCursor(1795426721, 3, 9)
    assert ReportCursor.parse("") is None


def test_reports_of_no_flag_are_skipped() -> None:
    reports = (
        StatusReport(START, "starting DB data loading"),
        StatusReport(START, "DESTINATION <sip:A>, set 7 switched to [inactive] due to MI command\n"),
    )
    assert flag_reports(reports) == [FlagReport(7, "sip:a", False, "MI command", START)]


@pytest.mark.parametrize(
    ("before", "after", "reports", "states"),
    [
        ("active", "probing", [f"inactive {FAILED}"], ["active", "probing"]),
        ("probing", "active", [f"active {ANSWERED}"], ["probing", "active"]),
        ("probing", "inactive", ["inactive MI command", "active MI command"], ["probing", "inactive"]),
        ("active", "active", [f"inactive {FAILED}", f"active {ANSWERED}"], ["active", "probing", "active"]),
        ("active", "active", ["inactive MI command", "active MI command"], ["active", DOWN, "active"]),
        ("active", "inactive", ["inactive MI command"], ["active", "inactive"]),
        (
            "active",
            "inactive",
            ["inactive MI command", "inactive x", "active x"],
            ["active", "probing", "inactive"],
        ),
        ("inactive", "active", ["active MI command"], ["inactive", "active"]),
    ],
)
def test_states_along_the_way(before: str, after: str, reports: Sequence[str], states: list[str]) -> None:
    found = transitions(before, after, parsed(*reports))
    assert words(found) == states
    assert found.used == len(reports)


def test_a_step_has_its_reports_reason_and_second() -> None:
    (step,) = transitions("active", "probing", parsed(f"inactive {FAILED}")).steps
    assert step == Transition("active", "probing", FAILED, START)


def test_a_report_that_is_newer_than_the_list_is_left_for_the_next_one() -> None:
    assert transitions("active", "active", parsed(f"inactive {FAILED}")) == Transitions((), 0)


def test_a_change_that_no_report_leads_to_has_no_reason() -> None:
    assert transitions("inactive", "probing", parsed(f"inactive {FAILED}")) == Transitions(
        (Transition("inactive", "probing"),), 1
    )


@given(
    st.sampled_from(DestinationState),
    st.lists(st.sampled_from(["a", "i", "p", "fails", "answers"]), max_size=12),
)
def test_the_way_of_a_destination_is_found_or_left_open_never_wrong(
    first: DestinationState, acts: list[str]
) -> None:
    health = Health.of(first)
    reports: list[FlagReport] = []
    actual = [first.name.lower()]

    def report(changed: bool, active: bool, reason: str) -> None:
        if changed:
            reports.append(FlagReport(1, "sip:a", active, reason, START))
        if (state := health.state.name.lower()) != actual[-1]:
            actual.append(state)

    for act in acts:
        match act:
            case "a":
                report(health.clear(Flags.INACTIVE | Flags.PROBING), True, "MI command")
            case "i":
                report(health.set_inactive(), False, "MI command")
                report(health.clear(Flags.PROBING), True, "MI command")
            case "p":
                report(health.count_failure(1), False, "MI command")
                report(health.clear(Flags.INACTIVE), True, "MI command")
            case "fails":
                report(health.count_failure(1), False, FAILED)
            case _:
                report(health.recover(), True, ANSWERED)
    found = transitions(actual[0], actual[-1], reports)
    assert found.used == len(reports)
    path = words(found) or [actual[0]]
    assert len(path) == len(actual)
    assert all(word in {true, DOWN} for word, true in zip(path, actual, strict=True))
    assert all(true != "active" for word, true in zip(path, actual, strict=True) if word == DOWN)
