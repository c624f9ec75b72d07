"""What became of many numbers, rule by rule."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from dialplan.translation.bulk import Bulk
from dialplan.translation.rules import LoadedRule
from dialplan.translation.translate import Translated

MAX_MISSES: Final = 100_000
"""Distinct numbers without a translation that are counted one by one."""

MAX_SHOWN_MISSES: Final = 50

MAX_NEVER: Final = 20_000
"""Rules never hit that are listed."""

KEPT: Final = "(kept as it is)"
"""The output of a rule that matches and replaces nothing: a script's number stays."""


@dataclass(slots=True)
class Report:
    """Hits by rule id with the first number that hit it and what came out; numbers by what became of them.

    `uncertain` counts by rule id the numbers that may hit it, as the order of equal priorities decides.
    """

    rules: tuple[LoadedRule, ...]
    numbers: int = 0
    hits: Counter[int] = field(default_factory=Counter)
    uncertain: Counter[int] = field(default_factory=Counter)
    samples: dict[int, tuple[str, str]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    misses: Counter[bytes] = field(default_factory=Counter)

    def add(self, number: bytes, bulk: Bulk) -> None:
        """Count what becomes of one number."""
        possible = bulk.possibilities(number)
        self.numbers += 1
        if not possible.is_certain:
            self.outcomes["depends on the order of equal priorities, or on a rule that may be dropped"] += 1
            self.uncertain.update(_ids(possible.outcomes))
            return
        outcome = possible.translation.outcome
        is_translated = isinstance(outcome, Translated)
        self.outcomes[_word(outcome)] += 1
        for own in _ids([outcome]):
            self.hits[own] += 1
            if own not in self.samples:
                self.samples[own] = (_shown(number), _sample(outcome))
        if not is_translated and (number in self.misses or len(self.misses) < MAX_MISSES):
            self.misses[number] += 1

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; of rules never hit the first ones, the others are counted."""
        hit = [rule for rule in self.rules if self._may_be_hit(rule)]
        never = [rule for rule in self.rules if not self._may_be_hit(rule)]
        return {
            "numbers": self.numbers,
            "outcomes": dict(self.outcomes.most_common()),
            "misses": [[_shown(text), count] for text, count in self.misses.most_common(MAX_SHOWN_MISSES)],
            "misses_are_complete": len(self.misses) < MAX_MISSES,
            "rules": [self._line(rule) for rule in (*hit, *never[:MAX_NEVER])],
            "never_left_out": max(0, len(never) - MAX_NEVER),
        }

    def _may_be_hit(self, rule: LoadedRule) -> bool:
        own = rule.rule.id or 0
        return own in self.hits or own in self.uncertain

    def _line(self, rule: LoadedRule) -> list[Any]:
        own = rule.rule.id or 0
        sample = self.samples.get(own, ("", ""))
        uncertain = [self.uncertain[own]] if self.uncertain[own] else []
        return [own, rule.rule.pr, rule.rule.match_exp, self.hits[own], *sample, *uncertain]


def _ids(outcomes: Iterable[object]) -> Iterator[int]:
    """The ids of the rules that are used."""
    for outcome in outcomes:
        rule: LoadedRule | None = getattr(outcome, "rule", None)
        if rule is not None and rule.rule.id is not None:
            yield rule.rule.id


def _sample(outcome: object) -> str:
    if not isinstance(outcome, Translated):
        return ""
    return _shown(outcome.output) if outcome.output else KEPT


def _word(outcome: object) -> str:
    if isinstance(outcome, Translated):
        return "translated" if outcome.output else "matched, and kept as it is"
    failure = getattr(outcome, "failure", None)
    return failure.name.lower().replace("_", " ") if failure is not None else _WORDS[type(outcome).__name__]


_WORDS = {
    "UndefinedOutput": "output left to chance",
    "NoInformation": "no rule loaded",
    "Undecided": "too much backtracking to tell",
    "RequestNeeded": "needs values of the request",
    "ProxyCrashes": "crashes the proxy",
}


def _shown(text: bytes) -> str:
    return text[:100].decode(errors="replace")
