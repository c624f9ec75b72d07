"""Every outcome that the order of equal priorities, or a rule that may be dropped, leaves possible."""

from itertools import permutations
from random import Random
from typing import Any

import pytest

from dialplan.translation.loading import LoadedDialplans, load
from dialplan.translation.outcomes import Possibilities, possibilities
from dialplan.translation.rules import RuleRow
from dialplan.translation.translate import NotTranslated, Outcome, ProxyCrashes, Translated, translate

NOW = 1_767_225_600
CRASHING = "20200101T000000||PT1H|daily||0"
NEVER = "20200101T000000|20200101T100000"


def rule(match: str, output: str | None = None, **columns: Any) -> RuleRow:
    columns = {"match_op": 1} | columns
    return RuleRow(dpid=1, match_exp=match, repl_exp=output, **columns)


def equal(match: str, output: str | None = None, **columns: Any) -> RuleRow:
    return rule(match, output, match_op=0, **columns)


def found(rules: list[RuleRow], text: str = "112") -> Possibilities:
    loaded = load(rules)
    assert isinstance(loaded, LoadedDialplans)
    return possibilities(loaded.dialplans, 1, text.encode(), NOW)


def text_of(outcome: Outcome) -> str:
    match outcome:
        case Translated(_, output, attributes):
            return f"{output.decode()} {attributes.decode()}".strip()
        case NotTranslated():
            return "nothing"
        case ProxyCrashes():
            return "crash"
    return type(outcome).__name__


@pytest.mark.parametrize(
    ("rules", "outcomes"),
    [
        ([rule("^1", "a"), rule("^11", "b")], {"a", "b"}),
        ([rule("^1", "a"), rule("^11", "b", pr=1)], {"a"}),
        ([rule("^1", "a"), rule("^11", "a")], {"a"}),
        ([rule("^1", "a"), rule("^11", "a", attrs="x")], {"a", "a x"}),
        ([rule("^1", "a"), rule("^2", "b")], {"a"}),
        ([rule("^1", "a"), equal("112", "b")], {"a", "b"}),
        ([equal("112", "a"), equal("112", "b"), rule("^1", "c", pr=-1)], {"c"}),
        ([equal("112", "a", pr=1), equal("112", "b", pr=1), rule("^1", "c", pr=2)], {"a", "b"}),
        ([equal("112", "a", pr=1), rule("^1", "b", pr=1), rule("^11", "c", pr=1)], {"a", "b", "c"}),
        ([rule("^1", "a", timerec=NEVER), rule("^11", "b")], {"b"}),
        ([rule("^1", "a"), rule("^9", timerec=CRASHING)], {"a", "crash"}),
        ([rule("^1", "a"), rule("^9", timerec=CRASHING, pr=1)], {"a"}),
        ([rule("^9", timerec=CRASHING), rule("^1", "a", pr=1)], {"crash"}),
        ([equal("112", timerec=CRASHING), rule("^1", "a")], {"crash"}),
        ([equal("112", timerec=CRASHING), equal("112", "b"), rule("^1", "a", pr=-1)], {"crash", "a"}),
        ([rule("^1", r"x\1")], {r"x\1", "nothing"}),
        ([equal("112", r"x\1"), rule("^1", "a", pr=1)], {r"x\1", "a"}),
        ([rule("^1", r"x\1"), rule("^11", r"y\1", pr=1), rule("1", "a", pr=2)], {r"x\1", r"y\1", "a"}),
        ([rule("^1", "a"), rule("^11", r"y\1", pr=1)], {"a"}),
        ([rule("^9", r"x\1")], {"nothing"}),
        ([rule("^1", "a", subst_exp="^9"), rule("^1", "b")], {"nothing", "b"}),
    ],
)
def test_every_outcome_is_found(rules: list[RuleRow], outcomes: set[str]) -> None:
    possible = found(rules)
    assert {text_of(each) for each in possible.outcomes} == outcomes
    assert possible.is_certain is (len(outcomes) == 1)


@pytest.mark.parametrize(
    ("rules", "by_order", "by_loading"),
    [
        ([rule("^1", "a"), rule("^11", "b")], True, False),
        ([rule("^1", r"x\1"), rule("^11", "b", pr=1)], False, True),
        ([rule("^1", r"x\1"), rule("^11", "b")], True, True),
    ],
)
def test_what_decides_is_reported(rules: list[RuleRow], by_order: bool, by_loading: bool) -> None:
    possible = found(rules)
    assert (possible.by_order, possible.by_loading) == (by_order, by_loading)


@pytest.mark.parametrize("seed", range(40))
def test_they_are_those_that_any_order_gives(seed: int) -> None:
    random = Random(seed)
    expressions = ("^1", "^11", "112", "^9", "2$")
    rules = [
        RuleRow(
            dpid=1,
            id=number,
            pr=random.randrange(2),
            match_op=random.randrange(2),
            match_exp=random.choice(expressions),
            repl_exp=f"r{number}",
            timerec=random.choice((None, None, None, NEVER, CRASHING)),
        )
        for number in range(random.randrange(1, 6))
    ]
    outcomes = set()
    for order in permutations(rules):
        loaded = load(order)
        assert isinstance(loaded, LoadedDialplans)
        outcomes.add(text_of(translate(loaded.dialplans, 1, b"112", NOW).outcome))
    assert {text_of(each) for each in found(rules).outcomes} == outcomes


def test_more_rules_than_are_looked_at_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialplan.translation.outcomes.MAX_HITS", 3)
    possible = found([rule("^1", f"r{number}") for number in range(5)])
    assert (len(possible.outcomes), possible.is_complete) == (3, False)
