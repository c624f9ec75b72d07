"""One limit of effort for all rules of a request, and one compilation of each expression."""

from itertools import count

import pytest

from dialplan.translation.analysis import input_that_backtracks, order_of
from dialplan.translation.loading import LoadedDialplans, load
from dialplan.translation.pattern import Effort, compile_pattern, is_spent, limited
from dialplan.translation.rules import RuleRow
from dialplan.translation.translate import TranslationTrace, Undecided, translate

RULES = 2_000


def rules(match_exp: str = r"^{}(a+)+$") -> LoadedDialplans:
    """Many rules, each of which takes an effort below the limit of one."""
    loaded = load(
        [RuleRow(id=n, dpid=1, pr=n, match_op=1, match_exp=match_exp.format(n)) for n in range(RULES)]
    )
    assert isinstance(loaded, LoadedDialplans)
    return loaded


def evaluated(found: TranslationTrace) -> int:
    """How many rules were tried."""
    assert found.regex is not None
    return found.regex.evaluated


def seconds(each: float) -> Effort:
    """100 seconds, by a clock that goes on by `each` whenever it is looked at."""
    ticks = count()
    return Effort(10**9, 100, lambda: next(ticks) * each)


@pytest.mark.parametrize("effort", [Effort(100, 1e9, lambda: 0.0), seconds(1.0)], ids=["steps", "time"])
def test_a_translation_ends_where_the_effort_does(effort: Effort) -> None:
    with limited(effort):
        found = translate(rules().dialplans, 1, b"b", now=0)
        assert is_spent()
    assert isinstance(found.outcome, Undecided)
    assert evaluated(found) == 101


def test_without_a_limit_all_rules_are_evaluated() -> None:
    found = translate(rules().dialplans, 1, b"b", now=0)
    assert evaluated(found) == RULES
    assert not is_spent()


def test_what_several_translations_spend_is_added() -> None:
    loaded = rules()
    with limited(Effort(3 * RULES, 1e9, lambda: 0.0)):
        verdicts = [isinstance(translate(loaded.dialplans, 1, b"b", 0).outcome, Undecided) for _ in range(4)]
    assert verdicts == [False, False, False, True]


def test_a_comparison_of_rules_ends_and_shows_that_it_is_not_complete() -> None:
    loaded = rules(r"^{}[0-9]{{1,3}}")
    with limited(Effort(5_000, 1e9, lambda: 0.0)):
        assert not order_of(loaded.dialplans[1].rules).is_complete


def test_no_rule_is_reported_to_backtrack_once_the_effort_is_spent() -> None:
    pattern = rules(r"^{}[0-9]+$").dialplans[1].regex[0].pattern
    assert pattern is not None
    with limited(Effort(0, 1e9, lambda: 0.0)):
        assert input_that_backtracks(pattern, caseless=False) is None


def test_within_a_request_each_expression_is_compiled_once() -> None:
    def codes() -> tuple[object, ...]:
        return rules("^0").dialplans[1].codes

    with limited(seconds(0.0)):
        assert len({id(code) for code in (*codes(), *codes())}) == 1
        assert compile_pattern(b"(", caseless=False) is compile_pattern(b"(", caseless=False)
        assert compile_pattern(b"a", caseless=False) is not compile_pattern(b"a", caseless=True)
    assert codes()[0] is not codes()[0], "nothing is kept beyond a request"
