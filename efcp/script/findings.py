"""Findings on a script, each with a code, a severity, a place and a text for people."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

MAXIMUM_PLACES = 100
"""How many places besides the first a finding lists."""


class ScriptSeverity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The proxy does not start with it, or calls are lost."""
    WARNING = "warning"
    """It starts, and does not do what was likely meant."""
    HINT = "hint"
    """It works, and could be better or clearer."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A line of a file: `file` as the reader names it, `line` from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class ScriptFinding:
    """One thing found. `also` are other places that it is about, as where a module was loaded first."""

    severity: ScriptSeverity
    code: str
    place: Location
    text: str
    also: tuple[Location, ...] = ()


def error(code: str, place: Location, text: str, also: tuple[Location, ...] = ()) -> ScriptFinding:
    """A finding over which the proxy does not start, or calls are lost."""
    return ScriptFinding(ScriptSeverity.ERROR, code, place, text, also)


def warning(code: str, place: Location, text: str, also: tuple[Location, ...] = ()) -> ScriptFinding:
    """A finding of something that does not do what was likely meant."""
    return ScriptFinding(ScriptSeverity.WARNING, code, place, text, also)


def hint(code: str, place: Location, text: str, also: tuple[Location, ...] = ()) -> ScriptFinding:
    """A finding of something that could be better or clearer."""
    return ScriptFinding(ScriptSeverity.HINT, code, place, text, also)


def in_order(findings: Iterable[ScriptFinding]) -> tuple[ScriptFinding, ...]:
    """The findings by place, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: (finding.place, finding.code)))


MAXIMUM_SUGGESTIONS = 20
"""How many names of one script are compared: each is compared with all known ones."""

_LONGEST_NAME = 40
_LENGTHS_APART = 3


def likely(name: str, known: Collection[str], suggested: int = 0) -> str:
    """The known name that is nearest, as an end to a sentence: " Did you mean tm?"; "" where none is near.

    `suggested` is how many names were compared before this one.
    """
    if suggested >= MAXIMUM_SUGGESTIONS or len(name) > _LONGEST_NAME:
        return ""
    similar = sorted(each for each in known if abs(len(each) - len(name)) <= _LENGTHS_APART)
    found = get_close_matches(name, similar, n=1, cutoff=0.7)
    return f" Did you mean {found[0]}?" if found else ""
