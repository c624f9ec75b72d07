"""The lines of a script, each with the reason that it stands there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap

_WIDTH = 98
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file and why it is there, in plain words; "" for an empty line."""

    text: str
    why: str


def block(why: str, lines: Iterable[Line]) -> Iterator[Line]:
    """Lines under a comment that says what they are for, and an empty line after them."""
    yield from comment(why)
    yield from lines
    yield Line("", "")


def comment(why: str) -> Iterator[Line]:
    """A comment, in as many lines as it takes."""
    return (Line(f"# {text}", why) for text in wrap(why, _WIDTH))


def accepted(code: str, why: str) -> Line:
    """A comment by which the check knows that a finding of the next line, or at the head of all, is meant."""
    return Line(f"# efcp: accept {code} - {why}", "So that the check does not tell of what is meant here.")


def within(lines: Iterable[Line]) -> Iterator[Line]:
    """The same lines one level deeper."""
    return (Line(f"{_INDENT}{line.text}", line.why) if line.text else line for line in lines)


def braced(head: str, why: str, body: Iterable[Line]) -> Iterator[Line]:
    """A route or a condition with its body."""
    yield Line(f"{head} {{", why)
    yield from within(body)
    yield Line("}", why)
