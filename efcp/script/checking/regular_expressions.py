"""Regular expressions that the proxy can't compile: it does not start with one (fix_expr in route.c).

They are POSIX's extended ones, as glibc takes them (regcomp with REG_EXTENDED): no `(?…)`, nothing to repeat
at the beginning. A test compares it with glibc.

Not the C library's regcomp by ctypes: the panel may run on a machine with another libc or locale than the
proxy.
"""

import re
from collections.abc import Iterator

from efcp.script.checking.overview import Overview
from efcp.script.findings import Location, ScriptFinding, error
from efcp.script.knowledge.facts import ArgumentType
from efcp.script.language.syntax import (
    ArgumentKind,
    Binary,
    Expression,
    Leave,
    Not,
    Term,
    expressions_of,
    statements_in,
)

MAXIMUM_REPEATS = 32767
_INTERVAL = re.compile(r"\{(?:(?P<low>\d+)(?P<comma>,)?|,)(?P<high>\d+)?\}", re.ASCII)
_CLASSES = frozenset(
    {"alnum", "alpha", "blank", "cntrl", "digit", "graph"}
    | {"lower", "print", "punct", "space", "upper", "xdigit"}
)
_ANCHORS = frozenset("bB<>`'")
"""What stands for a place behind a backslash, as ^ and $ do: nothing that may be repeated."""
_CLASS = re.compile(r"\[:(?P<name>[^\]:]*):\]")
_SHOWN = 60


def malformed(overview: Overview) -> Iterator[ScriptFinding]:
    """Constants right of =~ and !~, and those that a function takes as a regular expression."""
    for place, text in _expressions(overview):
        if problem := problem_of(text):
            message = f'The regular expression "{text[:_SHOWN]}" stops the proxy, as {problem}.'
            yield error("regex-malformed", place, message)


def _expressions(overview: Overview) -> Iterator[tuple[Location, str]]:
    for route in overview.script.routes:
        for statement in statements_in(route.body):
            for expression in expressions_of(statement):
                yield from _matched(expression)
    for site in overview.sites:
        function = overview.function(site.call.name, site.route.kind) if not site.later else None
        for argument, expected in zip(site.call.arguments, function.takes if function else (), strict=False):
            if expected.type is ArgumentType.REGEX and argument.kind is ArgumentKind.STRING:
                yield site.place, argument.text


def _matched(expression: Expression) -> Iterator[tuple[Location, str]]:
    match expression:
        case Not():
            yield from _matched(expression.operand)
        case Leave():
            if expression.value is not None:
                yield from _matched(expression.value)
        case Binary(operator="=~" | "!~", right=Term() as right):
            if right.argument.kind is ArgumentKind.STRING:
                yield expression.place, right.argument.text
        case Binary():
            yield from _matched(expression.left)
            yield from _matched(expression.right)


def problem_of(pattern: str) -> str:
    """Why glibc does not compile an extended regular expression, "" where it does or where it is not sure."""
    return _Compiler(pattern).run()


class _Compiler:
    """Goes through a pattern once."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.groups = 0
        self.open: list[int] = []
        self.closed: set[int] = set()
        self.has_atom = False
        """Whether something stands before that may be repeated."""

    def run(self) -> str:
        while self.position < len(self.pattern):
            character = self.pattern[self.position]
            problem = self._step(character)
            if problem:
                return problem
        return "its ( is not closed" if self.open else ""

    def _step(self, character: str) -> str:
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._bracket()
        if character in "*+?":
            return self._repeat(character)
        if character == "{":
            return self._interval()
        self.position += 1
        if character == "(":
            self.groups += 1
            self.open.append(self.groups)
            self.has_atom = False
        elif character == ")":
            self.closed.update(self.open[-1:])
            del self.open[-1:]
            self.has_atom = True
        else:
            self.has_atom = character not in "|^$"
        return ""

    def _escape(self) -> str:
        if self.position + 1 >= len(self.pattern):
            return "it ends with a backslash"
        following = self.pattern[self.position + 1]
        if following in "123456789" and int(following) not in self.closed:
            return f"no group {following} is closed before its \\{following}"
        self.position += 2
        self.has_atom = following not in _ANCHORS
        return ""

    def _repeat(self, character: str) -> str:
        self.position += 1
        if self.has_atom:
            return ""
        before = self.pattern[: self.position - 1][-1:]
        return (
            f"nothing stands before its {character}" if not before else f"{before}{character} repeats nothing"
        )

    def _interval(self) -> str:
        match = _INTERVAL.match(self.pattern, self.position)
        if not self.has_atom:
            return "nothing stands before its {"
        if match is None:
            return "its { holds no numbers"
        low, high = int(match["low"] or 0), match["high"]
        if (high is not None and int(high) < low) or max(low, int(high or 0)) > MAXIMUM_REPEATS:
            return f"{match[0]} is not a range"
        self.position = match.end()
        return ""

    def _bracket(self) -> str:
        position = self.position + 1
        position += self.pattern.startswith("^", position)
        start = position
        while position < len(self.pattern):
            if self.pattern[position] == "]" and position > start:
                self.position = position + 1
                self.has_atom = True
                return ""
            if match := _CLASS.match(self.pattern, position):
                if match["name"] not in _CLASSES:
                    return f"unknown class {match[0]}"
                position = match.end()
            elif self.pattern[position + 1 : position + 2] == "-" and self._is_range(position):
                if not self._is_sorted(position):
                    return f"{self.pattern[position : position + 3]} is not a range"
                position += 3
            else:
                position += 1
        return "its [ is not closed"

    def _is_range(self, position: int) -> bool:
        end = self.pattern[position + 2 : position + 3]
        return end not in ("", "]", "[")

    def _is_sorted(self, position: int) -> bool:
        """Whether a range goes upwards; between other signs than letters and digits the locale decides."""
        first, last = self.pattern[position], self.pattern[position + 2]
        return not (first.isalnum() and last.isalnum()) or first <= last


CHECKS = (malformed,)
