"""Conditions, values and calls, with the precedence that the grammar gives them.

`and` and `or` bind alike, from the left, and so do all arithmetic operators; a `!` covers a whole comparison.
"""

from efcp.script.language.cursor import Cursor, NotUnderstoodError, TooDeepError
from efcp.script.language.syntax import Argument, ArgumentKind, Binary, Call, Expression, Not, Term
from efcp.script.language.tokens import Token, TokenKind, unquoted

MAXIMUM_OPERATORS = 200
"""In one expression: who walks through it goes as deep."""

LOGIC, COMPARISON, BITS, ARITHMETIC = range(1, 5)
ASSIGNING = frozenset({"=", ":=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="})
_SPELLED = {"and": "&&", "or": "||"}
_PRECEDENCE = (
    dict.fromkeys(("&&", "||", "and", "or"), LOGIC)
    | dict.fromkeys(("==", "!=", "<", ">", "<=", ">=", "=~", "!~"), COMPARISON)
    | dict.fromkeys(ASSIGNING, COMPARISON)
    | dict.fromkeys(("&", "|", "^", "<<", ">>"), BITS)
    | dict.fromkeys(("+", "-", "*", "/", "%"), ARITHMETIC)
)
_KINDS = {
    TokenKind.NUMBER: ArgumentKind.NUMBER,
    TokenKind.VARIABLE: ArgumentKind.VARIABLE,
    TokenKind.WORD: ArgumentKind.NAME,
    TokenKind.ADDRESS: ArgumentKind.NAME,
}
SWITCHES = {"yes": 1, "true": 1, "on": 1, "enable": 1, "no": 0, "false": 0, "off": 0, "disable": 0}
"""The words that the scanner takes as numbers."""


def number(text: str) -> int:
    """What a number says: decimal, 0x… hexadecimal, 0… octal, or one of the words for 1 and 0."""
    if text in SWITCHES:
        return SWITCHES[text]
    if text.startswith("0x"):
        return int(text, 16)
    octal = len(text) > 1 and text.startswith("0") and not set(text) - set("01234567")
    return int(text[:20], 8 if octal else 10)


def is_number(token: Token) -> bool:
    """Whether the token is a number, or a word that stands for one."""
    return token.kind is TokenKind.NUMBER or token.text in SWITCHES


def expression(cursor: Cursor) -> Expression:
    """An expression whole; raises NotUnderstoodError at what fits none."""
    before = cursor.operators
    cursor.operators = 0
    try:
        return _joined(cursor, LOGIC)
    finally:
        cursor.operators = before


def _joined(cursor: Cursor, lowest: int) -> Expression:
    left = _operand(cursor)
    while (precedence := _PRECEDENCE.get(cursor.token.text, 0)) >= lowest:
        operator = cursor.take()
        _count_operator(cursor, operator)
        right = _joined(cursor, precedence + 1)
        left = Binary(cursor.place(operator), _SPELLED.get(operator.text, operator.text), left, right)
    return left


def _count_operator(cursor: Cursor, operator: Token) -> None:
    cursor.operators += 1
    if cursor.operators > MAXIMUM_OPERATORS:
        text = f"More than {MAXIMUM_OPERATORS} operators in one expression: the rest of it is not read."
        cursor.error("nested-too-deep", operator, text)
        raise TooDeepError


def _operand(cursor: Cursor) -> Expression:
    token = cursor.token
    if token.text in ("!", "not"):
        return _negation(cursor)
    if token.text in ("(", "["):
        return _bracketed(cursor)
    if token.text in ("-", "+", "~"):
        return _signed(cursor)
    if token.kind is TokenKind.WORD and cursor.ahead().text == "(":
        return call(cursor)
    if token.kind is TokenKind.STRING:
        return Term(cursor.place(token), Argument(ArgumentKind.STRING, strings(cursor)))
    kind = _KINDS.get(token.kind)
    if kind is None:
        raise NotUnderstoodError
    cursor.take()
    return Term(cursor.place(token), Argument(_kind_of(token, kind), token.text))


def _kind_of(token: Token, kind: ArgumentKind) -> ArgumentKind:
    return ArgumentKind.NUMBER if token.text in SWITCHES else kind


def _negation(cursor: Cursor) -> Expression:
    token = cursor.take()
    _count_operator(cursor, token)
    cursor.deeper()
    try:
        return Not(cursor.place(token), _joined(cursor, COMPARISON))
    finally:
        cursor.depth -= 1


def _bracketed(cursor: Cursor) -> Expression:
    closing = ")" if cursor.token.text == "(" else "]"
    cursor.deeper()
    cursor.take()
    try:
        inner = _joined(cursor, LOGIC)
        cursor.expect(closing)
    finally:
        cursor.depth -= 1
    return inner


def _signed(cursor: Cursor) -> Expression:
    start = cursor.index
    token = cursor.take()
    kind = ArgumentKind.NUMBER if is_number(cursor.token) and token.text != "~" else ArgumentKind.EXPRESSION
    cursor.deeper()
    try:
        _operand(cursor)
    finally:
        cursor.depth -= 1
    return Term(cursor.place(token), Argument(kind, cursor.written(start, cursor.index)))


def strings(cursor: Cursor) -> str:
    """What a string says, or several in a row, which are one."""
    text = unquoted(cursor.take().text)
    while cursor.token.kind is TokenKind.STRING:
        text += unquoted(cursor.take().text)
    return text


def call(cursor: Cursor) -> Call:
    """A function's name and its arguments in brackets."""
    name = cursor.take()
    return Call(cursor.place(name), name.text, arguments(cursor))


def arguments(cursor: Cursor) -> tuple[Argument, ...]:
    """The arguments from `(` to `)`. A missing `)` is a finding."""
    opening = cursor.take()
    if cursor.accept(")"):
        return ()
    found = [_argument(cursor)]
    while cursor.accept(","):
        found.append(_argument(cursor))
    if not cursor.accept(")"):
        cursor.error("syntax", opening, "A ) is missing.")
    return tuple(found)


def _argument(cursor: Cursor) -> Argument:
    """One argument; what is neither a value nor a name is kept as written."""
    token = cursor.token
    if token.text in (",", ")"):
        return Argument(ArgumentKind.NONE, "")
    start = cursor.index
    if token.kind is TokenKind.STRING:
        argument = Argument(ArgumentKind.STRING, strings(cursor))
    else:
        cursor.take()
        if token.text in ("-", "+") and cursor.token.kind is TokenKind.NUMBER:
            cursor.take()
            argument = Argument(ArgumentKind.NUMBER, cursor.written(start, cursor.index))
        else:
            kind = _KINDS.get(token.kind, ArgumentKind.EXPRESSION)
            argument = Argument(_kind_of(token, kind), token.text)
    if cursor.token.text in (",", ")") and argument.kind is not ArgumentKind.EXPRESSION:
        return argument
    cursor.return_to(start)
    _skip_argument(cursor)
    return Argument(ArgumentKind.EXPRESSION, cursor.written(start, cursor.index))


def _skip_argument(cursor: Cursor) -> None:
    while not cursor.at_end and cursor.token.text not in (",", ")", ";", "{", "}"):
        if cursor.token.text in ("(", "["):
            cursor.skip_nested()
        else:
            cursor.take()
