"""Rules beside each other, and what goes wrong with one for some inputs."""

from typing import Any

import pytest

from dialplan.translation.analysis import (
    Order,
    input_of_undefined,
    input_that_backtracks,
    longest_output,
    order_of,
)
from dialplan.translation.loading import LoadedDialplans, load
from dialplan.translation.pattern import Pattern, compile_pattern
from dialplan.translation.rules import LoadedRule, RuleRow


def rules(*columns: dict[str, Any]) -> list[LoadedRule]:
    """Rules of one dialplan, of rising priorities unless said otherwise, in their order."""
    rows = [
        RuleRow(**{"id": index, "dpid": 1, "pr": index, "match_op": 1} | more)
        for index, more in enumerate(columns, 1)
    ]
    result = load(rows)
    assert isinstance(result, LoadedDialplans)
    return result.dialplans[1].rules


def regex(expression: str, **more: Any) -> dict[str, Any]:
    return {"match_exp": expression, **more}


def equal(text: str, **more: Any) -> dict[str, Any]:
    return {"match_op": 0, "match_exp": text, **more}


def order(*columns: dict[str, Any]) -> Order:
    return order_of(rules(*columns))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (regex("^0"), regex("^00[1-9]")),
        (regex(".*"), regex("^5$")),
        (regex("^1[0-9]{2}$"), equal("112")),
        (equal("112"), equal("112")),
        (equal("Abc", match_flags=1), equal("abc")),
        (regex("^ABC", match_flags=1), regex("^abc")),
    ],
)
def test_a_rule_behind_one_that_matches_all_of_it_is_never_reached(
    earlier: dict[str, Any], later: dict[str, Any]
) -> None:
    (found,) = order(earlier, later).never_reached
    assert (found.rule.rule.id, found.earlier.rule.id) == (2, 1)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (regex("^00[1-9]"), regex("^0")),
        (regex("^0", timerec="20260101T000000|20260101T100000||daily"), regex("^00")),
        (regex("^0", disabled=1), regex("^00")),
        (regex("^(?=0)"), regex("^00")),
        (equal("abc"), equal("ABC")),
        (equal("112"), regex("^112")),
        (regex("^abc"), regex("^abc", match_flags=1)),
    ],
)
def test_others_have_no_finding(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert order(earlier, later).never_reached == ()


def test_two_of_one_priority_that_match_the_same_are_reported_with_an_input() -> None:
    (clash,) = order(regex("^0[1-5]", pr=7, attrs="a"), regex("^0[5-9]", pr=7)).clashes
    assert (clash.example, clash.hidden) == (b"05", ())


def test_the_order_of_two_that_do_the_same_decides_nothing() -> None:
    assert order(regex("^0", pr=7, attrs="a"), regex("^00", pr=7, attrs="a")).clashes == ()


def test_of_two_of_one_priority_the_hidden_one_is_named() -> None:
    found = order(regex("^00", attrs="a", pr=7), regex("^0", attrs="b", pr=7))
    assert found.never_reached == ()
    (clash,) = found.clashes
    assert [rule.rule.match_exp for rule in clash.hidden] == ["^00"]


@pytest.mark.parametrize(("pr", "rests"), [(7, True), (8, False)])
def test_never_reached_rests_on_the_order_where_the_priorities_are_equal(pr: int, rests: bool) -> None:
    (found,) = order(regex("^0", pr=7), regex("^00", pr=pr)).never_reached
    assert found.rests_on_order is rests


def test_a_rule_that_may_be_dropped_hides_nothing() -> None:
    assert order(regex("^0", repl_exp="x\\1"), regex("^00", pr=1)).never_reached == ()


def test_two_of_one_priority_that_have_nothing_in_common_have_no_finding() -> None:
    assert order(regex("^0[1-4]", pr=7), regex("^0[5-9]", pr=7)).clashes == ()


def test_only_pairs_of_the_rule_in_question_are_looked_at() -> None:
    loaded = rules(regex("^0"), regex("^00"), regex("^1"))
    assert order_of(loaded, loaded[2]).never_reached == ()
    assert len(order_of(loaded, loaded[0]).never_reached) == 1


def test_that_not_all_was_compared_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialplan.translation.analysis.MAX_PAIRS", 1)
    loaded = rules(regex("^0", pr=1), regex("^1", pr=1), regex("^2", pr=1))
    assert not order_of(loaded).is_complete


def rule(**columns: Any) -> LoadedRule:
    (only,) = rules(columns)
    return only


@pytest.mark.parametrize(
    ("substitution", "replacement", "length"),
    [
        ("^0(.*)$", "+49\\1", 67),
        ("^(0)(.*)$", "\\1\\2\\2", 129),
        ("^([0-9]{3})", "x\\1", 4),
        ("(.*)", "a", 1),
    ],
)
def test_the_longest_output_of_a_usual_input(substitution: str, replacement: str, length: int) -> None:
    assert longest_output(rule(match_exp="^0", subst_exp=substitution, repl_exp=replacement)) == length


def test_an_input_shows_where_a_group_is_unset() -> None:
    shown = input_of_undefined(rule(match_exp="^a?b$", subst_exp="^(a)?b$", repl_exp="\\1"))
    assert shown == b"b"


@pytest.mark.parametrize(
    ("match", "substitution"), [("^ab$", "^(a)?b$"), ("^0", "^(.*)$"), ("^a|b$", "^(a|b)")]
)
def test_a_group_that_is_always_set_has_no_finding(match: str, substitution: str) -> None:
    assert input_of_undefined(rule(match_exp=match, subst_exp=substitution, repl_exp="\\1")) is None


@pytest.mark.parametrize(
    ("expression", "is_bad"),
    [
        ("^(a+)+$", True),
        ("^([0-9]*)*x$", True),
        ("^(a|a)*$", True),
        ("^0[0-9]+$", False),
        ("^(0|[1-9][0-9]*)$", False),
        ("^.*a.*$", False),
        ("^([0-9]+)#([0-9]+)$", False),
    ],
)
def test_what_backtracks_badly_is_found_by_trying(expression: str, is_bad: bool) -> None:
    pattern = compile_pattern(expression.encode(), False)
    assert isinstance(pattern, Pattern)
    assert (input_that_backtracks(pattern, False) is not None) == is_bad
