"""An expression as a tree. Sets of bytes are integers of 256 bits."""

from collections.abc import Iterator
from dataclasses import dataclass

NEWLINE = 1 << ord("\n")
ALL = (1 << 256) - 1


@dataclass(frozen=True, slots=True)
class Octets:
    """One byte of a set; of the empty set, nothing ever matches."""

    mask: int


@dataclass(frozen=True, slots=True)
class Start:
    """`^` and `\\A`: nothing, at the start."""


@dataclass(frozen=True, slots=True)
class End:
    """`$`, `\\Z` and `\\z`: nothing, at the end. An input has no line breaks here."""


@dataclass(frozen=True, slots=True)
class Concatenation:
    """One after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """As often as from `least` to `most` times; None is without end."""

    part: "Node"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """A capturing group and its number."""

    number: int
    part: "Node"


Node = Octets | Start | End | Concatenation | Choice | Repeat | Group
NEVER = Octets(0)


def parts_of(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    match node:
        case Concatenation(parts) | Choice(parts):
            return parts
        case Repeat(part) | Group(_, part):
            return (part,)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below."""
    yield node
    for part in parts_of(node):
        yield from walk(part)


def without_group(node: Node, number: int) -> Node:
    """The same expression, but that it never goes through the group: so matches that leave it unset."""
    match node:
        case Group(own, part):
            return NEVER if own == number else Group(own, without_group(part, number))
        case Concatenation(parts):
            return Concatenation(tuple(without_group(part, number) for part in parts))
        case Choice(parts):
            return Choice(tuple(without_group(part, number) for part in parts))
        case Repeat(part, least, most):
            return Repeat(without_group(part, number), least, most)
    return node


def anchors(node: Node) -> tuple[bool, bool]:
    """Whether each match begins at the start of the input, and whether each ends at its end."""
    match node:
        case Start():
            return True, False
        case End():
            return False, True
        case Group(_, part):
            return anchors(part)
        case Choice(parts):
            found = [anchors(part) for part in parts]
            return all(start for start, _ in found), all(end for _, end in found)
        case Concatenation(parts) if parts:
            return anchors(parts[0])[0], anchors(parts[-1])[1]
    return False, False


def longest(node: Node) -> int | None:
    """The most bytes that it matches, None without end."""
    match node:
        case Octets():
            return 1
        case Start() | End():
            return 0
        case Group(_, part):
            return longest(part)
        case Repeat(part, _, most):
            inner = longest(part)
            if inner == 0 or most == 0:
                return 0
            return None if inner is None or most is None else inner * most
        case Concatenation(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else sum(length for length in lengths if length is not None)
        case Choice(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else max(length for length in lengths if length is not None)
