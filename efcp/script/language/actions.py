"""The statements that end with a `;`: assignments, exits, what goes on later."""

from efcp.script.language.cursor import Cursor, NotUnderstoodError
from efcp.script.language.expressions import ASSIGNING, leave_of, resume_of, value
from efcp.script.language.syntax import Assign, Statement


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
    """exit, drop, break and return."""
    token = cursor.token
    if token.text == "break" and not cursor.loops:
        cursor.error("syntax", token, "break stands only within a loop or a switch.")
    return finished(cursor, leave_of(cursor))


def resume(cursor: Cursor) -> Statement:
    """async and launch."""
    return finished(cursor, resume_of(cursor))
