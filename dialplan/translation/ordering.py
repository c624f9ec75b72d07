"""Rules of one dialplan beside each other: those never reached, those of one priority that match the same.

Said is only what holds for every input (see expression); of rules that are not understood nothing is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dialplan.translation.effort import is_spent
from dialplan.translation.expression.automaton import (
    Automaton,
    TooLargeError,
    automaton,
    common,
    includes,
)
from dialplan.translation.expression.parsing import parse
from dialplan.translation.expression.syntax import End, Node, Octets, Start
from dialplan.translation.expression.syntax import Sequence as InOrder
from dialplan.translation.pattern import MatchError, match_data
from dialplan.translation.rules import LoadedRule

MAX_PAIRS: Final = 3_000
"""Pairs of one dialplan that are walked through; of more nothing is said."""


@dataclass(frozen=True, slots=True)
class NeverReached:
    """`rule` is never used: `earlier` matches every input that it matches."""

    rule: LoadedRule
    earlier: LoadedRule

    @property
    def rests_on_order(self) -> bool:
        """Whether this holds only if the database returns `earlier` first, which it need not."""
        return self.rule.rule.pr == self.earlier.rule.pr


@dataclass(frozen=True, slots=True)
class Clash:
    """Both match `example`, have one priority and do different things: the database's order decides.

    `hidden` are those of the two that are never used where the other comes first.
    """

    one: LoadedRule
    other: LoadedRule
    example: bytes
    hidden: tuple[LoadedRule, ...] = ()

    @property
    def shown(self) -> str:
        """The example, for people."""
        return self.example.decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be said of the rules' order; not `is_complete` where there were too many pairs."""

    never_reached: tuple[NeverReached, ...]
    clashes: tuple[Clash, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class _Understood:
    rule: LoadedRule
    machine: Automaton
    sample: bytes


def order_of(rules: Sequence[LoadedRule], about: LoadedRule | None = None) -> Order:
    """What is to be said of `rules`, which stand in the order in which they are tried.

    With `about` only pairs of which that rule is one are looked at.
    """
    understood = [each for rule in rules if (each := _understood(rule))]
    budget = MAX_PAIRS
    hidden: dict[int, NeverReached] = {}
    clashes: list[Clash] = []
    for earlier, later in _pairs(understood, about):
        same_priority = earlier.rule.rule.pr == later.rule.rule.pr
        may_hide = later.rule.position not in hidden and _may_hide(earlier, later)
        if not (same_priority or may_hide):
            continue
        budget -= 1
        if budget < 0 or is_spent():
            break
        if may_hide and includes(earlier.machine, later.machine):
            hidden[later.rule.position] = NeverReached(later.rule, earlier.rule)
        if same_priority and (clash := _clash(earlier, later)) is not None:
            clashes.append(clash)
    return Order(tuple(hidden.values()), tuple(clashes), budget >= 0 and not is_spent())


def _clash(one: _Understood, other: _Understood) -> Clash | None:
    if _effect_of(one.rule) == _effect_of(other.rule):
        return None
    example = _common(one, other)
    if example is None:
        return None
    hidden = [
        hidden.rule
        for hiding, hidden in ((one, other), (other, one))
        if _may_hide(hiding, hidden) and includes(hiding.machine, hidden.machine)
    ]
    return Clash(one.rule, other.rule, example, tuple(hidden))


def _effect_of(rule: LoadedRule) -> tuple[object, ...]:
    """What decides what comes of a match: rules in which it is equal may stand in any order."""
    substitution = rule.substitution and (rule.substitution.expression, rule.caseless)
    replacement = rule.replacement and rule.replacement.text
    if replacement is None:
        substitution = None
    is_conditional = rule.recurrence is not None or rule.may_be_dropped
    return (rule.attributes, substitution, replacement, is_conditional and rule.position)


def _pairs(
    understood: Sequence[_Understood], about: LoadedRule | None
) -> Iterator[tuple[_Understood, _Understood]]:
    """Each rule with those that are tried before it."""
    for index, later in enumerate(understood):
        for earlier in understood[:index]:
            if about is None or about in (earlier.rule, later.rule):
                yield earlier, later


def _may_hide(earlier: _Understood, later: _Understood) -> bool:
    """Whether `earlier` always applies, and matches a sample of what `later` matches: a quick look."""
    if earlier.rule.recurrence is not None or earlier.rule.may_be_dropped:
        return False
    if earlier.rule.pattern is None:
        return later.rule.pattern is None
    try:
        return match_data(earlier.rule.pattern.code, later.sample) is not None
    except MatchError:
        return False


def _common(one: _Understood, other: _Understood) -> bytes | None:
    try:
        return common(one.machine, other.machine)
    except TooLargeError:
        return None


def _understood(rule: LoadedRule) -> _Understood | None:
    node = _node_of(rule)
    if node is None:
        return None
    try:
        machine = automaton(node)
        sample = common(machine, machine)
    except TooLargeError:
        return None
    return None if sample is None else _Understood(rule, machine, sample)


def _node_of(rule: LoadedRule) -> Node | None:
    if rule.pattern is not None:
        return parse(rule.pattern.expression, rule.caseless)
    letters = tuple(Octets(_either_case(octet) if rule.caseless else 1 << octet) for octet in rule.match)
    return InOrder((Start(), *letters, End()))


def _either_case(octet: int) -> int:
    letter = bytes([octet])
    return 1 << letter.lower()[0] | 1 << letter.upper()[0]
