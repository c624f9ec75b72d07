"""YAML text in and out, without what makes YAML dangerous: aliases, tags, several documents.

Read by events, not by PyYAML's constructor: every value stays the text that was typed, so that 030 is a
number to dial and not 24, and every value knows its line.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MOST_CHARACTERS = 4_000_000
DEEPEST = 8
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()
_TEXT = "tag:yaml.org,2002:str"


class YamlError(Exception):
    """The text is not the YAML that is read here; `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")
        self.line = line


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """A text, and whether it is without quotes: only then may it be a number, null, true or false."""

    text: str
    is_plain: bool
    line: int

    @property
    def is_null(self) -> bool:
        """Whether it is YAML's null."""
        return self.is_plain and self.text in {"", "~", "null"}


@dataclass(frozen=True, slots=True)
class YamlMapping:
    """Values by name, in their order."""

    items: dict[str, "YamlNode"] = field(default_factory=dict)
    line: int = 1


@dataclass(frozen=True, slots=True)
class YamlSequence:
    """Values in their order."""

    items: list["YamlNode"] = field(default_factory=list)
    line: int = 1


YamlNode = YamlScalar | YamlMapping | YamlSequence


def read(text: str) -> YamlNode:
    """The one document of a text. Raises YamlError."""
    if len(text) > MOST_CHARACTERS:
        raise YamlError(1, f"more than {MOST_CHARACTERS:,} characters.")
    tree = _Tree()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            tree.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        raise YamlError(mark.line + 1 if mark else 1, f"{problem}.") from None
    except UnicodeEncodeError:
        raise YamlError(1, "half of a surrogate pair.") from None
    if tree.root is None:
        raise YamlError(1, "the document is empty.")
    return tree.root


def _line_of(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Tree:
    """Builds the nodes from a parser's events."""

    def __init__(self) -> None:
        self.root: YamlNode | None = None
        self._open: list[YamlMapping | YamlSequence] = []
        self._names: list[str | None] = []

    def take(self, event: yaml.Event) -> None:
        """Take the next event. Raises YamlError."""
        line = _line_of(event)
        match event:
            case yaml.AliasEvent():
                raise YamlError(line, "an alias. Write the values out.")
            case yaml.ScalarEvent() | yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check(event, line)
                self._begin(event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
                self._names.pop()
            case yaml.DocumentStartEvent() if self.root is not None:
                raise YamlError(line, "a second document.")

    def _check(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            raise YamlError(line, "an anchor. Write the values out.")
        if event.tag is not None:
            raise YamlError(line, "a tag. Types follow from the names here.")
        if len(self._open) >= DEEPEST:
            raise YamlError(line, f"more than {DEEPEST} levels.")

    def _begin(self, event: Any, line: int) -> None:
        if isinstance(event, yaml.ScalarEvent):
            scalar = YamlScalar(event.value, not event.style, line)
            if not self._is_name(scalar):
                self._attach(scalar, line)
            return
        found = (
            YamlMapping(line=line) if isinstance(event, yaml.MappingStartEvent) else YamlSequence(line=line)
        )
        self._attach(found, line)
        self._open.append(found)
        self._names.append(None)

    def _is_name(self, scalar: YamlScalar) -> bool:
        if not self._open or not isinstance(self._open[-1], YamlMapping) or self._names[-1] is not None:
            return False
        if scalar.text in self._open[-1].items:
            raise YamlError(scalar.line, f"{scalar.text[:100]} is there twice.")
        self._names[-1] = scalar.text
        return True

    def _attach(self, node: YamlNode, line: int) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, YamlSequence):
            parent.items.append(node)
            return
        name = self._names[-1]
        if name is None:
            raise YamlError(line, "a name that is no text.")
        parent.items[name] = node
        self._names[-1] = None


def write(value: Any, indent: int = 0) -> Iterator[str]:
    """The lines of mappings, lists and scalars as block style, `indent` levels in."""
    pad = "  " * indent
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _named(f"{pad}{scalar(name)}:", inner, indent)
        return
    for item in value:
        lines = list(write(item, indent + 1)) if isinstance(item, dict) else [scalar(item)]
        yield f"{pad}- {lines[0].lstrip()}"
        yield from lines[1:]


def _named(head: str, inner: Any, indent: int) -> Iterator[str]:
    if isinstance(inner, dict | list | tuple):
        if not inner:
            yield f"{head} {'{}' if isinstance(inner, dict) else '[]'}"
            return
        yield head
        yield from write(inner, indent + 1)
    else:
        yield f"{head} {scalar(inner)}"


def scalar(value: Any) -> str:
    """One value as every YAML reader understands it; texts get quotes where they need them."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _is_safe_plain(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return f'"{"".join(map(_escaped, text))}"'


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@+:;=,-() ")


def _is_safe_plain(text: str) -> bool:
    if not text or not set(text) <= _PLAIN or text != text.strip() or ": " in text or text.endswith(":"):
        return False
    if text[0] in "-:,@=" or "  " in text:
        return False
    return bool(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == _TEXT)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65_536 else f"\\U{code:08x}"
