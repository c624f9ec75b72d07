"""Why a proxy gives something else than the table: the likeliest reason is told."""

from datetime import UTC, datetime, timedelta

import pytest

from dialplan.differing import Change, Loads, loads_of, newest_change, why
from dialplan.trying import Tried, try_input
from efcp.mi import IdentifierReports
from efcp.mi.reports import Report
from tests.dialplan.conftest import AddRule

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLAIN = Tried("1", "No rule matches.")


def ago(minutes: int) -> datetime:
    """A moment before NOW."""
    return NOW - timedelta(minutes=minutes)


def reported(*texts: tuple[int, str]) -> IdentifierReports:
    """What a proxy reports, by minutes ago."""
    return IdentifierReports("dialplan", "default", tuple(Report(ago(at), text) for at, text in texts))


def loaded(at: int) -> list[tuple[int, str]]:
    """The reports of a load that succeeded."""
    return [
        (at, "starting DB data loading"),
        (at, "DB data loading successfully completed"),
        (at, "3 rules loaded (0 discarded)"),
    ]


@pytest.mark.parametrize(
    ("reports", "loads"),
    [
        ([], Loads()),
        (loaded(9), Loads(ago(9))),
        ([*loaded(9), *loaded(4)], Loads(ago(4))),
        ([(6, "starting DB data loading"), (5, "DB data loading successfully completed")], Loads(ago(6))),
        (
            [*loaded(9), (4, "starting DB data loading"), (3, "DB data loading failed, discarding")],
            Loads(ago(9), failed_at=ago(3)),
        ),
        ([(4, "DB data loading failed, discarding"), *loaded(2)], Loads(ago(2))),
    ],
)
def test_the_newest_load_that_succeeded_counts_from_its_beginning(
    reports: list[tuple[int, str]], loads: Loads
) -> None:
    assert loads_of(reported(*reports)) == loads


def test_a_proxy_without_reports_has_no_load() -> None:
    assert loads_of(None) == Loads()


@pytest.mark.parametrize(
    ("loads", "change", "beginning"),
    [
        (Loads(ago(9), ago(5)), None, "Its last reload failed 5 min ago"),
        (Loads(), Change("^1$", "changed", ago(5)), "It does not report when"),
        (
            Loads(ago(9)),
            Change("^1$", "changed", ago(5)),
            "Not reloaded since the rule ^1$ was changed 5 min",
        ),
        (Loads(ago(5)), Change("^1$", "deleted", ago(5)), "Not reloaded since the rule ^1$ was deleted"),
        (Loads(ago(3)), Change("^1$", "changed", ago(5)), "It was reloaded after the last change"),
        (Loads(ago(3)), None, "It was reloaded after the last change"),
    ],
)
def test_the_likeliest_reason_is_told(loads: Loads, change: Change | None, beginning: str) -> None:
    assert why(loads, change, PLAIN, NOW).startswith(beginning)


def test_a_rule_that_does_not_apply_now_may_apply_at_the_proxy(add_rule: AddRule) -> None:
    add_rule("^1$", timerec="20200101T000000|20200102T000000")
    assert why(Loads(ago(1)), None, try_input(1, "1"), NOW).startswith("A rule with a time recurrence")


def test_a_change_is_found_by_the_dialplan_that_it_concerns(add_rule: AddRule) -> None:
    add_rule("^1$")
    add_rule("^2$", dpid=2)
    found = newest_change(1)
    assert found is not None
    assert (found.rule, found.verb) == ("^1$", "added")
    assert newest_change(3) is None
