"""What is wrong with rules for some inputs: never reached, clashing at one priority, undefined output.

Only what holds for every input is reported (see expression); rules that are not understood have no findings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dialplan.translation.expression.automaton import (
    Automaton,
    AutomatonTooLargeError,
    automaton,
    common,
    includes,
    left_out,
    octets_of,
)
from dialplan.translation.expression.parsing import parse
from dialplan.translation.expression.syntax import (
    Choice,
    Concatenation,
    End,
    Group,
    Node,
    Octets,
    Repeat,
    Start,
    longest,
    walk,
    without_group,
)
from dialplan.translation.expression.syntax import Concatenation as InOrder
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.pattern import MatchError, Miss, Pattern, compile_pattern, is_spent, match_data
from dialplan.translation.replacement import PlaceholderKind
from dialplan.translation.rules import LoadedRule
from dialplan.translation.translate import UndefinedOutput, translate

MAX_PAIRS: Final = 3_000
"""Pairs of one dialplan that are compared; more are skipped."""

USUAL_LENGTH: Final = 64
"""Characters of a dialled number that is still usual: what a group without an end is counted as."""

_ATTACK_EFFORT: Final = 100_000
_ATTACK_TIMES: Final = 30
_MAX_ATTACKS: Final = 20


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
    """Findings on the rules' order; not `is_complete` where there were too many pairs."""

    never_reached: tuple[NeverReached, ...]
    clashes: tuple[Clash, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class _Understood:
    rule: LoadedRule
    machine: Automaton
    sample: bytes


def order_of(rules: Sequence[LoadedRule], about: LoadedRule | None = None) -> Order:
    """Findings on `rules`, given in the order in which a proxy evaluates them.

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
    """What decides the output of a match: rules with an equal one may be in any order."""
    substitution = rule.substitution and (rule.substitution.expression, rule.caseless)
    replacement = rule.replacement and rule.replacement.text
    if replacement is None:
        substitution = None
    is_conditional = rule.recurrence is not None or rule.may_be_dropped
    return (rule.attributes, substitution, replacement, is_conditional and rule.position)


def _pairs(
    understood: Sequence[_Understood], about: LoadedRule | None
) -> Iterator[tuple[_Understood, _Understood]]:
    """Each rule with those evaluated before it."""
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
    except AutomatonTooLargeError:
        return None


def _understood(rule: LoadedRule) -> _Understood | None:
    node = _node_of(rule)
    if node is None:
        return None
    try:
        machine = automaton(node)
        sample = common(machine, machine)
    except AutomatonTooLargeError:
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


def longest_output(rule: LoadedRule) -> int | None:
    """The most bytes that come out of a usual input; None where that is unknown."""
    if rule.replacement is None or rule.substitution is None:
        return None
    node = parse(rule.substitution.expression, rule.caseless)
    if node is None:
        return None
    lengths = {each.number: longest(each.part) for each in walk(node) if isinstance(each, Group)}
    lengths[0] = longest(node)
    places = [place for place in rule.replacement.places if place.kind is PlaceholderKind.GROUP]
    literal = len(rule.replacement.text) - sum(len(place.text) for place in places)
    return literal + sum(_usual(lengths.get(place.value)) for place in places)


def _usual(length: int | None) -> int:
    return USUAL_LENGTH if length is None else min(length, USUAL_LENGTH)


def input_of_undefined(rule: LoadedRule) -> bytes | None:
    """An input for which a group of the replacement is unset, so that chance decides what comes out."""
    if rule.replacement is None or rule.substitution is None or rule.pattern is None:
        return None
    matched = parse(rule.pattern.expression, rule.caseless)
    substituted = parse(rule.substitution.expression, rule.caseless)
    if matched is None or substituted is None:
        return None
    groups = {
        place.value
        for place in rule.replacement.places
        if place.kind is PlaceholderKind.GROUP and place.value
    }
    for number in sorted(groups):
        try:
            found = common(automaton(matched), automaton(without_group(substituted, number)))
        except AutomatonTooLargeError:
            continue
        if found is not None and _is_undefined(rule, found):
            return found
    return None


def input_not_substituted(rule: LoadedRule) -> tuple[bytes, bool] | None:
    """An input that matches and that `subst_exp` does not, and whether that is so for every input.

    The translation fails then, and no later rule is evaluated.
    """
    if rule.replacement is None or rule.substitution is None:
        return None
    if rule.pattern is None:
        is_missed = rule.substitution.search(rule.match) is Miss.NO_MATCH
        return (rule.match, True) if is_missed else None
    matched = parse(rule.pattern.expression, rule.caseless)
    substituted = parse(rule.substitution.expression, rule.caseless)
    if matched is None or substituted is None:
        return None
    try:
        one, other = automaton(matched), automaton(substituted)
        found = left_out(other, one)
        if found is None or rule.substitution.search(found) is not Miss.NO_MATCH:
            return None
        return found, common(one, other) is None
    except AutomatonTooLargeError:
        return None


def _is_undefined(rule: LoadedRule, text: bytes) -> bool:
    """Whether the translation itself reports it."""
    result = load([replace(rule.rule, timerec=None)])
    if isinstance(result, LoadBroken):
        return False
    return isinstance(translate(result.dialplans, rule.rule.dpid, text, 0).outcome, UndefinedOutput)


def input_that_backtracks(pattern: Pattern, caseless: bool) -> bytes | None:
    """A short input that takes PCRE2 more than 100,000 steps to refuse, found by trying; None if none was."""
    node = parse(pattern.expression, caseless)
    if node is None:
        return None
    limited = compile_pattern(pattern.expression, caseless, _ATTACK_EFFORT)
    if not isinstance(limited, Pattern):
        return None
    for text, _ in zip(_attacks(node, b"", b""), range(_MAX_ATTACKS), strict=False):
        if limited.search(text) is Miss.GAVE_UP and not is_spent():
            return text
    return None


def _attacks(node: Node, before: bytes, after: bytes) -> Iterator[bytes]:
    """What each repeated part matches, many times over, and then what fits nothing.

    `after` is what has to follow: without it PCRE2 may refuse at once, for a byte that is missing.
    """
    match node:
        case Repeat(part, _, most):
            if most is None and (pump := _shortest(part, at_least=1)):
                yield before + pump * _ATTACK_TIMES + b"!"
                yield before + pump * _ATTACK_TIMES + after + b"!"
            yield from _attacks(part, before, after)
        case Group(_, part):
            yield from _attacks(part, before, after)
        case Choice(parts):
            for part in parts:
                yield from _attacks(part, before, after)
        case Concatenation(parts):
            for index, part in enumerate(parts):
                following = b"".join(_shortest(each, at_least=1) for each in parts[index + 1 :])
                yield from _attacks(part, before, following + after)
                before += _shortest(part)


def _shortest(node: Node, at_least: int = 0) -> bytes:
    """A short text that the part matches; with `at_least` 1 what may be left out is not."""
    match node:
        case Octets(mask):
            return octets_of(mask)[:1]
        case Concatenation(parts):
            return b"".join(_shortest(part, at_least) for part in parts)
        case Choice(parts):
            texts = [_shortest(part, at_least) for part in parts]
            return min((text for text in texts if len(text) >= at_least), key=len, default=b"")
        case Group(_, part):
            return _shortest(part, at_least)
        case Repeat(part, least, _):
            return _shortest(part, at_least) * max(least, at_least)
    return b""
