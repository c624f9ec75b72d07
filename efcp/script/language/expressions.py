"""Conditions, values and calls, with the precedence that the grammar (cfg.y) gives them.

`and` and `or` bind alike, from the left, and so do all arithmetic operators; a comparison binds tighter than
both, and a `!` covers a whole comparison. A condition knows arithmetic only within `[ ]`, a value knows no
logic: what the grammar refuses is read, too, with a finding.
"""

from efcp.script.language.cursor import (
    NULLS,
    OLD_WORDS,
    RESERVED,
    Cursor,
    NotUnderstoodError,
    TooDeepError,
    is_number,
    kind_of,
    strings,
)
from efcp.script.language.syntax import (
    Argument,
    ArgumentKind,
    Binary,
    Call,
    Expression,
    Leave,
    Not,
    Resume,
    Term,
)
from efcp.script.language.tokens import Token, TokenKind, unquoted

MAXIMUM_OPERATORS = 200
"""In one expression: who walks through it goes as deep."""

LOGIC, BITS, ARITHMETIC, COMPARISON = range(1, 5)
ASSIGNING = frozenset({"=", ":=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="})
_SPELLED = {"and": "&&", "or": "||"}
_PRECEDENCE = (
    dict.fromkeys(("&&", "||", "and", "or"), LOGIC)
    | dict.fromkeys(("&", "|", "^", "<<", ">>"), BITS)
    | dict.fromkeys(("+", "-", "*", "/", "%"), ARITHMETIC)
    | dict.fromkeys(("==", "!=", "<", ">", "<=", ">=", "=~", "!~"), COMPARISON)
)
_JOINING = frozenset({"xlog", "xdbg"})
"""The functions that take several strings in a row as one."""
_NEVER_LEFT_OUT = _JOINING | {"route", "assert"}
_RESUMING = frozenset({"async", "launch"})
_LEAVING = frozenset({"exit", "drop", "return"})
"""Statements that the grammar takes as expressions, too (exp_stm and assignexp)."""
_RETURNED = (ArgumentKind.NUMBER, ArgumentKind.VARIABLE)


def condition(cursor: Cursor) -> Expression:
    """A condition whole; raises NotUnderstoodError at what fits none."""
    return _whole(cursor, is_value=False)


def value(cursor: Cursor) -> Expression:
    """What is assigned, whole; raises NotUnderstoodError at what fits no value."""
    return _whole(cursor, is_value=True)


def _whole(cursor: Cursor, *, is_value: bool) -> Expression:
    cursor.operators = 0
    if is_value and cursor.token.text in NULLS:
        return _plain(cursor)
    return _joined(cursor, LOGIC, is_value)


def _joined(cursor: Cursor, lowest: int, is_value: bool) -> Expression:
    left = _operand(cursor, is_value)
    while (precedence := _PRECEDENCE.get(cursor.token.text, 0)) >= lowest:
        operator = cursor.token
        _check_operator(cursor, precedence, is_value)
        cursor.take()
        _count_operator(cursor, operator)
        if precedence == COMPARISON:
            right = _compared(cursor, operator, is_value)
        else:
            right = _joined(cursor, precedence + 1, is_value)
        left = Binary(cursor.place(operator), _SPELLED.get(operator.text, operator.text), left, right)
    return left


def _check_operator(cursor: Cursor, precedence: int, is_value: bool) -> None:
    operator = cursor.token
    if precedence == COMPARISON and cursor.previous.kind is not TokenKind.VARIABLE:
        cursor.error("syntax", operator, f"{operator.text} takes a variable on its left, without brackets.")
    elif precedence == LOGIC and is_value:
        cursor.error("syntax", operator, f"{operator.text} is not allowed in a value: use an if.")
    elif precedence in (BITS, ARITHMETIC) and not is_value:
        cursor.error("syntax", operator, f"{operator.text} in a condition needs square brackets.")


def _compared(cursor: Cursor, operator: Token, is_value: bool) -> Expression:
    """What stands on the right of a comparison."""
    token = cursor.token
    if operator.text in ("=~", "!~"):
        fits = token.kind in (TokenKind.VARIABLE, TokenKind.STRING)
    elif operator.text in ("==", "!="):
        fits = token.text not in ("(", "!", "not", "~") and not _is_bare_word(cursor)
    else:
        fits = token.text in ("-", "+") or is_number(token)
        fits = fits or token.kind in (TokenKind.VARIABLE, TokenKind.STRING)
    if not fits:
        cursor.error("syntax", operator, f"The right side of {operator.text} can't be compared like this.")
    if token.text in NULLS or token.kind in (TokenKind.STRING, TokenKind.ADDRESS, TokenKind.VARIABLE):
        return _plain(cursor)
    if token.text == "[" and cursor.ahead().kind is TokenKind.ADDRESS:
        cursor.take()
        address = _plain(cursor)
        cursor.expect("]")
        return address
    return _operand(cursor, is_value)


def _is_bare_word(cursor: Cursor) -> bool:
    token = cursor.token
    return token.kind is TokenKind.WORD and not is_number(token) and token.text not in NULLS


def _count_operator(cursor: Cursor, operator: Token) -> None:
    cursor.operators += 1
    if cursor.operators > MAXIMUM_OPERATORS:
        text = f"More than {MAXIMUM_OPERATORS} operators in one expression: the rest of it is not read."
        cursor.error("nested-too-deep", operator, text)
        raise TooDeepError


def _operand(cursor: Cursor, is_value: bool) -> Expression:
    token = cursor.token
    if token.text in ("!", "not"):
        return _negation(cursor, is_value)
    if token.text in ("(", "["):
        return _bracketed(cursor, is_value)
    if token.text in ("-", "+", "~"):
        return _signed(cursor, is_value)
    if token.text in _RESUMING:
        return resume_of(cursor)
    if token.kind is TokenKind.WORD and cursor.ahead().text == "(" and token.text not in _LEAVING:
        return call(cursor)
    if token.kind is TokenKind.VARIABLE and cursor.ahead().text in ASSIGNING:
        return _assigned(cursor)
    if token.text in _LEAVING:
        return leave_of(cursor)
    if _is_bare_word(cursor) or token.text in NULLS or token.kind is TokenKind.ADDRESS:
        text = f"{token.text} needs quotes, or () if it is a call."
        cursor.error("syntax", token, OLD_WORDS.get(token.text, text))
    elif token.kind is TokenKind.STRING and not is_value:
        cursor.error("syntax", token, "A string is not a condition.")
    return _plain(cursor)


def _plain(cursor: Cursor) -> Expression:
    """A single token as a term."""
    token = cursor.token
    if token.kind is TokenKind.STRING:
        return Term(cursor.place(token), Argument(ArgumentKind.STRING, unquoted(cursor.take().text)))
    kind = kind_of(token)
    if kind is None:
        raise NotUnderstoodError
    cursor.take()
    return Term(cursor.place(token), Argument(kind, token.text))


def _assigned(cursor: Cursor) -> Expression:
    """An assignment within a condition."""
    variable = _plain(cursor)
    operator = cursor.take()
    _count_operator(cursor, operator)
    cursor.deeper()
    try:
        right = _plain(cursor) if cursor.token.text in NULLS else _joined(cursor, BITS, is_value=True)
    finally:
        cursor.depth -= 1
    return Binary(cursor.place(operator), operator.text, variable, right)


def _negation(cursor: Cursor, is_value: bool) -> Expression:
    token = cursor.take()
    if is_value:
        cursor.error("syntax", token, f"{token.text} is not allowed in a value: use an if.")
    _count_operator(cursor, token)
    cursor.deeper()
    try:
        return Not(cursor.place(token), _joined(cursor, COMPARISON, is_value))
    finally:
        cursor.depth -= 1


def _bracketed(cursor: Cursor, is_value: bool) -> Expression:
    """The content of brackets; square ones enclose a value within a condition."""
    opening = cursor.token
    cursor.deeper()
    cursor.take()
    try:
        inner = _joined(cursor, LOGIC, is_value or opening.text == "[")
        cursor.expect(")" if opening.text == "(" else "]")
    finally:
        cursor.depth -= 1
    return inner


def _signed(cursor: Cursor, is_value: bool) -> Expression:
    start = cursor.index
    token = cursor.take()
    if is_number(cursor.token) and token.text != "~":
        cursor.take()
        text = cursor.written(start, cursor.index)
        return Term(cursor.place(token), Argument(ArgumentKind.NUMBER, text))
    if token.text != "~" or not is_value:
        cursor.error("syntax", token, f"{token.text} is not allowed before this.")
    cursor.deeper()
    try:
        _operand(cursor, is_value)
    finally:
        cursor.depth -= 1
    text = cursor.written(start, cursor.index)
    return Term(cursor.place(token), Argument(ArgumentKind.EXPRESSION, text))


def call(cursor: Cursor) -> Call:
    """A function's name and its arguments in brackets. A missing `)` is a finding."""
    name = cursor.take()
    opening = cursor.take()
    place = cursor.place(name)
    if cursor.token.text == ")" and name.text not in _NEVER_LEFT_OUT:
        cursor.take()
        return Call(place, name.text, ())
    found = [_asserted(cursor) if name.text == "assert" else _argument(cursor, name.text, 0)]
    while cursor.accept(","):
        found.append(_argument(cursor, name.text, len(found)))
    if not cursor.accept(")"):
        cursor.error("syntax", opening, f"The ( of {name.text} is not closed.")
    return Call(place, name.text, tuple(found))


def _argument(cursor: Cursor, name: str, position: int) -> Argument:
    """One argument; what is neither a value nor a name is kept as written."""
    token = cursor.token
    if token.text in (",", ")"):
        if name in _NEVER_LEFT_OUT:
            cursor.error("syntax", token, f"An argument of {name} is missing.")
        return Argument(ArgumentKind.NONE, "")
    start = cursor.index
    found = _simple_argument(cursor, name)
    if cursor.token.text not in (",", ")") or found.kind is ArgumentKind.EXPRESSION:
        cursor.return_to(start)
        _skip_argument(cursor)
        found = Argument(ArgumentKind.EXPRESSION, cursor.written(start, cursor.index))
    _check_argument(cursor, token, found, name, position)
    return found


def _asserted(cursor: Cursor) -> Argument:
    """What assert() takes first: a condition."""
    start = cursor.index
    found = _joined(cursor, LOGIC, is_value=False)
    return Argument(ArgumentKind.EXPRESSION, cursor.written(start, cursor.index), found)


def _simple_argument(cursor: Cursor, name: str) -> Argument:
    start, token = cursor.index, cursor.token
    if token.kind is TokenKind.STRING:
        joins = name in _JOINING
        return Argument(ArgumentKind.STRING, strings(cursor) if joins else unquoted(cursor.take().text))
    cursor.take()
    if token.text in ("-", "+") and is_number(cursor.token):
        cursor.take()
        return Argument(ArgumentKind.NUMBER, cursor.written(start, cursor.index))
    kind = kind_of(token) or ArgumentKind.EXPRESSION
    return Argument(kind, token.text)


def _check_argument(cursor: Cursor, token: Token, found: Argument, name: str, position: int) -> None:
    if found.kind is ArgumentKind.EXPRESSION:
        text = f"An argument of {name} must be a string, number or variable, not an expression."
        cursor.error("syntax", token, text)
    elif name in _JOINING and found.kind is not ArgumentKind.STRING:
        cursor.error("syntax", token, f"{name} takes strings only; put variables inside them.")
    elif found.kind is ArgumentKind.NAME and not _may_be_bare(found.text, name, position):
        cursor.error("syntax", token, f"The argument {found.text} of {name} needs quotes.")


def _may_be_bare(text: str, name: str, position: int) -> bool:
    """Whether an argument may do without quotes: a route's name, and NULL for what is handed to a route."""
    if name != "route":
        return False
    return text in NULLS if position else text not in RESERVED


def _skip_argument(cursor: Cursor) -> None:
    while not cursor.at_end and cursor.token.text not in (",", ")", ";", "{", "}"):
        if cursor.token.text in ("(", "["):
            cursor.skip_nested()
        else:
            cursor.take()


def leave_of(cursor: Cursor) -> Leave:
    """exit, drop, break and return; of several values that a return takes, the first one counts."""
    token = cursor.take()
    return Leave(cursor.place(token), token.text, _left_with(cursor, token))


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


def resume_of(cursor: Cursor) -> Resume:
    """async and launch: what they call, and the route where it goes on."""
    token = cursor.take()
    route = ""
    try:
        cursor.expect("(")
        called = _called(cursor)
        if cursor.accept(","):
            name = cursor.take()
            route = unquoted(name.text) if name.kind is TokenKind.STRING else name.text
            if cursor.accept(","):
                cursor.take()
        cursor.expect(")")
    except NotUnderstoodError:
        cursor.error("syntax", token, f"{token.text} takes (function(…), route).")
        raise
    return Resume(cursor.place(token), token.text, called, route)


def _called(cursor: Cursor) -> Call:
    if cursor.token.kind is not TokenKind.WORD or cursor.ahead().text != "(":
        raise NotUnderstoodError
    return call(cursor)
