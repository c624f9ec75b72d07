"""Statements of a route: conditions, loops, switches, assignments, exits and calls."""

from collections.abc import Callable

from efcp.script.language.cursor import Cursor, NotUnderstoodError, TooDeepError, is_number
from efcp.script.language.expressions import ASSIGNING, call, condition, leave_of, resume_of, value
from efcp.script.language.syntax import (
    Argument,
    ArgumentKind,
    Assign,
    Block,
    Case,
    Expression,
    ForEach,
    If,
    Statement,
    Switch,
    Term,
    While,
)
from efcp.script.language.tokens import Token, TokenKind, unquoted


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
        cursor.error("syntax", variable, f"{variable.text[:40]} is not a statement: an assignment needs =.")
        raise NotUnderstoodError
    cursor.take()
    return Assign(cursor.place(variable), variable.text, operator.text, value(cursor))


def leave(cursor: Cursor) -> Statement:
    """exit, drop, break and return."""
    token = cursor.token
    if token.text == "break" and not cursor.loops:
        cursor.error("syntax", token, "break is only allowed in a loop or switch.")
    return finished(cursor, leave_of(cursor))


def resume(cursor: Cursor) -> Statement:
    """async and launch."""
    return finished(cursor, resume_of(cursor))


ELSE_IFS_A_LEVEL = 2
"""How many of them count as one level of nesting: they take depth only when they are walked through."""


def block(cursor: Cursor) -> Block:
    """The statements from `{` to its `}`. One that isn't closed ends where the next route begins."""
    opening = cursor.take()
    statements = _statements(cursor, _ends)
    if cursor.accept("}"):
        return statements
    cursor.unclosed(opening)
    return statements


def _statements(cursor: Cursor, ends: Callable[[Cursor], bool]) -> Block:
    found: list[Statement] = []
    while not ends(cursor):
        found += _statement(cursor)
    return tuple(found)


def _ends(cursor: Cursor) -> bool:
    return cursor.at_end or cursor.token.text == "}" or cursor.starts_route()


def _case_ends(cursor: Cursor) -> bool:
    return _ends(cursor) or cursor.token.text == "case" or _is_default(cursor)


def _is_default(cursor: Cursor) -> bool:
    return cursor.token.text == "default" and cursor.ahead().text == ":"


def _statement(cursor: Cursor) -> Block:
    """The statement at hand: one, none for a `;` alone, several for a block in braces."""
    start, depth = cursor.index, cursor.depth
    try:
        cursor.deeper()
        return _kind_of_statement(cursor)
    except TooDeepError:
        cursor.skip_statement()
        cursor.skipped += 1
        return ()
    except NotUnderstoodError:
        cursor.skip_statement()
        cursor.not_understood(start)
        return ()
    finally:
        cursor.depth = depth


def _kind_of_statement(cursor: Cursor) -> Block:
    token = cursor.token
    if handler := _BY_WORD.get(token.text):
        return (handler(cursor),)
    if token.text == ";":
        cursor.take()
        return ()
    if token.text == "{":
        cursor.error("syntax", token, "A block in braces must follow a condition or a loop.")
        return block(cursor)
    if token.text in (")", "]"):
        cursor.take()
        cursor.error("stray-bracket", token, f"This {token.text} has no opening counterpart.")
        return ()
    if token.kind is TokenKind.VARIABLE:
        return (finished(cursor, assignment(cursor)),)
    if token.kind is TokenKind.WORD and cursor.ahead().text == "(":
        return (finished(cursor, call(cursor)),)
    if token.text == "else":
        cursor.error("syntax", token, "This else has no if: check for a ; before it.")
        cursor.take()
        return _body(cursor)
    if token.kind is TokenKind.WORD:
        cursor.error("syntax", token, f"{token.text} is not a statement: a call needs ().")
    raise NotUnderstoodError


def _condition(cursor: Cursor) -> Expression:
    """A condition in its round brackets. One that isn't understood is a term of its text, so that the
    statements below it are read."""
    opening = cursor.token
    cursor.expect("(")
    start = cursor.index
    found = _understood_condition(cursor)
    if found is None:
        cursor.skip_to_closing()
    text = cursor.written(start, cursor.index)
    if not cursor.accept(")"):
        cursor.error("syntax", opening, "A ) is missing.")
    if found is None:
        cursor.not_understood(start)
        return Term(cursor.place(opening), Argument(ArgumentKind.EXPRESSION, text))
    return found


def _understood_condition(cursor: Cursor) -> Expression | None:
    try:
        found = condition(cursor)
    except NotUnderstoodError:
        return None
    return found if cursor.token.text in (")", ";", "{", "}") else None


def _body(cursor: Cursor) -> Block:
    """The block or the one statement that a condition governs."""
    if cursor.at_end or cursor.token.text == "}":
        cursor.error("syntax", cursor.previous, "A statement is missing.")
        return ()
    return block(cursor) if cursor.token.text == "{" else _statement(cursor)


def _if(cursor: Cursor) -> If:
    """An if with all its else-ifs: some of those count as one level deeper, those too deep are skipped."""
    found = [_branch(cursor)]
    while cursor.token.text == "else" and cursor.ahead().text == "if":
        try:
            if len(found) % ELSE_IFS_A_LEVEL == 0:
                cursor.deeper()
        except TooDeepError:
            while cursor.accept("else"):
                cursor.skip_statement()
            break
        cursor.take()
        found.append(_branch(cursor))
    otherwise = _body(cursor) if cursor.accept("else") else ()
    token, condition, then = found.pop()
    last = If(cursor.place(token), condition, then, otherwise)
    for token, condition, then in reversed(found):
        last = If(cursor.place(token), condition, then, (last,))
    return last


def _branch(cursor: Cursor) -> tuple[Token, Expression, Block]:
    token = cursor.take()
    found = _condition(cursor)
    return token, found, _body(cursor)


def _while(cursor: Cursor) -> While:
    token = cursor.take()
    found = _condition(cursor)
    return While(cursor.place(token), found, _loop_body(cursor))


def _loop_body(cursor: Cursor) -> Block:
    cursor.loops += 1
    try:
        return _body(cursor)
    finally:
        cursor.loops -= 1


def _variable(cursor: Cursor) -> str:
    if cursor.token.kind is not TokenKind.VARIABLE:
        raise NotUnderstoodError
    return cursor.take().text


def _for_each(cursor: Cursor) -> ForEach:
    token = cursor.take()
    try:
        cursor.expect("(")
        variable = _variable(cursor)
        cursor.expect("in")
        source = _variable(cursor)
        cursor.expect(")")
    except NotUnderstoodError:
        cursor.error("syntax", token, "for takes ($variable in $variable).")
        raise
    return ForEach(cursor.place(token), variable, source, _loop_body(cursor))


def _switch(cursor: Cursor) -> Switch:
    token = cursor.take()
    try:
        cursor.expect("(")
        subject = _variable(cursor)
        cursor.expect(")")
        opening = cursor.token
        cursor.expect("{")
    except NotUnderstoodError:
        cursor.error("syntax", token, "switch takes ($variable) and a block in braces.")
        raise
    cases = _cases(cursor)
    if not cursor.accept("}"):
        cursor.unclosed(opening)
    if not cases or not cases[0].values:
        cursor.error("syntax", token, "A switch must begin with a case.")
    return Switch(cursor.place(token), subject, cases)


def _cases(cursor: Cursor) -> tuple[Case, ...]:
    cases: list[Case] = []
    cursor.loops += 1
    try:
        while not _ends(cursor):
            if cases and not cases[-1].values:
                cursor.error("syntax", cursor.token, "default must be last in a switch.")
            cases += _case(cursor)
    finally:
        cursor.loops -= 1
    return tuple(cases)


def _case(cursor: Cursor) -> tuple[Case, ...]:
    """One case with its values (labels in a row share what follows); none where there is no label."""
    start, token = cursor.index, cursor.token
    values: list[str] = []
    while cursor.accept("case"):
        values.append(_label(cursor))
        cursor.expect(":")
    if not values:
        if not _is_default(cursor):
            cursor.skip_statement()
            cursor.not_understood(start)
            return ()
        cursor.take()
        cursor.take()
    return (Case(cursor.place(token), tuple(values), _statements(cursor, _case_ends)),)


def _label(cursor: Cursor) -> str:
    token = cursor.take()
    if token.kind is TokenKind.STRING:
        return unquoted(token.text)
    if token.text in ("-", "+") and is_number(cursor.token):
        return token.text + cursor.take().text
    if not is_number(token):
        raise NotUnderstoodError
    return token.text


_BY_WORD: dict[str, Callable[[Cursor], Statement]] = {
    "if": _if,
    "while": _while,
    "for": _for_each,
    "switch": _switch,
    "exit": leave,
    "drop": leave,
    "return": leave,
    "break": leave,
    "async": resume,
    "launch": resume,
}
