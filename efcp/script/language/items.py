"""What stands outside of routes: modules, their parameters, global settings, and the routes themselves."""

import re

from efcp.script.language.cursor import (
    RESERVED,
    ROUTE_WORDS,
    Cursor,
    NotUnderstoodError,
    is_number,
    kind_of,
    number,
    strings,
)
from efcp.script.language.statements import block
from efcp.script.language.syntax import (
    Argument,
    ArgumentKind,
    Item,
    LoadModule,
    ModuleParameter,
    RouteBlock,
    RouteKind,
    Setting,
)
from efcp.script.language.tokens import Token, TokenKind, unquoted

_OVER_LINES = frozenset({"auto_scaling_profile", "alias", "socket", "listen", "mpath", "mem-group"})
"""Settings whose value may go on at the next line without an open bracket."""

_ITEM_WORDS = ROUTE_WORDS | {"loadmodule", "modparam"}
_UNNAMED = frozenset({RouteKind.REQUEST, RouteKind.REPLY})
_NEVER_NAMED = frozenset({RouteKind.ERROR, RouteKind.LOCAL, RouteKind.STARTUP})
_ENDS_PART = frozenset(",]{};[")
_PLAIN_NAMES = re.compile(r"[\w-]+(?:\|[\w-]+)*", re.ASCII)


def items(cursor: Cursor) -> tuple[Item, ...]:
    """All items up to the end."""
    found: list[Item] = []
    while not cursor.at_end:
        found += _item(cursor)
    return tuple(found)


def _item(cursor: Cursor) -> tuple[Item, ...]:
    token, start = cursor.token, cursor.index
    if token.text in ("}", ")", "]"):
        cursor.take()
        cursor.error("stray-bracket", token, f"This {token.text} has no opening counterpart.")
        return ()
    if token.text == ";":
        cursor.take()
        cursor.error("syntax", token, "A ; is not allowed outside routes.")
        return ()
    try:
        return (_understood(cursor),)
    except NotUnderstoodError:
        _skip_item(cursor, start)
        cursor.not_understood(start)
        return ()


def _understood(cursor: Cursor) -> Item:
    token, following = cursor.token, cursor.ahead()
    if token.text == "loadmodule":
        return _load_module(cursor)
    if token.text == "modparam":
        return _module_parameter(cursor)
    if token.text in ROUTE_WORDS:
        return _route(cursor)
    if token.kind is TokenKind.WORD and following.text == "=":
        return _setting(cursor)
    if token.text in ("include_file", "import_file"):
        cursor.error("syntax", token, f"{token.text} takes a name in quotes, on a line of its own.")
    elif token.text == "request_route":
        cursor.error("syntax", token, "The main route is route { } here; request_route is of Kamailio.")
    elif token.kind is TokenKind.WORD and following.text == "(":
        cursor.error("syntax", token, f"{token.text}(…) must be inside a route.")
    raise NotUnderstoodError


def _starts_item(cursor: Cursor) -> bool:
    token = cursor.token
    return token.text in _ITEM_WORDS or (token.kind is TokenKind.WORD and cursor.ahead().text == "=")


def _skip_item(cursor: Cursor, start: int) -> None:
    """To the next line or what surely begins an item, past brackets; at least one token."""
    line = cursor.tokens[start].line
    while not cursor.at_end:
        began = cursor.index > start and (cursor.token.line != line or _starts_item(cursor))
        if began or cursor.token.text == "}" or cursor.accept(";"):
            return
        if cursor.token.text in ("(", "[", "{"):
            cursor.skip_nested()
        else:
            cursor.take()


def _string(cursor: Cursor) -> str:
    if cursor.token.kind is not TokenKind.STRING:
        raise NotUnderstoodError
    return unquoted(cursor.take().text)


def _load_module(cursor: Cursor) -> LoadModule:
    token = cursor.take()
    if cursor.token.kind is not TokenKind.STRING:
        cursor.error("syntax", token, "loadmodule takes a name in quotes.")
        raise NotUnderstoodError
    name = _string(cursor).rsplit("/", 1)[-1].removesuffix(".so")
    return LoadModule(cursor.place(token), name)


def _module_parameter(cursor: Cursor) -> ModuleParameter:
    token, start = cursor.take(), cursor.index
    try:
        cursor.expect("(")
        pattern = _string(cursor)
        cursor.expect(",")
        name = _string(cursor)
        cursor.expect(",")
        value = _parameter_value(cursor)
    except NotUnderstoodError:
        cursor.return_to(start)
        cursor.error("syntax", token, 'modparam takes ("module", "parameter", "text" or a number).')
        raise
    if not cursor.accept(")"):
        cursor.error("syntax", token, "A ) is missing.")
    return ModuleParameter(cursor.place(token), pattern, _alternatives(pattern), name, value)


def _alternatives(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("|")) if _PLAIN_NAMES.fullmatch(pattern) else (pattern,)


def _parameter_value(cursor: Cursor) -> str | int:
    if cursor.token.kind is TokenKind.STRING:
        return strings(cursor)
    return _signed_number(cursor)


def _signed_number(cursor: Cursor) -> int:
    sign = -1 if cursor.accept("-") else 1
    if sign > 0:
        cursor.accept("+")
    if not is_number(cursor.token):
        raise NotUnderstoodError
    return sign * number(cursor.take().text)


def _setting(cursor: Cursor) -> Setting:
    name = cursor.take()
    equals = cursor.take()
    start = cursor.index
    _to_value_end(cursor, name, equals)
    if start == cursor.index:
        cursor.error("syntax", name, f"{name.text} has no value.")
        raise NotUnderstoodError
    parts = tuple(_part(token) for token in cursor.tokens[start : cursor.index])
    return Setting(cursor.place(name), name.text, _setting_value(cursor, start), parts)


def _part(token: Token) -> Argument:
    """A word of a value with its kind; operators and brackets are expressions."""
    if token.kind is TokenKind.STRING:
        return Argument(ArgumentKind.STRING, unquoted(token.text))
    return Argument(kind_of(token) or ArgumentKind.EXPRESSION, token.text)


def _setting_value(cursor: Cursor, start: int) -> str | int:
    first, size = cursor.tokens[start], cursor.index - start
    if size == 1 and first.kind is TokenKind.STRING:
        return unquoted(first.text)
    if size == 1 and is_number(first):
        return number(first.text)
    if size == 2 and first.text in ("-", "+") and is_number(cursor.tokens[start + 1]):
        return int(first.text + "1") * number(cursor.tokens[start + 1].text)
    return cursor.written(start, cursor.index)


def _to_value_end(cursor: Cursor, name: Token, equals: Token) -> None:
    """Past the value: nothing marks its end but the next item, or the line's end."""
    while not (cursor.at_end or _starts_item(cursor) or cursor.token.text in (";", "}", ")", "]")):
        new_line = cursor.token.line != cursor.previous.line and cursor.previous is not equals
        if new_line and name.text not in _OVER_LINES:
            return
        if cursor.token.text in ("(", "[", "{"):
            cursor.skip_bracket()
        else:
            cursor.take()


def _route(cursor: Cursor) -> RouteBlock:
    token = cursor.take()
    kind = RouteKind(token.text)
    parts = _route_parts(cursor) if cursor.accept("[") else [""]
    if cursor.token.text != "{":
        cursor.error("syntax", token, f"{kind} is followed by [name] and a block in braces.")
        raise NotUnderstoodError
    if cursor.ahead().text == "}":
        cursor.error("syntax", token, "A route needs at least one statement.")
    if problem := _problem_of(kind, parts):
        cursor.error("syntax", token, problem)
    name = "" if kind is RouteKind.REQUEST and parts[0] == "0" else parts[0]
    return RouteBlock(cursor.place(token), kind, name, tuple(parts[1:]), block(cursor))


def _problem_of(kind: RouteKind, parts: list[str]) -> str:
    """What the grammar has against a route's name and options, "" for nothing."""
    if kind in _NEVER_NAMED:
        return f"{kind} takes no name." if parts != [""] else ""
    if not parts[0] and kind not in _UNNAMED:
        return f"{kind} needs a name in square brackets."
    if parts[0] in RESERVED | ROUTE_WORDS:
        return f"{parts[0]} is a keyword: as a route name it needs quotes."
    if kind is RouteKind.TIMER:
        is_interval = len(parts) == 2 and parts[1].isdecimal()
        return "" if is_interval else "timer_route takes [name, interval in seconds]."
    return f"{kind} takes a name alone." if len(parts) > 1 else ""


def _route_parts(cursor: Cursor) -> list[str]:
    """The name and the options between square brackets."""
    parts = [_route_part(cursor)]
    while cursor.accept(","):
        parts.append(_route_part(cursor))
    if not cursor.accept("]"):
        cursor.error("syntax", cursor.previous, "A ] is missing.")
    return parts


def _route_part(cursor: Cursor) -> str:
    start = cursor.index
    while not cursor.at_end and cursor.token.text not in _ENDS_PART:
        cursor.take()
    first = cursor.tokens[start]
    if cursor.index - start > 1 or first.kind in (TokenKind.VARIABLE, TokenKind.OPERATOR):
        cursor.error("syntax", first, "A route's name is one word, or a string.")
    elif first.kind is TokenKind.STRING:
        return unquoted(first.text)
    return cursor.written(start, cursor.index)
