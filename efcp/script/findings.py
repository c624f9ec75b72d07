"""What is said of a script: each finding has a code, a severity, a place and a text for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MAXIMUM_PLACES = 100
"""How many places besides the first are told of one finding."""


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The proxy does not start with it, or calls are lost."""
    WARNING = "warning"
    """It starts, and does not do what was likely meant."""
    HINT = "hint"
    """It works, and could be better or clearer."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file: `file` as the reader names it, `line` from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `also` are other places that it is about, as where a module was loaded first."""

    severity: Severity
    code: str
    place: Place
    text: str
    also: tuple[Place, ...] = ()


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by place, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: (finding.place, finding.code)))
