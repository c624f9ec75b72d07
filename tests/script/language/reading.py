"""Short ways to read a snippet, for the tests."""

from efcp.script.findings import Location
from efcp.script.language.reading import parse
from efcp.script.language.syntax import Argument, ArgumentKind, Expression, If, Item, Script, Statement, Term

FILE = "test.cfg"


def at(line: int) -> Location:
    return Location(FILE, line)


def the_item(text: str) -> Item:
    script = parse(text, FILE)
    assert (script.skipped, script.findings, len(script.items)) == (0, (), 1)
    return script.items[0]


def in_route(text: str) -> Script:
    """The text as the body of a route, on the line after the route's."""
    return parse(f"route {{\n{text}\n}}\n", FILE)


def the_statement(text: str) -> Statement:
    script = in_route(text)
    assert (script.skipped, script.findings) == (0, ())
    (statement,) = next(script.routes).body
    return statement


def the_condition(text: str) -> Expression:
    statement = the_statement(f"if ({text}) exit;")
    assert isinstance(statement, If)
    return statement.condition


def codes(script: Script) -> list[tuple[str, int]]:
    return [(finding.code, finding.place.line) for finding in script.findings]


def term(kind: ArgumentKind, text: str, line: int = 2) -> Term:
    return Term(at(line), Argument(kind, text))


def variable(text: str, line: int = 2) -> Term:
    return term(ArgumentKind.VARIABLE, text, line)


def number(text: str, line: int = 2) -> Term:
    return term(ArgumentKind.NUMBER, text, line)


def string(text: str, line: int = 2) -> Term:
    return term(ArgumentKind.STRING, text, line)
