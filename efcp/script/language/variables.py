"""Variables as OpenSIPS takes them apart (pv_parse_spec and pv_parse_format in pvar.c).

`$ru`, `$(hdr(X)[0])`, `$(ru{uri.user}{s.len})`, and those within a text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_NAME = re.compile(r"[0-9A-Za-z_.]*")
_BLANKS = re.compile(r"[ \t]*")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Transformation:
    """`{s.substr,0,3}`: its class, in small letters, and the rest as written."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """One variable.

    `inner` is the content of its round brackets, `index` of its square ones, None where there are none.
    `problem` is why the proxy can't parse it, "" where it can. `is_marker` is the `$` itself (`$$`).
    `rest` is what follows directly.
    """

    name: str
    inner: str | None = None
    index: str | None = None
    transformations: tuple[Transformation, ...] = ()
    problem: str = ""
    is_marker: bool = False
    rest: str = ""


def reference(text: str) -> Reference:
    """The variable that a text begins with."""
    parser = _VariableParser(text, 0)
    return replace(parser.run(), rest=text[parser.position :])


def references(text: str) -> Iterator[Reference]:
    """The variables within a text, up to the first one that can't be taken apart."""
    position = text.find("$")
    while position >= 0:
        parser = _VariableParser(text, position)
        found = parser.run()
        following = text.find("$", parser.position)
        end = following if following >= 0 else len(text)
        yield replace(found, rest=text[parser.position : min(end, parser.position + _SHOWN)])
        if found.problem:
            return
        position = following


class _VariableParser:
    """Takes one variable apart; `position` is then behind it."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.position = start + 1

    def run(self) -> Reference:
        bracketed = self._accept("(")
        if self._accept("$"):
            problem = "" if not bracketed or self._accept(")") else "its ( is not closed"
            return Reference("", problem=problem, is_marker=True)
        if self._accept("<") and not self._context():
            return Reference("", problem="its < is not closed")
        match = _NAME.match(self.text, self.position)
        name = match[0] if match else ""
        self.position += len(name)
        return self._in_brackets(name) if bracketed else self._bare(name)

    def _context(self) -> bool:
        match = _NAME.match(self.text, self.position)
        self.position = match.end() if match else self.position
        return self._accept(">")

    def _accept(self, character: str) -> bool:
        if not self.text.startswith(character, self.position):
            return False
        self.position += 1
        return True

    def _bare(self, name: str) -> Reference:
        if not self.text.startswith("(", self.position):
            return Reference(name)
        inner = self._enclosed("(")
        return Reference(name, inner, problem=_problem_of(inner, "( )"))

    def _in_brackets(self, name: str) -> Reference:
        inner = index = None
        if self.text.startswith("(", self.position):
            inner = self._enclosed("(")
            if problem := _problem_of(inner, "( )"):
                return Reference(name, inner, problem=problem)
        if self.text.startswith("[", self.position):
            index = self._enclosed("[")
            if problem := _problem_of(index, "[ ]"):
                return Reference(name, inner, index, problem=problem)
        found: list[Transformation] = []
        while self._starts_transformation(bool(found)):
            body = self._enclosed("{")
            kind, dot, rest = (body or "").partition(".")
            if not body or not dot or not kind:
                return Reference(name, inner, index, tuple(found), "its { } holds no class.name")
            found.append(Transformation(kind.lower(), rest))
        problem = "" if self._accept(")") else "its ( is not closed where it should be"
        return Reference(name, inner, index, tuple(found), problem)

    def _starts_transformation(self, after_another: bool) -> bool:
        """Blanks may stand between two transformations, and behind the last one."""
        if after_another and (match := _BLANKS.match(self.text, self.position)):
            self.position = match.end()
        return self.text.startswith("{", self.position)

    def _enclosed(self, opening: str) -> str | None:
        """What the bracket that opens here holds, those within it counted; None where it isn't closed."""
        closing, depth = _CLOSING[opening], 0
        for position in range(self.position, len(self.text)):
            character = self.text[position]
            depth += (character == opening) - (character == closing)
            if depth == 0:
                found = self.text[self.position + 1 : position]
                self.position = position + 1
                return found
        self.position = len(self.text)
        return None


def _problem_of(enclosed: str | None, brackets: str) -> str:
    if enclosed is None:
        return f"its {brackets} is not closed"
    return "" if enclosed else f"its {brackets} is empty"
