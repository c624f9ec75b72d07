"""Comparing what expressions match, by walking through both at once, byte for byte.

An expression is searched for anywhere in the input, as the proxy does. Inputs have no line breaks and no byte
0: a request's user part can't. All walks are bounded: beyond the bound there is no finding.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from dialplan.translation.pattern import spend

MAX_STATES: Final = 600
MAX_STEPS: Final = 4_000
_ALPHABET = ALL & ~NEWLINE & ~1
_READABLE = b"0123456789abcdefghijklmnopqrstuvwxyz+ABCDEFGHIJKLMNOPQRSTUVWXYZ#*-_.!@ "
_IN_ORDER = tuple(dict.fromkeys((*_READABLE, *range(256))))


class AutomatonTooLargeError(Exception):
    """The expressions are too large to be compared."""


@dataclass(slots=True)
class Automaton:
    """States by number. Each has a step over some bytes, or free ways: anywhere, at the start, at the end."""

    steps: list[tuple[int, int] | None] = field(default_factory=list)
    free: list[list[int]] = field(default_factory=list)
    at_start: list[list[int]] = field(default_factory=list)
    at_end: list[list[int]] = field(default_factory=list)
    final: int = -1

    def state(self) -> int:
        """A new state; raises AutomatonTooLargeError."""
        if len(self.steps) >= MAX_STATES:
            raise AutomatonTooLargeError
        self.steps.append(None)
        for ways in (self.free, self.at_start, self.at_end):
            ways.append([])
        return len(self.steps) - 1

    def closure(self, states: frozenset[int], *, start: bool = False, end: bool = False) -> frozenset[int]:
        """What is reached without a byte."""
        visited = set(states)
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            ways = [*self.free[state]]
            ways += self.at_start[state] if start else ()
            ways += self.at_end[state] if end else ()
            for following in ways:
                if following not in visited:
                    visited.add(following)
                    waiting.append(following)
        return frozenset(visited)

    def step(self, states: frozenset[int], octet: int) -> frozenset[int]:
        """Where a byte leads; a match may begin behind it too."""
        bit = 1 << octet
        reached = {step[1] for state in states if (step := self.steps[state]) and step[0] & bit}
        return self.closure(frozenset(reached | {0}))

    def begin(self) -> frozenset[int]:
        """The states before the first byte."""
        return self.closure(frozenset({0}), start=True)

    def has_matched(self, states: frozenset[int]) -> bool:
        """Whether there is a match, whatever follows."""
        return self.final in states

    def matches_here(self, states: frozenset[int], *, at_start: bool) -> bool:
        """Whether there is a match if the input ends here."""
        return self.final in self.closure(states, start=at_start, end=True)

    @property
    def masks(self) -> Iterator[int]:
        """The sets of bytes that it tells apart."""
        return (step[0] for step in self.steps if step)


def automaton(node: Node) -> Automaton:
    """The automaton of an expression; raises AutomatonTooLargeError."""
    machine = Automaton()
    start = machine.state()
    machine.final = _build(machine, node, start)
    return machine


def _build(machine: Automaton, node: Node, start: int) -> int:
    """Add `node` behind `start`; returns where it ends."""
    match node:
        case Octets(mask):
            end = machine.state()
            machine.steps[start] = (mask, end)
            return end
        case Start() | End():
            end = machine.state()
            (machine.at_start if isinstance(node, Start) else machine.at_end)[start].append(end)
            return end
        case Group(_, part):
            return _build(machine, part, start)
        case Concatenation(parts):
            for part in parts:
                start = _build(machine, part, _fresh(machine, start))
            return start
        case Choice(parts):
            end = machine.state()
            for part in parts:
                machine.free[_build(machine, part, _fresh(machine, start))].append(end)
            return end
        case Repeat(part, least, most):
            return _repeated(machine, part, start, least, most)


def _repeated(machine: Automaton, part: Node, start: int, least: int, most: int | None) -> int:
    for _ in range(least):
        start = _build(machine, part, _fresh(machine, start))
    if most is None:
        loop = _fresh(machine, start)
        machine.free[_build(machine, part, _fresh(machine, loop))].append(loop)
        return loop
    end = machine.state()
    machine.free[start].append(end)
    for _ in range(most - least):
        start = _build(machine, part, _fresh(machine, start))
        machine.free[start].append(end)
    return end


def _fresh(machine: Automaton, start: int) -> int:
    """A state of its own behind `start`, so that no step is put where another begins."""
    state = machine.state()
    machine.free[start].append(state)
    return state


def includes(earlier: Automaton, later: Automaton) -> bool | None:
    """Whether `earlier` matches every input that `later` matches; None where that is unknown."""
    try:
        return left_out(earlier, later) is None
    except AutomatonTooLargeError:
        return None


def left_out(earlier: Automaton, later: Automaton) -> bytes | None:
    """A shortest input that `later` matches and `earlier` does not. Raises AutomatonTooLargeError."""
    return _walk(earlier, later, expected=(False, True))


def common(one: Automaton, other: Automaton) -> bytes | None:
    """A shortest input that both match, None where there is none. Raises AutomatonTooLargeError."""
    return _walk(one, other, expected=(True, True))


def _walk(one: Automaton, other: Automaton, expected: tuple[bool, bool]) -> bytes | None:
    """A shortest input, of one byte or more, on which both match or not as `expected`."""
    octets = _representatives([*one.masks, *other.masks])
    # The begin is not among those visited: it is left out itself, since an empty input is never translated.
    visited: set[tuple[frozenset[int], frozenset[int]]] = set()
    waiting = deque([((one.begin(), other.begin()), b"")])
    while waiting:
        if not spend():
            raise AutomatonTooLargeError
        (left, right), text = waiting.popleft()
        ends = (one.matches_here(left, at_start=False), other.matches_here(right, at_start=False))
        if ends == expected and text:
            return text
        if not expected[0] and one.has_matched(left):
            continue
        for octet in octets:
            following = (_stepped(one, left, octet), _stepped(other, right, octet))
            if following not in visited:
                if len(visited) >= MAX_STEPS:
                    raise AutomatonTooLargeError
                visited.add(following)
                waiting.append((following, text + bytes([octet])))
    return None


def _stepped(machine: Automaton, states: frozenset[int], octet: int) -> frozenset[int]:
    """A match that is there stays: what follows makes no difference any more."""
    return frozenset({machine.final}) if machine.has_matched(states) else machine.step(states, octet)


def octets_of(mask: int) -> bytes:
    """The bytes of a set, readable ones first."""
    return bytes(octet for octet in _IN_ORDER if mask >> octet & 1)


def _representatives(masks: list[int]) -> bytes:
    """A byte of each kind that these sets tell apart, readable ones where there are any."""
    kinds: dict[tuple[bool, ...], int] = {}
    distinct = tuple(set(masks))
    for octet in octets_of(_ALPHABET):
        kinds.setdefault(tuple(bool(mask >> octet & 1) for mask in distinct), octet)
    return bytes(kinds.values())
