"""What holds for any rules, inputs and times."""

from hypothesis import given
from hypothesis import strategies as st

from dialplan.translation.loading import LoadBroken, LoadedDialplans, load
from dialplan.translation.replacement import Replacement, read_replacement
from dialplan.translation.rules import DialplanEnvironment, RuleRow
from dialplan.translation.timerec import InvalidRecurrence, parse_timerec
from dialplan.translation.translate import Translated, TrialVerdict, UndefinedOutput, translate

QUICK = DialplanEnvironment(effort=10_000)

EXPRESSIONS = st.one_of(
    st.sampled_from(["", "1", "^1", "(1)(2)?", "(.*)", "^(a|b)+", "(", "[a", "(?i)x", r"\d+$", "(a)?b"]),
    st.text(max_size=20),
)
REPLACEMENTS = st.one_of(
    st.none(),
    st.lists(st.sampled_from([r"\0", r"\1", r"\2", r"\t", "$rU", "$foo", "$$", "x", "+49"]), max_size=12).map(
        "".join
    ),
    st.text(max_size=20),
)
TIMERECS = st.one_of(
    st.none(),
    st.sampled_from(["20200101T000000", "x", "20200101T000000||PT1H|daily||0", "!", "UTC|20200101T000000|"]),
    st.text(alphabet="0123456789T|&/!() PDHMSwmotuUC,-", max_size=40),
)
RULES = st.builds(
    RuleRow,
    dpid=st.integers(0, 2),
    match_op=st.integers(-1, 2),
    match_exp=EXPRESSIONS,
    id=st.integers(1, 99),
    pr=st.integers(-2, 2),
    match_flags=st.integers(-1, 3),
    subst_exp=st.none() | EXPRESSIONS,
    repl_exp=REPLACEMENTS,
    timerec=TIMERECS,
    disabled=st.integers(0, 1),
    attrs=st.none() | st.text(max_size=5),
)
INPUTS = st.binary(max_size=140) | st.sampled_from([b"1", b"12", b"ab", b"b", b"x"])
NOW = st.integers(0, 2**32)


@given(st.lists(RULES, max_size=6))
def test_every_enabled_row_is_loaded_or_accounted_for(rows: list[RuleRow]) -> None:
    result = load(rows, QUICK)
    enabled = [rule for rule in rows if rule.disabled == 0]
    if isinstance(result, LoadedDialplans):
        assert result.loaded + result.discarded == len(enabled)
    else:
        assert result.cause in result.findings


@given(st.lists(RULES, max_size=6))
def test_a_reload_breaks_only_for_an_empty_equal_rule_or_a_crash(rows: list[RuleRow]) -> None:
    result = load(rows, QUICK)
    if isinstance(result, LoadBroken) and not result.crashes:
        assert any(rule.match_op == 0 and not rule.match_exp.strip(" \0") for rule in rows) or any(
            rule.match_op == 0 and rule.match_exp.startswith("\0") for rule in rows
        )


@given(st.lists(RULES, max_size=6))
def test_rules_stand_in_ascending_priority(rows: list[RuleRow]) -> None:
    result = load(rows, QUICK)
    if isinstance(result, LoadedDialplans):
        for rule_set in result.dialplans.values():
            priorities = [rule.rule.pr for rule in rule_set.rules]
            assert priorities == sorted(priorities)


@given(st.lists(RULES, max_size=6), INPUTS, NOW)
def test_a_translation_uses_the_better_of_the_rules_that_matched(
    rows: list[RuleRow], subject: bytes, now: int
) -> None:
    result = load(rows, QUICK)
    if not isinstance(result, LoadedDialplans):
        return
    translation = translate(result.dialplans, 1, subject, now)
    searches = [search for search in (translation.equal, translation.regex) if search is not None]
    hits = [
        trial.rule for search in searches for trial in search.trials if trial.verdict is TrialVerdict.MATCHED
    ]
    if isinstance(translation.outcome, Translated | UndefinedOutput):
        assert translation.outcome.rule == min(hits, key=lambda rule: rule.position)


@given(st.lists(RULES, max_size=6), INPUTS, NOW)
def test_over_mi_no_variable_is_requested(rows: list[RuleRow], subject: bytes, now: int) -> None:
    result = load(rows, QUICK)
    if isinstance(result, LoadedDialplans):
        outcome = translate(result.dialplans, 1, subject, now).outcome
        assert type(outcome).__name__ != "RequestNeeded"


@given(st.text(max_size=40))
def test_places_of_a_replacement_lie_in_it_one_behind_the_other(text: str) -> None:
    octets = text.encode()
    replacement = read_replacement(octets)
    if isinstance(replacement, Replacement):
        ends = [0, *(place.end for place in replacement.places)]
        assert all(end <= place.offset for end, place in zip(ends, replacement.places, strict=False))
        assert all(octets[place.offset : place.end] == place.text for place in replacement.places)


@given(st.text(alphabet="0123456789T|&/!() PDHMSwmotuUC,-", max_size=60), NOW)
def test_any_text_is_a_recurrence_or_a_marked_fault(text: str, now: int) -> None:
    result = parse_timerec(text)
    if isinstance(result, InvalidRecurrence):
        assert 0 <= result.position <= len(text)
    else:
        assert result.check(now) is not None


@given(st.text(alphabet="0123456789T|&/ PDHMSdailyweklmo,", min_size=1, max_size=60), NOW)
def test_an_inverted_bracket_is_the_opposite(text: str, now: int) -> None:
    plain, inverted = parse_timerec(f"({text})"), parse_timerec(f"!({text})")
    if isinstance(plain, InvalidRecurrence) or isinstance(inverted, InvalidRecurrence):
        assert isinstance(plain, InvalidRecurrence)
        assert isinstance(inverted, InvalidRecurrence)
    elif not plain.can_crash:
        assert plain.check(now) is not inverted.check(now)
