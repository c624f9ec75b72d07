"""Reading an expression as PCRE2 does, without options but caseless; what is not understood gives None.

Not understood: look-around, back references, conditions, recursion, verbs, inline options, atomic groups and
possessive quantifiers (they match less than they seem to), word boundaries, and escapes beyond the usual.
"""

import re
from typing import Final

from dialplan.translation.expression.syntax import (
    ALL,
    NEWLINE,
    Choice,
    Concatenation,
    End,
    Group,
    Node,
    Octets,
    Repeat,
    Start,
)

MAX_DEPTH: Final = 20
MAX_TIMES: Final = 100


def _mask(octets: bytes) -> int:
    return sum(1 << octet for octet in set(octets))


_DIGITS = _mask(b"0123456789")
_SPACES = _mask(b" \t\n\v\f\r")
_WORDS = _DIGITS | _mask(b"_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_CLASSES = {
    ord("d"): _DIGITS,
    ord("D"): ALL & ~_DIGITS,
    ord("s"): _SPACES,
    ord("S"): ALL & ~_SPACES,
    ord("w"): _WORDS,
    ord("W"): ALL & ~_WORDS,
}
_LETTERS = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("f"): 12, ord("e"): 27, ord("a"): 7}
_QUANTIFIER = re.compile(rb"[*+?]|\{([0-9]{1,3})(,([0-9]{0,3}))?\}")
_LOOKS_LIKE_NEWER = re.compile(rb"\{[ \t]*,")


class _NotUnderstoodError(Exception):
    """There is something in the expression that is not understood."""


def parse(expression: bytes, caseless: bool) -> Node | None:
    """The expression as a tree, None where not all of it is understood. It must compile."""
    if _LOOKS_LIKE_NEWER.search(expression):
        return None
    try:
        return _ExpressionReader(expression, caseless).read()
    except (_NotUnderstoodError, IndexError):
        return None


class _ExpressionReader:
    """A place in the text, and how many groups start before it."""

    def __init__(self, text: bytes, caseless: bool) -> None:
        self._text = text
        self._caseless = caseless
        self._at = 0
        self._groups = 0
        self._depth = 0

    def read(self) -> Node:
        """The whole expression."""
        node = self._choice()
        if self._at < len(self._text):
            raise _NotUnderstoodError
        return node

    def _peek(self) -> int | None:
        return self._text[self._at] if self._at < len(self._text) else None

    def _choice(self) -> Node:
        parts = [self._sequence()]
        while self._peek() == ord("|"):
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Node:
        parts = []
        while self._peek() not in (None, ord("|"), ord(")")):
            parts.append(self._quantified(self._item()))
        return Concatenation(tuple(parts))

    def _quantified(self, node: Node) -> Node:
        found = _QUANTIFIER.match(self._text, self._at)
        if found is None:
            return node
        if isinstance(node, Start | End):
            raise _NotUnderstoodError
        self._at = found.end()
        least, most = _times(found)
        if self._peek() == ord("+"):
            raise _NotUnderstoodError
        if self._peek() == ord("?"):
            self._at += 1
        if _QUANTIFIER.match(self._text, self._at) or max(least, most or 0) > MAX_TIMES:
            raise _NotUnderstoodError
        return Repeat(node, least, most)

    def _item(self) -> Node:
        octet = self._text[self._at]
        self._at += 1
        match chr(octet):
            case "(":
                return self._group()
            case "[":
                return Octets(self._class())
            case "\\":
                return self._escape()
            case "^":
                return Start()
            case "$":
                return End()
            case ".":
                return Octets(ALL & ~NEWLINE)
            case "*" | "+" | "?":
                raise _NotUnderstoodError
        return Octets(self._with_case(1 << octet))

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH or self._peek() == ord("*"):
            raise _NotUnderstoodError
        number = None
        if self._peek() == ord("?"):
            if self._text[self._at : self._at + 2] != b"?:":
                raise _NotUnderstoodError
            self._at += 2
        else:
            self._groups += 1
            number = self._groups
        inner = self._choice()
        if self._peek() != ord(")"):
            raise _NotUnderstoodError
        self._at += 1
        self._depth -= 1
        return inner if number is None else Group(number, inner)

    def _escape(self) -> Node:
        octet = self._text[self._at]
        self._at += 1
        if octet in _CLASSES:
            return Octets(_CLASSES[octet])
        if octet == ord("A"):
            return Start()
        if octet in b"zZ":
            return End()
        return Octets(self._with_case(1 << self._escaped(octet)))

    def _escaped(self, octet: int) -> int:
        """The byte that an escape stands for: a letter's own, or the sign itself."""
        if octet in _LETTERS:
            return _LETTERS[octet]
        if chr(octet).isalnum() or octet > 127:
            raise _NotUnderstoodError
        return octet

    def _class(self) -> int:
        negated = self._peek() == ord("^")
        self._at += negated
        mask, first = 0, True
        while first or self._peek() != ord("]"):
            mask |= self._range()
            first = False
        self._at += 1
        mask = self._with_case(mask)
        return ALL & ~mask if negated else mask

    def _range(self) -> int:
        """One byte, range or class within brackets."""
        low = self._single()
        if isinstance(low, frozenset) or self._peek() != ord("-") or self._text[self._at + 1] == ord("]"):
            return next(iter(low)) if isinstance(low, frozenset) else 1 << low
        self._at += 1
        high = self._single()
        if isinstance(high, frozenset) or high < low:
            raise _NotUnderstoodError
        return sum(1 << octet for octet in range(low, high + 1))

    def _single(self) -> int | frozenset[int]:
        """A byte, or the mask of a class as the only member of a set."""
        octet = self._text[self._at]
        self._at += 1
        if octet == ord("[") and self._peek() is not None and self._text[self._at] in b":.=":
            raise _NotUnderstoodError
        if octet != ord("\\"):
            return octet
        escaped = self._text[self._at]
        self._at += 1
        if escaped in _CLASSES:
            return frozenset({_CLASSES[escaped]})
        return self._escaped(escaped)

    def _with_case(self, mask: int) -> int:
        if not self._caseless:
            return mask
        for upper in range(ord("A"), ord("Z") + 1):
            both = 1 << upper | 1 << (upper + 32)
            if mask & both:
                mask |= both
        return mask


def _times(found: re.Match[bytes]) -> tuple[int, int | None]:
    sign = found[0]
    if sign in (b"*", b"+", b"?"):
        return (1 if sign == b"+" else 0), (1 if sign == b"?" else None)
    least = int(found[1])
    if found[2] is None:
        return least, least
    most = int(found[3]) if found[3] else None
    if most is not None and most < least:
        raise _NotUnderstoodError
    return least, most
