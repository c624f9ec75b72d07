"""Why a proxy gives another output than the table: known facts and possible causes."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from dialplan.differing import Loads, TableChange, explained, loads_of, newest_change, panel_reload
from dialplan.dry_run import DryRun, try_input
from efcp.audit.services import Actor, Subject, record
from efcp.mi import IdentifierReports
from efcp.mi.replies import LoadCount, StatusReport
from tests.conftest import AddRule

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
THREE = LoadCount(3, 0)
PLAIN = DryRun("1", "No rule matches.")


def ago(minutes: int) -> datetime:
    """A moment before NOW."""
    return NOW - timedelta(minutes=minutes)


def reported(*texts: tuple[int, str]) -> IdentifierReports:
    """What a proxy reports, by minutes ago."""
    return IdentifierReports("dialplan", "default", tuple(StatusReport(ago(at), text) for at, text in texts))


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
        (loaded(9), Loads(ago(9), count=THREE)),
        ([*loaded(9), *loaded(4)], Loads(ago(4), count=THREE)),
        ([(6, "starting DB data loading"), (5, "DB data loading successfully completed")], Loads(ago(6))),
        (
            [*loaded(9), (4, "starting DB data loading"), (3, "DB data loading failed, discarding")],
            Loads(ago(9), failed_at=ago(3), count=THREE),
        ),
        ([(4, "DB data loading failed, discarding"), *loaded(2)], Loads(ago(2), count=THREE)),
    ],
)
def test_the_newest_load_that_succeeded_counts_from_its_beginning(
    reports: list[tuple[int, str]], loads: Loads
) -> None:
    assert loads_of(reported(*reports)) == loads


def test_a_proxy_without_reports_has_no_load() -> None:
    assert loads_of(None) == Loads()


CHANGE = TableChange("^1$", "changed", ago(5), "mia")
NOT_RELOADED = "not reloaded since that change"


@pytest.mark.parametrize(
    ("loads", "change", "by", "known", "cause"),
    [
        (Loads(ago(9), ago(5)), None, "", "A later reload failed 5 min ago", "older rules in use"),
        (Loads(), CHANGE, "", "The proxy does not report when", NOT_RELOADED),
        (
            Loads(ago(9), count=LoadCount(3, 1)),
            CHANGE,
            "",
            "Loaded 9 min ago by its clock: 3 rules, 1 d",
            NOT_RELOADED,
        ),
        (
            Loads(ago(9)),
            CHANGE,
            "",
            "Last change here: the rule ^1$ was changed 5 min ago by mia",
            NOT_RELOADED,
        ),
        (
            Loads(ago(3)),
            CHANGE,
            "mia",
            "Loaded 3 min ago by its clock; requested here by mia",
            "the table was",
        ),
        (
            Loads(ago(3)),
            None,
            "",
            "Loaded 3 min ago by its clock; no reload from this panel",
            "the proxy reads another",
        ),
    ],
)
def test_what_is_known_comes_before_the_possible_causes(
    loads: Loads, change: TableChange | None, by: str, known: str, cause: str
) -> None:
    found = explained(loads, change, PLAIN, NOW, by)
    assert any(text.startswith(known) for text in found.known)
    assert any(text.startswith(cause) for text in found.causes)


def test_several_causes_that_fit_are_all_reported() -> None:
    assert len(explained(Loads(ago(9)), CHANGE, PLAIN, NOW).causes) == 3
    assert NOT_RELOADED not in explained(Loads(ago(3)), CHANGE, PLAIN, NOW).causes


def test_a_rule_that_does_not_apply_now_may_apply_at_the_proxy(add_rule: AddRule) -> None:
    add_rule("^1$", timerec="20200101T000000|20200102T000000")
    causes = explained(Loads(ago(1)), None, try_input(1, "1"), NOW).causes
    assert causes[0].startswith("a time recurrence applies")


@pytest.mark.django_db
def test_who_had_it_reloaded_is_found_in_the_audit() -> None:
    record(Actor("mia"), "reload", Subject("reload", "1", "dialplan on edge"), after={"proxies": ["edge"]})
    record(Actor("tom"), "reload", Subject("reload", "2", "dispatcher on edge"), after={"proxies": ["edge"]})
    now = timezone.now()
    assert panel_reload("edge", Loads(now)) == "mia"
    assert panel_reload("other", Loads(now)) == ""
    assert panel_reload("edge", Loads(now - timedelta(minutes=9))) == ""


def test_a_change_is_found_by_the_dialplan_that_it_concerns(add_rule: AddRule) -> None:
    add_rule("^1$")
    add_rule("^2$", dpid=2)
    found = newest_change(1)
    assert found is not None
    assert (found.rule, found.verb) == ("^1$", "added")
    assert newest_change(3) is None
