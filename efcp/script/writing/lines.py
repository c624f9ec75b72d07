"""The lines of a script, each with the reason that it stands there; texts in quotes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap

_WIDTH = 98
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One line of the file and why it is there, in plain words; "" for an empty line."""

    text: str
    why: str


def block(why: str, lines: Iterable[ScriptLine]) -> Iterator[ScriptLine]:
    """Lines under a comment that says what they are for, and an empty line after them."""
    yield from comment(why)
    yield from lines
    yield ScriptLine("", "")


def comment(why: str) -> Iterator[ScriptLine]:
    """A comment, in as many lines as it takes."""
    return (ScriptLine(f"# {text}", why) for text in wrap(why, _WIDTH))


def accepted(code: str, why: str) -> ScriptLine:
    """A comment by which the check knows that a finding of the next line, or at the head of all, is meant."""
    return ScriptLine(
        f"# efcp: accept {code} - {why}", "So that the check does not tell of what is meant here."
    )


def within(lines: Iterable[ScriptLine]) -> Iterator[ScriptLine]:
    """The same lines one level deeper."""
    return (ScriptLine(f"{_INDENT}{line.text}", line.why) if line.text else line for line in lines)


def braced(head: str, why: str, body: Iterable[ScriptLine]) -> Iterator[ScriptLine]:
    """A route or a condition with its body."""
    yield ScriptLine(f"{head} {{", why)
    yield from within(body)
    yield ScriptLine("}", why)


def is_safe(text: str) -> bool:
    """Whether it can stand within quotes: printable, and without the quotes and backslashes that end them."""
    return text.isprintable() and not set(text) & set("\"'\\")


def quoted(text: str) -> str:
    """A text that the proxy takes as it is, as a module parameter.

    Raises ValueError where it could end its quotes: what comes from people is refused before.
    """
    if not is_safe(text):
        raise ValueError("A text with quotes, backslashes or line breaks cannot be written.")
    return f'"{text}"'


def quoted_format(text: str) -> str:
    """A text in which the proxy would replace variables, as a reply's reason: each $ stands for itself."""
    return quoted(text.replace("$", "$$"))
