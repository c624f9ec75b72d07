"""The statements of a route, one by one."""

import pytest

from efcp.script.language.syntax import (
    Argument,
    ArgumentKind,
    Assign,
    Binary,
    Call,
    Case,
    ForEach,
    If,
    Leave,
    Resume,
    Statement,
    Switch,
    While,
    calls,
)
from tests.script.language.reading import at, codes, in_route, number, string, term, the_statement, variable

NOTHING = Argument(ArgumentKind.NONE, "")
EXIT = Leave(at(2), "exit")


def text(value: str) -> Argument:
    return Argument(ArgumentKind.STRING, value)


def name(value: str) -> Argument:
    return Argument(ArgumentKind.NAME, value)


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("t_relay()", ()),
        ("f(1)", (Argument(ArgumentKind.NUMBER, "1"),)),
        ("f(-1, 0x10)", (Argument(ArgumentKind.NUMBER, "-1"), Argument(ArgumentKind.NUMBER, "0x10"))),
        ('f("a", $var(b))', (text("a"), Argument(ArgumentKind.VARIABLE, "$var(b)"))),
        ("f(1,,2)", (Argument(ArgumentKind.NUMBER, "1"), NOTHING, Argument(ArgumentKind.NUMBER, "2"))),
        ('f(,"a")', (NOTHING, text("a"))),
        ('f("a",)', (text("a"), NOTHING)),
        ("f(\n yes\n)", (Argument(ArgumentKind.NUMBER, "yes"),)),
        ("f($(ru{uri.user}))", (Argument(ArgumentKind.VARIABLE, "$(ru{uri.user})"),)),
    ],
)
def test_a_call_has_arguments(written: str, arguments: tuple[Argument, ...]) -> None:
    assert the_statement(written + ";") == Call(at(2), written.partition("(")[0], arguments)


def test_strings_in_a_row_are_one_for_xlog() -> None:
    assert the_statement('xlog("L_INFO", "a "\n "b");') == Call(at(2), "xlog", (text("L_INFO"), text("a b")))


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("route(relay)", (name("relay"),)),
        ('route("relay")', (text("relay"),)),
        ("route(1)", (Argument(ArgumentKind.NUMBER, "1"),)),
        ("route($var(x))", (Argument(ArgumentKind.VARIABLE, "$var(x)"),)),
        (
            "route(x, $var(y), 2)",
            (name("x"), Argument(ArgumentKind.VARIABLE, "$var(y)"), Argument(ArgumentKind.NUMBER, "2")),
        ),
        ("route(x, NULL)", (name("x"), name("NULL"))),
    ],
)
def test_a_route_is_called_by_its_name(written: str, arguments: tuple[Argument, ...]) -> None:
    assert the_statement(written + ";") == Call(at(2), "route", arguments)


def test_assert_takes_a_condition() -> None:
    called = Call(at(2), "assert", (Argument(ArgumentKind.EXPRESSION, "$var(x) == 1 && $rU"), text("no")))
    assert the_statement('assert($var(x) == 1 && $rU, "no");') == called


@pytest.mark.parametrize("operator", ["=", ":=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="])
def test_a_variable_is_assigned(operator: str) -> None:
    assert the_statement(f"$var(x) {operator} 1;") == Assign(at(2), "$var(x)", operator, number("1"))


@pytest.mark.parametrize(
    ("written", "statement"),
    [
        ("$avp(x) = NULL;", Assign(at(2), "$avp(x)", "=", term(ArgumentKind.NAME, "NULL"))),
        ('$du="sip:10.0.0.1";', Assign(at(2), "$du", "=", string("sip:10.0.0.1"))),
        ("$var(x)=-1;", Assign(at(2), "$var(x)", "=", number("-1"))),
        ("$var(x) = has_totag();", Assign(at(2), "$var(x)", "=", Call(at(2), "has_totag", ()))),
        (
            "$var(x) = $var(y)-1;",
            Assign(at(2), "$var(x)", "=", Binary(at(2), "-", variable("$var(y)"), number("1"))),
        ),
        ("$var(x) = ~1;", Assign(at(2), "$var(x)", "=", term(ArgumentKind.EXPRESSION, "~1"))),
    ],
)
def test_an_assignment_has_a_value(written: str, statement: Statement) -> None:
    assert the_statement(written) == statement


@pytest.mark.parametrize(
    ("written", "statement"),
    [
        ("exit;", EXIT),
        ("exit();", EXIT),
        ("drop;", Leave(at(2), "drop")),
        ("drop();", Leave(at(2), "drop")),
        ("return;", Leave(at(2), "return")),
        ("return();", Leave(at(2), "return")),
        ("return 1;", Leave(at(2), "return", number("1"))),
        ("return(-1);", Leave(at(2), "return", number("-1"))),
        ("return -1;", Leave(at(2), "return", number("-1"))),
        ("return($var(x));", Leave(at(2), "return", variable("$var(x)"))),
        ('return(1, "a", NULL);', Leave(at(2), "return", number("1"))),
        ('return(, "a");', Leave(at(2), "return")),
    ],
)
def test_a_route_is_left(written: str, statement: Statement) -> None:
    assert the_statement(written) == statement


def test_a_condition_governs_one_statement_or_a_block() -> None:
    condition = Call(at(2), "f", ())
    assert the_statement("if (f()) exit;") == If(at(2), condition, (EXIT,), ())
    assert the_statement("if (f()) { exit; }") == If(at(2), condition, (EXIT,), ())
    assert the_statement("if (f()) { }") == If(at(2), condition, (), ())
    assert the_statement("if (f()) ;") == If(at(2), condition, (), ())
    assert the_statement("if (f()) { exit; } else drop;") == If(
        at(2), condition, (EXIT,), (Leave(at(2), "drop"),)
    )


def test_an_else_if_is_an_if_within_the_else() -> None:
    statement = the_statement("if (f()) exit;\nelse if (g()) { drop; }\nelse return;")
    inner = If(at(3), Call(at(3), "g", ()), (Leave(at(3), "drop"),), (Leave(at(4), "return"),))
    assert statement == If(at(2), Call(at(2), "f", ()), (EXIT,), (inner,))


def test_an_else_belongs_to_the_nearest_if() -> None:
    statement = the_statement("if (f()) if (g()) exit; else drop;")
    inner = If(at(2), Call(at(2), "g", ()), (EXIT,), (Leave(at(2), "drop"),))
    assert statement == If(at(2), Call(at(2), "f", ()), (inner,), ())


def test_loops_have_a_body_that_a_break_leaves() -> None:
    broken = (Leave(at(2), "break"),)
    assert the_statement("while (f()) { break; }") == While(at(2), Call(at(2), "f", ()), broken)
    assert the_statement("while (f()) if (g()) break;") == While(
        at(2), Call(at(2), "f", ()), (If(at(2), Call(at(2), "g", ()), broken, ()),)
    )
    assert the_statement("for ($var(i) in $(avp(l)[*])) break;") == ForEach(
        at(2), "$var(i)", "$(avp(l)[*])", broken
    )


def test_a_switch_has_cases() -> None:
    statement = the_statement(
        'switch ($rm) {\ncase 1:\ncase "a":\n exit;\n break;\ncase -2:\ndefault:\n drop;\n}'
    )
    assert statement == Switch(
        at(2),
        "$rm",
        (
            Case(at(3), ("1", "a"), (Leave(at(5), "exit"), Leave(at(6), "break"))),
            Case(at(7), ("-2",), ()),
            Case(at(8), (), (Leave(at(9), "drop"),)),
        ),
    )


@pytest.mark.parametrize(
    ("written", "word", "route"),
    [
        ("async(sql_query(1), resume_it);", "async", "resume_it"),
        ('async(sql_query(1), "resume it");', "async", "resume it"),
        ("async(sql_query(1), resume_it, 10);", "async", "resume_it"),
        ("launch(sql_query(1));", "launch", ""),
        ("launch(sql_query(1), resume_it);", "launch", "resume_it"),
        ('launch(sql_query(1), resume_it, "x");', "launch", "resume_it"),
    ],
)
def test_what_goes_on_later_names_its_route(written: str, word: str, route: str) -> None:
    called = Call(at(2), "sql_query", (Argument(ArgumentKind.NUMBER, "1"),))
    assert the_statement(written) == Resume(at(2), word, called, route)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("exit", 2),
        ("t_relay()\nexit;", 2),
        ("$var(x) = 1\nexit;", 2),
        ("t_relay(;\nexit;", 2),
        ('if (is_method("INVITE") { exit; }', 2),
        ("{ exit; }", 2),
        ("break;", 2),
        ("if (f()) { exit; }; else drop;", 2),
        ("exit;\nif (f())", 3),
        ("foo;", 2),
        ("$var(x);", 2),
        ("f(a);", 2),
        ("f($var(x) + 1);", 2),
        ('f("a" "b");', 2),
        ("xlog();", 2),
        ("xlog($var(x));", 2),
        ("route();", 2),
        ("route(a,,b);", 2),
        ("route(drop);", 2),
        ("drop(1);", 2),
        ("return ($var(x) + 1);", 2),
        ("return(1 2);", 2),
        ("switch ($var(x)) { }", 2),
        ("switch ($var(x)) { default: exit; }", 2),
        ("switch ($var(x)) {\ncase 1: exit;\ndefault: exit;\ncase 2: exit;\n}", 5),
        ("switch (1) { case 1: exit; }", 2),
        ("for ($var(x) in 1) exit;", 2),
        ("async(1, x);", 2),
    ],
)
def test_what_the_proxy_refuses_is_one_error(written: str, line: int) -> None:
    assert codes(in_route(written)) == [("syntax", line)]


def test_a_mistake_hides_nothing_that_follows() -> None:
    script = in_route('if (foo bar) {\n a();\n}\nb(1 2);\n* 3 ;\nc()\nd("x);\ne();')
    assert [call.name for call in calls(next(script.routes).body)] == ["a", "b", "c", "d", "e"]
    assert codes(script) == [
        ("syntax", 2),
        ("syntax", 5),
        ("not-understood", 6),
        ("syntax", 7),
        ("unclosed-string", 8),
    ]


def test_a_bracket_that_closes_nothing_is_reported() -> None:
    assert codes(in_route("exit;\n)\nexit;")) == [("stray-bracket", 3)]


def test_an_unclosed_block_is_reported_where_it_opens() -> None:
    assert codes(in_route("if (f())\n{\n while (g()) {\n exit;\n}")) == [("unclosed-block", 1)]
    assert codes(in_route("switch ($rU) {\n case 1: exit;\n")) == [("unclosed-block", 1)]
