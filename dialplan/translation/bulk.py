"""Many translations by one rule set: the same as one by one, but rules that can't match are not tried.

A rule whose expression has to begin with certain bytes is left out for an input that begins otherwise. One
with a recurrence is always tried, since checking that comes first, and may crash the proxy.
"""

from collections import defaultdict
from dataclasses import replace
from typing import Final

from dialplan.translation.expression.parsing import parse
from dialplan.translation.expression.syntax import Octets, Sequence, Start
from dialplan.translation.loading import RuleSet
from dialplan.translation.possible import Possibilities, possibilities
from dialplan.translation.rules import LoadedRule
from dialplan.translation.translate import Translation, translate

MAX_KEPT: Final = 50_000
"""Beginnings of inputs whose rules are remembered."""


class Bulk:
    """Translates inputs by one rule set at one time."""

    def __init__(self, rules: RuleSet, now: int) -> None:
        self._rules = rules
        self._now = now
        self._by_prefix: dict[bytes, list[int]] = defaultdict(list)
        for index, rule in enumerate(rules.regex):
            self._by_prefix[required_prefix(rule)].append(index)
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix})
        self._longest = self._lengths[-1] if self._lengths else 0
        self._chosen: dict[bytes, dict[int, RuleSet]] = {}

    def translate(self, subject: bytes) -> Translation:
        """What `translate` makes of `subject`; rules that can't match are not among its trials."""
        return translate(self._for(subject[: self._longest]), self._rules.dpid, subject, self._now)

    def possibilities(self, subject: bytes) -> Possibilities:
        """Every outcome that `subject` may have."""
        return possibilities(self._for(subject[: self._longest]), self._rules.dpid, subject, self._now)

    def _for(self, beginning: bytes) -> dict[int, RuleSet]:
        chosen = self._chosen.get(beginning)
        if chosen is None:
            if len(self._chosen) >= MAX_KEPT:
                self._chosen.clear()
            chosen = self._chosen[beginning] = {self._rules.dpid: self._reduced(beginning)}
        return chosen

    def _reduced(self, beginning: bytes) -> RuleSet:
        """The rule set without the rules that have to begin otherwise, in its order."""
        indexes = sorted(
            index
            for length in self._lengths
            if length <= len(beginning)
            for index in self._by_prefix.get(beginning[:length], ())
        )
        rules = self._rules
        return replace(
            rules,
            regex=tuple(rules.regex[index] for index in indexes),
            codes=tuple(rules.codes[index] for index in indexes),
            recurrences=tuple(rules.recurrences[index] for index in indexes),
        )


def required_prefix(rule: LoadedRule) -> bytes:
    """The bytes that each input has to begin with to match; empty where that is not known."""
    if rule.pattern is None or rule.recurrence is not None:
        return b""
    node = parse(rule.pattern.expression, rule.caseless)
    if not isinstance(node, Sequence) or not node.parts or not isinstance(node.parts[0], Start):
        return b""
    prefix = bytearray()
    for part in node.parts[1:]:
        if not isinstance(part, Octets) or part.mask.bit_count() != 1:
            break
        prefix.append(part.mask.bit_length() - 1)
    return bytes(prefix)
