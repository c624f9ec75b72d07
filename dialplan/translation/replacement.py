"""`repl_exp`: how the proxy reads it when it loads a rule, and what it writes when the rule is used.

The proxy reads escapes and variables into an array of ten (`dp_repl.c`; `parse_repl` in the core allows a
hundred), and writes the output into a buffer of 128 bytes that keeps what earlier translations left there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dialplan.translation.pattern import Match
from dialplan.translation.variables import InvalidVariable, Variable, read_variable
from efcp.releases import Release

MAX_PLACES: Final = 10
"""Escapes and variables in one `repl_exp`; one more overruns an array, and the proxy crashes."""

MAX_OUTPUT: Final = 126
"""Bytes up to which escapes, groups and the text between them may fill the output."""

REQUEST_URI_VARIABLE: Final = "$ru"
"""The name under which the value for the escape `\\u` is looked up."""

_BUFFER: Final = 127
_DOLLAR: Final = "$$"
_ESCAPES: Final = {ord("n"): 10, ord("r"): 13, ord("t"): 9}


class PlaceholderKind(Enum):
    """What is put in at a place of the replacement."""

    GROUP = auto()
    CHARACTER = auto()
    REQUEST_URI = auto()
    VARIABLE = auto()


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An escape or a variable: `value` is the group's number or the character's code, `text` as written."""

    kind: PlaceholderKind
    offset: int
    text: bytes
    value: int = 0
    since: Release | None = None

    @property
    def variable(self) -> str | None:
        """The request's variable that is put in here, if one is."""
        if self.kind is PlaceholderKind.REQUEST_URI:
            return REQUEST_URI_VARIABLE
        return self.text.decode("utf-8", "replace") if self.kind is PlaceholderKind.VARIABLE else None

    @property
    def end(self) -> int:
        """The offset just behind it."""
        return self.offset + len(self.text)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A `repl_exp` as loaded."""

    text: bytes
    places: tuple[Placeholder, ...]

    @property
    def highest_group(self) -> int:
        """The highest group named; 0 where none but the whole match is."""
        return max((place.value for place in self.places if place.kind is PlaceholderKind.GROUP), default=0)


@dataclass(frozen=True, slots=True)
class InvalidReplacement:
    """A `repl_exp` for which the proxy drops the rule."""

    reason: str
    position: int


@dataclass(frozen=True, slots=True)
class TooManyPlaces:
    """A `repl_exp` at which the process that loads it crashes; `position` is that of the eleventh place."""

    position: int


def read_replacement(
    text: bytes, exported: Collection[str] = ()
) -> Replacement | InvalidReplacement | TooManyPlaces:
    """Read a `repl_exp`. `exported`: variables that the proxy's loaded modules add to those of its core."""
    places: list[Placeholder] = []
    at = 0
    while at < len(text):
        if text[at] not in b"\\$" or text[at:] == b"\\":
            at += 1
            continue
        if len(places) == MAX_PLACES:
            return TooManyPlaces(at)
        place = _escape(text, at) if text[at] == ord("\\") else _variable(text, at, exported)
        if isinstance(place, InvalidReplacement):
            return place
        places.append(place)
        at = place.end
    return Replacement(text, tuple(places))


def _escape(text: bytes, at: int) -> Placeholder:
    escaped = text[at + 1]
    written = text[at : at + 2]
    if ord("0") <= escaped <= ord("9"):
        return Placeholder(PlaceholderKind.GROUP, at, written, escaped - ord("0"))
    if escaped == ord("u"):
        return Placeholder(PlaceholderKind.REQUEST_URI, at, written)
    return Placeholder(PlaceholderKind.CHARACTER, at, written, _ESCAPES.get(escaped, escaped))


def _variable(text: bytes, at: int, exported: Collection[str]) -> Placeholder | InvalidReplacement:
    variable: Variable | InvalidVariable = read_variable(text, at, exported)
    if isinstance(variable, InvalidVariable):
        return InvalidReplacement(variable.reason, at)
    return Placeholder(PlaceholderKind.VARIABLE, at, variable.text, since=variable.since)


class Chance(Enum):
    """Why an output is undefined."""

    STALE_BYTES = auto()
    """An escape's character went to the first byte, and its own place holds what was there before."""
    UNSET_GROUP = auto()
    """A group that took no part in the match is put in."""
    OVERRUN = auto()
    """More than the output's buffer holds was written, over the proxy's other data."""


@dataclass(frozen=True, slots=True)
class Written:
    """An output that holds whatever the proxy's history."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Undefined:
    """An output that no preview may show as the result.

    `sketch` is what the proxy's code writes byte by byte, None for a byte that depends on what happened
    before; it is None altogether where not even the length is known.
    """

    chances: frozenset[Chance]
    sketch: tuple[int | None, ...] | None

    def could_be(self, output: bytes) -> bool:
        """Whether a proxy whose output this is fits the sketch; False where there is none."""
        if self.sketch is None or len(self.sketch) != len(output):
            return False
        return all(cell in (None, octet) for cell, octet in zip(self.sketch, output, strict=True))


@dataclass(frozen=True, slots=True)
class TooLong:
    """The translation fails: an escape, a group or the text before one would pass `MAX_OUTPUT` bytes."""


@dataclass(frozen=True, slots=True)
class ValuesNeeded:
    """The output depends on these variables of the request, as written in the replacement."""

    variables: tuple[str, ...]


Rendered = Written | Undefined | TooLong | ValuesNeeded


def render(
    replacement: Replacement,
    subject: bytes,
    substitution: Match | None,
    matched: Match | None,
    values: Mapping[str, str] | None,
) -> Rendered:
    """What the proxy writes for `subject`.

    `substitution` is the match of `subst_exp`, None for a rule without one; `matched` the last match of a
    `match_exp` before it, whose groups the proxy's array still holds. `values` are the request's variables by
    their text in the replacement (an unset one is ""); None stands for MI, where the request is empty.
    """
    if substitution is None or not replacement.places:
        return _written(list(replacement.text), frozenset())
    if values is not None:
        needed = tuple(name for name in _variables(replacement) if name not in values)
        if needed:
            return ValuesNeeded(needed)
    return _Writer(replacement, subject, substitution, matched, values).write()


def _variables(replacement: Replacement) -> list[str]:
    """The variables of the request that a replacement shows, each once; `$$` is a plain dollar sign."""
    names = (place.variable for place in replacement.places)
    return list(dict.fromkeys(name for name in names if name is not None and name != _DOLLAR))


def _written(cells: Sequence[int | None], chances: frozenset[Chance]) -> Written | Undefined:
    if len(cells) > _BUFFER:
        chances |= {Chance.OVERRUN}
    if chances:
        return Undefined(chances, tuple(cells))
    return Written(bytes(cell for cell in cells if cell is not None))


class _Writer:
    """Follows `rule_translate`, whose place in the replacement moves on behind a group only.

    So the text of a variable or an escape is copied, too, when another place follows it.
    """

    def __init__(
        self,
        replacement: Replacement,
        subject: bytes,
        substitution: Match,
        matched: Match | None,
        values: Mapping[str, str] | None,
    ) -> None:
        self._replacement = replacement
        self._subject = subject
        self._substitution = substitution
        self._matched = matched
        self._values = values
        self._cells: list[int | None] = []
        self._copied = 0
        self._chances: set[Chance] = set()

    def write(self) -> Written | Undefined | TooLong:
        text = self._replacement.text
        try:
            for place in self._replacement.places:
                if self._copied < place.offset:
                    self._append(text[self._copied : place.offset])
                    self._copied = place.offset
                self._put(place)
        except _TooLongError:
            return TooLong()
        except _UnknownSpanError:
            return Undefined(frozenset(self._chances), None)
        self._cells.extend(text[self._replacement.places[-1].end :])
        return _written(self._cells, frozenset(self._chances))

    def _put(self, place: Placeholder) -> None:
        if place.kind is PlaceholderKind.GROUP:
            self._append(self._group(place.value))
            self._copied += len(place.text)
        elif place.kind is PlaceholderKind.CHARACTER:
            self._character(place.value)
        elif self._values is not None and place.variable is not None:
            self._append(b"$" if place.variable == _DOLLAR else self._values[place.variable].encode())

    def _append(self, octets: bytes) -> None:
        if len(self._cells) + len(octets) > MAX_OUTPUT:
            raise _TooLongError
        self._cells.extend(octets)

    def _character(self, code: int) -> None:
        """The character is written to the output's first byte, and the output grows by one."""
        if len(self._cells) + 1 > MAX_OUTPUT:
            raise _TooLongError
        if self._cells:
            self._chances.add(Chance.STALE_BYTES)
        self._cells.append(None)
        self._cells[0] = code

    def _group(self, number: int) -> bytes:
        """A group's bytes. Beyond the last group set, the array holds the spans of an earlier match."""
        spans = self._substitution.spans
        if number < len(spans) and (span := spans[number]) is not None:
            return self._subject[slice(*span)]
        self._chances.add(Chance.UNSET_GROUP)
        if number < len(spans):
            return b""
        if self._matched is None or number >= len(self._matched.spans):
            raise _UnknownSpanError
        earlier = self._matched.spans[number]
        return b"" if earlier is None else self._subject[slice(*earlier)]


class _TooLongError(Exception):
    """An escape, a group or the text before one does not fit."""


class _UnknownSpanError(Exception):
    """A group's span is left from another translation."""
