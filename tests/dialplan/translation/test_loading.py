"""What a proxy loads, drops, fails at or crashes on."""

from typing import Any

import pytest

from dialplan.translation.loading import LoadBroken, LoadedDialplans, load
from dialplan.translation.rules import (
    DialplanEnvironment,
    MatchOp,
    RuleCode,
    RuleEffect,
    RuleFinding,
    RuleRow,
)

GOOD = RuleRow(id=1, dpid=1, match_op=MatchOp.REGEX, match_exp="^1")


def regex(expression: str = "^1", **columns: Any) -> RuleRow:
    return RuleRow(**{"id": 7, "dpid": 1, "match_op": MatchOp.REGEX, "match_exp": expression, **columns})


def equal(text: str, **columns: Any) -> RuleRow:
    return RuleRow(**{"id": 8, "dpid": 1, "match_op": MatchOp.EQUAL, "match_exp": text, **columns})


def loaded(*rows: RuleRow) -> LoadedDialplans:
    result = load(rows)
    assert isinstance(result, LoadedDialplans)
    return result


def only_finding(*rows: RuleRow) -> RuleFinding:
    (finding,) = load(rows).findings
    return finding


def texts(result: LoadedDialplans, dpid: int = 1) -> list[str]:
    return [rule.rule.match_exp for rule in result.dialplans[dpid].rules]


def test_the_smallest_priority_comes_first() -> None:
    assert texts(loaded(regex("b", pr=2), regex("a", pr=1))) == ["a", "b"]


def test_equal_priorities_keep_the_order_of_the_database() -> None:
    assert texts(loaded(regex("b"), equal("c"), regex("a"))) == ["b", "c", "a"]


def test_a_disabled_rule_is_neither_loaded_nor_discarded() -> None:
    result = loaded(GOOD, regex("(", disabled=1))
    assert result.report == "1 rules loaded (0 discarded)"


def test_rules_of_each_dpid_stand_apart() -> None:
    result = loaded(regex("a", dpid=1), regex("b", dpid=2))
    assert (texts(result, 1), texts(result, 2)) == (["a"], ["b"])


def test_a_dpid_whose_rules_are_all_dropped_is_unknown() -> None:
    assert 1 not in loaded(regex("(")).dialplans


@pytest.mark.parametrize(
    ("rule", "code", "column", "position"),
    [
        (regex(match_op=2), RuleCode.OPERATOR_UNKNOWN, "match_op", None),
        (regex("ab("), RuleCode.MATCH_DOES_NOT_COMPILE, "match_exp", 2),
        (regex("a[b"), RuleCode.MATCH_DOES_NOT_COMPILE, "match_exp", 2),
        (regex(subst_exp="x)"), RuleCode.SUBSTITUTION_DOES_NOT_COMPILE, "subst_exp", 1),
        (equal("a", subst_exp="x)"), RuleCode.SUBSTITUTION_DOES_NOT_COMPILE, "subst_exp", 1),
        (regex(repl_exp="49$foo"), RuleCode.VARIABLE_INVALID, "repl_exp", 2),
        (regex(subst_exp="(a)", repl_exp=r"\1\2"), RuleCode.GROUP_MISSING, "repl_exp", 2),
        (regex(timerec="garbage"), RuleCode.RECURRENCE_INVALID, "timerec", 0),
    ],
)
def test_a_rule_is_dropped_and_its_fault_is_marked(
    rule: RuleRow, code: RuleCode, column: str, position: int | None
) -> None:
    finding = only_finding(GOOD, rule)
    assert (finding.code, finding.effect) == (code, RuleEffect.RULE_DROPPED)
    assert (finding.rule, finding.column, finding.position) == (rule.id, column, position)


def test_a_dropped_rule_is_counted() -> None:
    assert loaded(GOOD, regex("(")).report == "1 rules loaded (1 discarded)"


def test_a_pcre2_error_is_shown_in_its_own_words() -> None:
    assert only_finding(regex("a[b")).text.startswith("missing terminating ] for character class")


def test_an_empty_equal_rule_breaks_the_whole_reload() -> None:
    result = load([GOOD, equal("")])
    assert isinstance(result, LoadBroken)
    assert (result.cause.code, result.crashes) == (RuleCode.EQUAL_RULE_EMPTY, False)


def test_an_empty_equal_rule_that_is_dropped_anyway_breaks_nothing() -> None:
    assert loaded(GOOD, equal("", subst_exp="(")).loaded == 1


def test_an_empty_regex_rule_loads() -> None:
    assert loaded(regex("")).loaded == 1


def test_ten_escapes_load() -> None:
    assert loaded(regex(subst_exp="(1)", repl_exp=r"\1" * 10)).loaded == 1


@pytest.mark.parametrize(
    "replacement", [r"\1" * 11, "$rU" * 11, r"\1$rU\n" * 3 + r"\\\\", "$$" * 10 + "$foo"]
)
def test_the_eleventh_escape_or_variable_crashes_the_proxy(replacement: str) -> None:
    result = load([GOOD, regex(subst_exp="(1)", repl_exp=replacement)])
    assert isinstance(result, LoadBroken)
    assert (result.cause.code, result.crashes) == (RuleCode.TOO_MANY_ESCAPES, True)


def test_the_finding_of_a_crash_reports_it() -> None:
    assert "crash the proxy" in only_finding(regex(subst_exp="1", repl_exp=r"\0" * 11)).text


def test_a_rule_dropped_for_its_expression_does_not_get_so_far_as_to_crash() -> None:
    assert loaded(regex("(", repl_exp=r"\0" * 11)).discarded == 1


def test_the_first_rule_in_order_decides_how_a_reload_fails() -> None:
    result = load([regex(pr=2, subst_exp="1", repl_exp=r"\0" * 11), equal("", pr=1)])
    assert isinstance(result, LoadBroken)
    assert not result.crashes


def test_rules_behind_one_that_breaks_the_reload_are_looked_at_too() -> None:
    codes = [finding.code for finding in load([equal(""), regex("(", pr=5)]).findings]
    assert codes == [RuleCode.EQUAL_RULE_EMPTY, RuleCode.MATCH_DOES_NOT_COMPILE]


@pytest.mark.parametrize(
    "variable", ["$rU", "$$", "$var(x)", "$(avp(a)[0])", "$(rU{s.len})", "$hdr(X)", "$ru_q"]
)
def test_variables_of_the_core_load(variable: str) -> None:
    assert loaded(regex(subst_exp="1", repl_exp=variable)).loaded == 1


@pytest.mark.parametrize(
    "variable", ["$", "x$", "$(", "$foo", "$avp", "$rU(x)", "$(rU", "$var()", "$(rU[0])"]
)
def test_what_is_no_variable_drops_the_rule(variable: str) -> None:
    assert loaded(regex(subst_exp="1", repl_exp=variable)).discarded == 1


def test_a_variable_of_a_loaded_module_loads() -> None:
    environment = DialplanEnvironment(variables={"T_reply_code"})
    result = load([regex(subst_exp="1", repl_exp="$T_reply_code")], environment)
    assert isinstance(result, LoadedDialplans)


@pytest.mark.parametrize(
    ("rule", "code", "column"),
    [
        (regex(subst_exp="(1)", repl_exp=r"a\n"), RuleCode.ESCAPE_MISPLACED, "repl_exp"),
        (regex(subst_exp="(1)", repl_exp=r"$rU\1"), RuleCode.VARIABLE_TEXT_COPIED, "repl_exp"),
        (
            regex(subst_exp="1", repl_exp="$msg.branch.uri"),
            RuleCode.VARIABLE_OF_NEWER_RELEASE,
            "repl_exp",
        ),
        (regex("a{,3}"), RuleCode.SYNTAX_OF_NEWER_PCRE2, "match_exp"),
        (regex("(?<=ab?)c"), RuleCode.SYNTAX_OF_NEWER_PCRE2, "match_exp"),
        (equal("a "), RuleCode.TRAILING_SPACES_LOST, "match_exp"),
    ],
)
def test_a_surprise_is_reported_and_the_rule_loads(rule: RuleRow, code: RuleCode, column: str) -> None:
    result = loaded(rule)
    (finding,) = result.findings
    assert result.loaded == 1
    assert (finding.code, finding.effect, finding.column) == (code, RuleEffect.SURPRISE, column)


@pytest.mark.parametrize("rule", [regex(repl_exp=r"\1"), equal("112", repl_exp=r"a\9")])
def test_a_group_without_a_substitution_may_be_dropped(rule: RuleRow) -> None:
    result = loaded(rule)
    (finding,) = result.findings
    assert (finding.code, finding.effect) == (
        RuleCode.GROUP_WITHOUT_SUBSTITUTION,
        RuleEffect.MAY_BE_DROPPED,
    )
    assert (result.loaded, result.uncertain) == (1, 1)


def test_the_whole_match_without_a_substitution_loads_for_certain() -> None:
    assert loaded(regex(repl_exp=r"\0")).uncertain == 0


def test_an_interval_of_zero_is_reported_to_crash_the_proxy_later() -> None:
    (finding,) = loaded(regex(timerec="20200101T000000||PT1H|daily||0")).findings
    assert (finding.code, finding.effect) == (RuleCode.RECURRENCE_CRASHES, RuleEffect.PROXY_CRASHES)


@pytest.mark.parametrize("replacement", [r"\n", "x", r"+49\1", "$rU", r"\1$rU"])
def test_a_sound_replacement_gives_no_finding(replacement: str) -> None:
    assert loaded(regex(subst_exp="(1)", repl_exp=replacement)).findings == ()
