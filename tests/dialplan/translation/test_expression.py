"""Findings on expressions hold for every input, as PCRE2 matches it."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dialplan.translation.expression.automaton import AutomatonTooLargeError, automaton, common, includes
from dialplan.translation.expression.parsing import parse
from dialplan.translation.expression.syntax import Group, longest, walk, without_group
from dialplan.translation.pattern import Match, Pattern, compile_pattern

ATOMS = st.sampled_from(["0", "1", "a", "A", ".", "[01]", "[^0]", "\\d", "\\+", "[a-c1]", "\\w", "(0|1a)"])
PIECES = st.builds(
    "{}{}".format, ATOMS, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "+?"])
)
BODIES = st.lists(
    st.one_of(PIECES, st.builds("({})".format, st.lists(PIECES, max_size=2).map("|".join))), max_size=4
)
EXPRESSIONS = st.builds(
    "{}{}{}".format, st.sampled_from(["", "^"]), BODIES.map("".join), st.sampled_from(["", "$"])
)
INPUTS = st.text(alphabet="01aA+b", max_size=6).map(str.encode)


def pattern(expression: str, caseless: bool = False) -> Pattern:
    """The compiled expression."""
    compiled = compile_pattern(expression.encode(), caseless)
    assume(isinstance(compiled, Pattern))
    assert isinstance(compiled, Pattern)
    return compiled


def matches(expression: str, text: bytes, caseless: bool = False) -> bool:
    """Whether PCRE2 finds it."""
    return isinstance(pattern(expression, caseless).search(text), Match)


@given(EXPRESSIONS, INPUTS, st.booleans())
def test_an_expression_is_read_as_pcre2_reads_it(expression: str, text: bytes, caseless: bool) -> None:
    node = parse(expression.encode(), caseless)
    assume(node is not None)
    assert node is not None
    machine = automaton(node)
    states = machine.begin()
    found = machine.has_matched(states)
    for octet in text:
        states = machine.step(states, octet)
        found = found or machine.has_matched(states)
    found = found or machine.matches_here(states, at_start=not text)
    assert found == matches(expression, text, caseless)


@given(EXPRESSIONS, EXPRESSIONS, INPUTS)
def test_what_includes_another_matches_all_that_it_matches(earlier: str, later: str, text: bytes) -> None:
    one, other = parse(earlier.encode(), False), parse(later.encode(), False)
    assume(one is not None and other is not None and text)
    assert one is not None
    assert other is not None
    if includes(automaton(one), automaton(other)) and matches(later, text):
        assert matches(earlier, text)


@given(EXPRESSIONS, EXPRESSIONS)
def test_a_common_input_is_matched_by_both(one: str, other: str) -> None:
    first, second = parse(one.encode(), False), parse(other.encode(), False)
    assume(first is not None and second is not None)
    assert first is not None
    assert second is not None
    try:
        found = common(automaton(first), automaton(second))
    except AutomatonTooLargeError:
        return
    if found is not None:
        assert matches(one, found)
        assert matches(other, found)


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ("^0", "^00", True),
        ("^00", "^0", False),
        ("^0[0-9]+$", "^00[1-9]$", True),
        ("^0[0-9]{3,}$", "^0[0-9]+$", False),
        (".", "^5$", True),
        ("^(a|b)$", "^[ab]$", True),
        ("^[ab]$", "^(a|b|c)$", False),
        ("1", "^0", False),
        ("", "^0", True),
    ],
)
def test_inclusion_of_usual_rules(earlier: str, later: str, expected: bool) -> None:
    one, other = parse(earlier.encode(), False), parse(later.encode(), False)
    assert one is not None
    assert other is not None
    assert includes(automaton(one), automaton(other)) is expected


@pytest.mark.parametrize(
    "expression",
    [
        "(?=0)",
        "(?i)a",
        "\\b0",
        "(a)\\1",
        "a++",
        "(?>a)",
        "(*UTF)a",
        "[[:digit:]]",
        "\\x41",
        "a{,3}",
        "(?<n>a)",
        "\\Qa\\E",
    ],
)
def test_what_is_not_understood_has_no_finding(expression: str) -> None:
    assert parse(expression.encode(), False) is None


@given(EXPRESSIONS, INPUTS)
def test_a_group_is_never_longer_than_its_bound(expression: str, text: bytes) -> None:
    node = parse(expression.encode(), False)
    assume(node is not None)
    assert node is not None
    found = pattern(expression).search(text)
    assume(isinstance(found, Match))
    assert isinstance(found, Match)
    groups = {each.number: longest(each.part) for each in walk(node) if isinstance(each, Group)}
    for number, span in enumerate(found.spans[1:], 1):
        limit = groups[number]
        assert span is None or limit is None or span[1] - span[0] <= limit


def test_an_input_that_leaves_a_group_unset_is_found() -> None:
    node = parse(b"^(a)?b$", False)
    assert node is not None
    assert common(automaton(without_group(node, 1)), automaton(node)) == b"b"
