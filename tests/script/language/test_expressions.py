"""Conditions and values: what binds tighter, and what the grammar refuses."""

import pytest

from efcp.script.language.syntax import ArgumentKind, Binary, Call, Not
from tests.script.language.reading import (
    at,
    codes,
    in_route,
    number,
    string,
    term,
    the_condition,
    variable,
)

A, B, C = (Call(at(2), each, ()) for each in "abc")


@pytest.mark.parametrize(
    ("written", "operator"),
    [("a() && b()", "&&"), ("a() and b()", "&&"), ("a() || b()", "||"), ("a() or b()", "||")],
)
def test_logic_is_spelled_in_two_ways(written: str, operator: str) -> None:
    assert the_condition(written) == Binary(at(2), operator, A, B)


def test_and_and_or_bind_alike_from_the_left() -> None:
    assert the_condition("a() || b() && c()") == Binary(at(2), "&&", Binary(at(2), "||", A, B), C)
    assert the_condition("a() || (b() && c())") == Binary(at(2), "||", A, Binary(at(2), "&&", B, C))


@pytest.mark.parametrize("written", ["!a()", "not a()", "! a()"])
def test_a_negation_is_spelled_in_two_ways(written: str) -> None:
    assert the_condition(written) == Not(at(2), A)


def test_a_negation_covers_a_whole_comparison_but_no_logic() -> None:
    compared = Binary(at(2), "==", variable("$rU"), number("5"))
    assert the_condition("!$rU == 5 && a()") == Binary(at(2), "&&", Not(at(2), compared), A)


@pytest.mark.parametrize("operator", ["==", "!=", "<", ">", "<=", ">=", "=~", "!~"])
def test_a_variable_is_compared_with_a_string(operator: str) -> None:
    assert the_condition(f'$rU{operator}"x"') == Binary(at(2), operator, variable("$rU"), string("x"))


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("$rU == NULL", term(ArgumentKind.NAME, "NULL")),
        ("$rU != null", term(ArgumentKind.NAME, "null")),
        ("$rU == -1", number("-1")),
        ("$rU == $tU", variable("$tU")),
        ("$si == 10.0.0.0/8", term(ArgumentKind.NAME, "10.0.0.0/8")),
        ("$si == [::1]", term(ArgumentKind.NAME, "::1")),
    ],
)
def test_a_variable_is_compared_with_other_values(written: str, right: object) -> None:
    condition = the_condition(written)
    assert isinstance(condition, Binary)
    assert (condition.left, condition.right) == (variable(written.split()[0]), right)


def test_arithmetic_in_a_condition_stands_in_square_brackets_and_binds_alike() -> None:
    added = Binary(at(2), "+", variable("$var(x)"), number("1"))
    assert the_condition("[$var(x) + 1 * 2]") == Binary(at(2), "*", added, number("2"))
    assert the_condition("[$var(x) & 2 + 1]") == Binary(
        at(2), "&", variable("$var(x)"), Binary(at(2), "+", number("2"), number("1"))
    )


def test_an_assignment_within_a_condition_is_kept() -> None:
    assert the_condition("$var(x) = 1 && a()") == Binary(
        at(2), "&&", Binary(at(2), "=", variable("$var(x)"), number("1")), A
    )


def test_each_part_has_the_line_it_stands_on() -> None:
    assert the_condition("a()\n&& b()") == Binary(at(3), "&&", A, Call(at(3), "b", ()))


@pytest.mark.parametrize(
    "written",
    [
        '"a" == $rU',
        "a() == 1",
        "($rU) == 1",
        "$rU + 1 > 5",
        "[$rU + 1] > 5",
        "foo",
        '"foo"',
        "NULL",
        "10.0.0.1",
        "$rU =~ 5",
        "$rU < NULL",
        "$rU == foo",
        "$rU == (1)",
        "-$rU",
    ],
)
def test_a_condition_that_the_proxy_refuses_is_one_error(written: str) -> None:
    assert codes(in_route(f"if ({written}) exit;")) == [("syntax", 2)]


@pytest.mark.parametrize("written", ["$rU && $tU", "!$rU", "foo", "-$rU", "NULL + 1"])
def test_a_value_that_the_proxy_refuses_is_one_error(written: str) -> None:
    assert codes(in_route(f"$var(x) = {written};")) == [("syntax", 2)]
