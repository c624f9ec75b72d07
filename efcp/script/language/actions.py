"""The statements that end with a `;`: assignments, exits, what goes on later."""

from efcp.script.language.cursor import Cursor, NotUnderstoodError
from efcp.script.language.expressions import ASSIGNING, call, value
from efcp.script.language.syntax import (
    ArgumentKind,
    Assign,
    Call,
    Expression,
    Leave,
    Resume,
    Statement,
    Term,
)
from efcp.script.language.tokens import Token, TokenKind, unquoted

_RETURNED = (ArgumentKind.NUMBER, ArgumentKind.VARIABLE)


def finished(cursor: Cursor, statement: Statement) -> Statement:
    """The statement, its `;` taken; a missing one is a finding at the line that lacks it."""
    if not cursor.accept(";"):
        cursor.error("syntax", cursor.previous, f"A ; is missing after {cursor.previous.text[:40]}.")
    return statement


def assignment(cursor: Cursor) -> Assign:
    """A value given to a variable."""
    variable = cursor.take()
    operator = cursor.token
    if operator.text not in ASSIGNING:
        cursor.error("syntax", variable, f"{variable.text[:40]} stands alone: an assignment lacks its =.")
        raise NotUnderstoodError
    cursor.take()
    return Assign(cursor.place(variable), variable.text, operator.text, value(cursor))


def leave(cursor: Cursor) -> Statement:
    """exit, drop, break and return; of several values that a return takes, the first one counts."""
    token = cursor.take()
    if token.text == "break" and not cursor.loops:
        cursor.error("syntax", token, "break stands only within a loop or a switch.")
    found = _left_with(cursor, token)
    return finished(cursor, Leave(cursor.place(token), token.text, found))


def _left_with(cursor: Cursor, token: Token) -> Expression | None:
    start = cursor.index
    if cursor.token.text != "(":
        bare = token.text != "return" or cursor.token.text in (";", "}") or cursor.at_end
        return None if bare else _returned(cursor, token)
    cursor.take()
    found = None if cursor.token.text in (")", ",") else _returned(cursor, token)
    if cursor.token.text not in (")", ","):
        cursor.error("syntax", token, f"{token.text} takes a number or a variable.")
    cursor.skip_to_closing()
    cursor.expect(")")
    if token.text == "break" or (token.text != "return" and cursor.index - start > 2):
        cursor.error("syntax", token, f"{token.text} takes no value.")
    return found


def _returned(cursor: Cursor, token: Token) -> Expression:
    found = value(cursor)
    if not isinstance(found, Term) or found.argument.kind not in _RETURNED or cursor.previous.text == ")":
        cursor.error("syntax", token, f"{token.text} takes a number or a variable.")
    return found


def resume(cursor: Cursor) -> Statement:
    """async and launch: what they call, and the route where it goes on."""
    token = cursor.take()
    route = ""
    try:
        cursor.expect("(")
        called = _called(cursor)
        if cursor.accept(","):
            name = cursor.take()
            route = unquoted(name.text) if name.kind is TokenKind.STRING else name.text
        cursor.skip_to_closing()
        cursor.expect(")")
    except NotUnderstoodError:
        cursor.error("syntax", token, f"{token.text} takes (function(…), route).")
        raise
    return finished(cursor, Resume(cursor.place(token), token.text, called, route))


def _called(cursor: Cursor) -> Call:
    if cursor.token.kind is not TokenKind.WORD or cursor.ahead().text != "(":
        raise NotUnderstoodError
    return call(cursor)
