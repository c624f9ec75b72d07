"""One translation: which rules are tried, which one is used, what comes out."""

from typing import Any

import pytest

from dialplan.translation.loading import LoadedDialplans, load
from dialplan.translation.replacement import Chance, Undefined
from dialplan.translation.rules import DialplanEnvironment, MatchOp, RuleRow
from dialplan.translation.translate import (
    Failure,
    NoInformation,
    NotTranslated,
    ProxyCrashes,
    RequestNeeded,
    Search,
    Translated,
    TranslationTrace,
    TrialVerdict,
    Undecided,
    UndefinedOutput,
    translate,
)

NOON = 1_767_268_800  # 2026-01-01 12:00 UTC, a Thursday
PAST = "20200101T000000|20210101T000000"
SLOW = r"^(1+)+$"


def regex(expression: str, **columns: Any) -> RuleRow:
    return RuleRow(**{"dpid": 1, "match_op": MatchOp.REGEX, "match_exp": expression, **columns})


def equal(text: str, **columns: Any) -> RuleRow:
    return RuleRow(**{"dpid": 1, "match_op": MatchOp.EQUAL, "match_exp": text, **columns})


def translation(
    rules: list[RuleRow], text: str, values: dict[str, str] | None = None, effort: int = 1_000_000
) -> TranslationTrace:
    result = load(rules, DialplanEnvironment(effort=effort))
    assert isinstance(result, LoadedDialplans)
    return translate(result.dialplans, 1, text.encode(), NOON, values)


def output(rules: list[RuleRow], text: str, values: dict[str, str] | None = None) -> str:
    outcome = translation(rules, text, values).outcome
    assert isinstance(outcome, Translated)
    return outcome.output.decode()


def failure(rules: list[RuleRow], text: str) -> Failure:
    outcome = translation(rules, text).outcome
    assert isinstance(outcome, NotTranslated)
    return outcome.failure


def substitution(subst_exp: str, repl_exp: str) -> list[RuleRow]:
    return [regex(".", subst_exp=subst_exp, repl_exp=repl_exp)]


def undefined(rules: list[RuleRow], text: str) -> UndefinedOutput:
    outcome = translation(rules, text).outcome
    assert isinstance(outcome, UndefinedOutput)
    return outcome


def verdicts(search: Search | None) -> list[tuple[str, TrialVerdict]]:
    assert search is not None
    return [(trial.rule.rule.match_exp, trial.verdict) for trial in search.trials]


class TestWhichRuleIsUsed:
    def test_the_first_regex_rule_that_matches(self) -> None:
        assert (
            output([regex("2", repl_exp="b"), regex("1", repl_exp="a"), regex("1", repl_exp="c")], "1") == "a"
        )

    def test_an_expression_matches_anywhere_in_the_input(self) -> None:
        assert output([regex("23", repl_exp="x")], "1234") == "x"

    def test_an_equal_rule_of_smaller_priority_beats_a_regex_rule(self) -> None:
        assert (
            output([regex("1", pr=2, repl_exp="regex"), equal("1", pr=1, repl_exp="equal")], "1") == "equal"
        )

    def test_a_regex_rule_of_smaller_priority_beats_an_equal_rule(self) -> None:
        assert (
            output([equal("1", pr=2, repl_exp="equal"), regex("1", pr=1, repl_exp="regex")], "1") == "regex"
        )

    def test_of_one_priority_the_earlier_row_wins(self) -> None:
        assert output([equal("1", repl_exp="equal"), regex("1", repl_exp="regex")], "1") == "equal"

    def test_a_rule_out_of_time_is_passed_over(self) -> None:
        assert output([regex("1", timerec=PAST, repl_exp="past"), regex("1", repl_exp="now")], "1") == "now"

    def test_an_equal_rule_out_of_time_is_passed_over(self) -> None:
        assert output([equal("1", timerec=PAST, repl_exp="past"), equal("1", repl_exp="now")], "1") == "now"

    @pytest.mark.parametrize(("flags", "matches"), [(0, False), (1, True), (2, False), (3, True), (-1, True)])
    def test_the_lowest_bit_of_the_flags_ignores_case(self, flags: int, matches: bool) -> None:
        found = [
            isinstance(translation([rule], "ABC").outcome, Translated)
            for rule in (regex("abc", match_flags=flags), equal("abc", match_flags=flags))
        ]
        assert found == [matches, matches]

    def test_case_is_ignored_for_the_substitution_too(self) -> None:
        assert output([regex("a", match_flags=1, subst_exp="(b)", repl_exp=r"\1")], "AB") == "B"

    def test_bytes_are_matched_not_characters(self) -> None:
        assert output([regex("^..$", repl_exp="two")], "é") == "two"

    def test_hexadecimal_escapes_mean_what_they_mean_for_the_proxy(self) -> None:
        assert output([regex(r"^\x{41}\x42$", repl_exp="x")], "AB") == "x"

    def test_an_expression_for_a_single_byte_matches_as_in_the_proxy(self) -> None:
        assert output([regex(r"^a\Cb$", repl_exp="x")], "a\nb") == "x"


class TestExplanation:
    def test_the_trials_stand_in_order_up_to_the_hit(self) -> None:
        rules = [regex("2"), regex("3", timerec=PAST), regex("1"), regex("4")]
        assert verdicts(translation(rules, "1").regex) == [
            ("2", TrialVerdict.NO_MATCH),
            ("3", TrialVerdict.OUT_OF_TIME),
            ("1", TrialVerdict.MATCHED),
        ]

    def test_both_searches_are_reported(self) -> None:
        result = translation([equal("1"), regex("1")], "1")
        assert (verdicts(result.equal), verdicts(result.regex)) == (
            [("1", TrialVerdict.MATCHED)],
            [("1", TrialVerdict.MATCHED)],
        )

    def test_an_endless_recursion_is_no_match(self) -> None:
        assert verdicts(translation([regex("(?R)"), regex("1")], "1").regex) == [
            ("(?R)", TrialVerdict.FAILED),
            ("1", TrialVerdict.MATCHED),
        ]

    def test_attributes_come_with_the_output(self) -> None:
        outcome = translation([regex("1", attrs="gw=2")], "1").outcome
        assert isinstance(outcome, Translated)
        assert outcome.attributes == b"gw=2"

    def test_attributes_are_cut_at_256_bytes(self) -> None:
        outcome = translation([regex("1", attrs="é" * 200)], "1").outcome
        assert isinstance(outcome, Translated)
        assert len(outcome.attributes) == 256


class TestNoTranslation:
    def test_an_empty_input_is_refused(self) -> None:
        assert failure([regex("")], "") is Failure.EMPTY_INPUT

    def test_no_rule_matches(self) -> None:
        assert failure([regex("2"), equal("3")], "1") is Failure.NO_RULE_MATCHES

    def test_an_unknown_dpid_is_distinguished(self) -> None:
        assert isinstance(translate({}, 9, b"1", NOON).outcome, NoInformation)

    def test_where_the_substitution_does_not_match_no_later_rule_is_evaluated(self) -> None:
        rules = [regex("1", subst_exp="2", repl_exp="x"), regex("1", repl_exp="y")]
        assert failure(rules, "1") is Failure.SUBSTITUTION_DOES_NOT_MATCH

    def test_without_a_replacement_the_substitution_is_not_looked_at(self) -> None:
        assert output([regex("1", subst_exp="2")], "1") == ""


class TestOutput:
    @pytest.mark.parametrize(
        ("repl_exp", "expected"),
        [
            (r"\1", "12"),
            (r"\0", "1234"),
            (r"\2-\1", "34-12"),
            (r"\10", "120"),
            (r"+49\1", "+4912"),
            (r"\x", "x"),
            (r"\t", "\t"),
            ("\\", "\\"),
            ("plain", "plain"),
        ],
    )
    def test_groups_and_text(self, repl_exp: str, expected: str) -> None:
        assert output(substitution("(12)(34)", repl_exp), "1234") == expected

    def test_without_a_substitution_the_replacement_is_the_output(self) -> None:
        assert output([regex("1", repl_exp=r"a\\b")], "1") == r"a\\b"

    @pytest.mark.parametrize(("length", "fails"), [(126, False), (127, True)])
    def test_a_group_may_fill_the_output_up_to_126_bytes(self, length: int, fails: bool) -> None:
        outcome = translation(substitution("(.*)", r"\1"), "1" * length).outcome
        assert isinstance(outcome, NotTranslated) is fails

    def test_text_before_a_group_counts(self) -> None:
        assert failure(substitution("(.*)", r"ab\1"), "1" * 125) is Failure.OUTPUT_TOO_LONG

    def test_text_behind_the_last_group_is_not_checked_and_overruns(self) -> None:
        outcome = undefined(substitution("(.*)", r"\1ab"), "1" * 126)
        assert outcome.undefined.chances == {Chance.OVERRUN}

    def test_text_behind_the_last_group_that_just_fits_is_sound(self) -> None:
        assert len(output(substitution("(.*)", r"\1a"), "1" * 126)) == 127


class TestUndefinedOutput:
    def test_an_escape_behind_something_leaves_a_stray_byte(self) -> None:
        outcome = undefined(substitution("^(3)(3)", r"\1\t\2"), "33")
        assert outcome.undefined.chances == {Chance.STALE_BYTES}
        assert outcome.undefined.sketch == (9, None, *rb"\t3")

    def test_a_group_beyond_the_last_one_set_is_left_to_chance(self) -> None:
        outcome = undefined(substitution("^(4)(4)?(5)?", r"[\3]"), "44")
        assert outcome.undefined == Undefined(frozenset({Chance.UNSET_GROUP}), None)

    def test_the_same_group_is_sound_where_it_took_part(self) -> None:
        assert output(substitution("^(4)(4)?(5)?", r"[\3]"), "445") == "[5]"

    def test_an_unset_group_before_one_that_is_set_is_undefined_though_likely_empty(self) -> None:
        outcome = undefined(substitution("(a)?(b)", r"<\1>"), "b")
        assert outcome.undefined == Undefined(frozenset({Chance.UNSET_GROUP}), tuple(b"<>"))

    def test_an_unset_group_shows_what_the_match_expression_left_there(self) -> None:
        rules = [regex("(1)(2)(3)", subst_exp="(1)(x)?", repl_exp=r"\2")]
        assert undefined(rules, "123").undefined.sketch == tuple(b"2")

    def test_a_sketch_lists_the_possible_outputs(self) -> None:
        sketched = undefined(substitution("^(3)(3)", r"\1\t\2"), "33").undefined
        assert (sketched.could_be(b"\tZ\\t3"), sketched.could_be(b"\tZ\\t4")) == (True, False)


class TestVariables:
    def test_over_mi_a_variable_at_the_end_is_nothing(self) -> None:
        assert output(substitution("(8)", r"\1$rU"), "8") == "8"

    def test_over_mi_its_own_text_is_copied_when_something_follows(self) -> None:
        assert output(substitution("^(8)8", r"$rU\1"), "88") == "$rU8"

    def test_in_a_request_its_value_comes_before_its_text(self) -> None:
        assert output(substitution("^(8)8", r"$rU\1"), "88", {"$rU": "bob"}) == "bob$rU8"

    def test_the_request_uri_has_an_escape_of_its_own(self) -> None:
        assert output(substitution("(8)", r"\1\u"), "8", {"$ru": "sip:b@x"}) == "8sip:b@x"

    def test_variables_that_are_not_given_are_requested(self) -> None:
        outcome = translation(substitution("(8)", r"$rU\1$var(x)\u"), "8", {"$rU": "bob"}).outcome
        assert isinstance(outcome, RequestNeeded)
        assert outcome.variables == ("$var(x)", "$ru")

    def test_a_doubled_dollar_sign_is_no_variable_to_ask_for(self) -> None:
        assert output(substitution("(8)", "$$"), "8", {}) == "$"

    def test_a_value_too_long_fails_the_translation(self) -> None:
        outcome = translation(substitution("(8)", "$rU"), "8", {"$rU": "x" * 127}).outcome
        assert isinstance(outcome, NotTranslated)


class TestEffort:
    def test_a_search_that_takes_too_much_effort_is_left_undecided(self) -> None:
        outcome = translation([regex(SLOW, repl_exp="x"), regex("1")], "1" * 60 + "x").outcome
        assert isinstance(outcome, Undecided)

    def test_a_better_equal_rule_decides_all_the_same(self) -> None:
        text = "1" * 60 + "x"
        assert output([equal(text, repl_exp="equal"), regex(SLOW)], text) == "equal"

    def test_with_the_proxys_own_effort_giving_up_is_no_match(self) -> None:
        result = translation([regex(SLOW), regex("1")], "1" * 60 + "x", effort=10_000_000)
        assert verdicts(result.regex) == [(SLOW, TrialVerdict.FAILED), ("1", TrialVerdict.MATCHED)]

    def test_a_lower_limit_in_the_expression_is_the_proxys_too(self) -> None:
        slow = "(*LIMIT_MATCH=50)" + SLOW
        result = translation([regex(slow), regex("1")], "1" * 60 + "x")
        assert verdicts(result.regex)[0] == (slow, TrialVerdict.FAILED)

    def test_a_substitution_that_takes_too_much_effort_is_left_undecided(self) -> None:
        outcome = translation(substitution(SLOW, "x"), "1" * 60 + "x").outcome
        assert isinstance(outcome, Undecided)


class TestCrash:
    def test_a_rule_with_an_interval_of_zero_crashes_the_proxy_when_evaluated(self) -> None:
        outcome = translation([regex("2", timerec="20200101T000000||PT1H|daily||0")], "1").outcome
        assert isinstance(outcome, ProxyCrashes)

    def test_a_rule_behind_the_hit_does_not(self) -> None:
        assert output([regex("1"), regex("2", timerec="20200101T000000||PT1H|daily||0")], "1") == ""
