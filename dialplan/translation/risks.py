"""What of one rule goes wrong for some inputs, each told with an input that shows it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dialplan.translation.effort import is_spent
from dialplan.translation.expression.automaton import TooLargeError, automaton, common, left_out, octets_of
from dialplan.translation.expression.parsing import parse
from dialplan.translation.expression.syntax import (
    Choice,
    Group,
    Node,
    Octets,
    Repeat,
    Sequence,
    longest,
    walk,
    without_group,
)
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.pattern import Miss, Pattern, compile_pattern
from dialplan.translation.replacement import PlaceKind
from dialplan.translation.rules import LoadedRule
from dialplan.translation.translate import UndefinedOutput, translate

USUAL_LENGTH: Final = 64
"""Characters of a dialled number that is still usual: what a group without an end is counted as."""

_ATTACK_EFFORT: Final = 100_000
_ATTACK_TIMES: Final = 30
_MAX_ATTACKS: Final = 20


def longest_output(rule: LoadedRule) -> int | None:
    """The most bytes that come out of a usual input; None where that can't be told."""
    if rule.replacement is None or rule.substitution is None:
        return None
    node = parse(rule.substitution.expression, rule.caseless)
    if node is None:
        return None
    lengths = {each.number: longest(each.part) for each in walk(node) if isinstance(each, Group)}
    lengths[0] = longest(node)
    places = [place for place in rule.replacement.places if place.kind is PlaceKind.GROUP]
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
        place.value for place in rule.replacement.places if place.kind is PlaceKind.GROUP and place.value
    }
    for number in sorted(groups):
        try:
            found = common(automaton(matched), automaton(without_group(substituted, number)))
        except TooLargeError:
            continue
        if found is not None and _is_undefined(rule, found):
            return found
    return None


def input_not_substituted(rule: LoadedRule) -> tuple[bytes, bool] | None:
    """An input that matches and that `subst_exp` does not, and whether that is so for every input.

    The translation fails then, and no later rule is tried.
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
    except TooLargeError:
        return None


def _is_undefined(rule: LoadedRule, text: bytes) -> bool:
    """Whether the translation itself says so."""
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
        case Sequence(parts):
            for index, part in enumerate(parts):
                following = b"".join(_shortest(each, at_least=1) for each in parts[index + 1 :])
                yield from _attacks(part, before, following + after)
                before += _shortest(part)


def _shortest(node: Node, at_least: int = 0) -> bytes:
    """A short text that the part matches; with `at_least` 1 what may be left out is not."""
    match node:
        case Octets(mask):
            return octets_of(mask)[:1]
        case Sequence(parts):
            return b"".join(_shortest(part, at_least) for part in parts)
        case Choice(parts):
            texts = [_shortest(part, at_least) for part in parts]
            return min((text for text in texts if len(text) >= at_least), key=len, default=b"")
        case Group(_, part):
            return _shortest(part, at_least)
        case Repeat(part, least, _):
            return _shortest(part, at_least) * max(least, at_least)
    return b""
