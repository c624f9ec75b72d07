"""What became of many numbers, rule by rule."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from dialplan.translation.bulk import Bulk
from dialplan.translation.rules import LoadedRule
from dialplan.translation.translate import Translated

MAX_MISSES: Final = 100_000
"""Distinct numbers without a translation that are counted one by one."""

MAX_SHOWN_MISSES: Final = 50


@dataclass(slots=True)
class Report:
    """Hits by rule id with the first number that hit it and what came out; numbers by what became of them."""

    rules: tuple[LoadedRule, ...]
    numbers: int = 0
    hits: Counter[int] = field(default_factory=Counter)
    samples: dict[int, tuple[str, str]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    misses: Counter[bytes] = field(default_factory=Counter)

    def add(self, number: bytes, bulk: Bulk) -> None:
        """Count what becomes of one number."""
        outcome = bulk.translate(number).outcome
        self.numbers += 1
        rule: LoadedRule | None = getattr(outcome, "rule", None)
        is_translated = isinstance(outcome, Translated)
        self.outcomes["translated" if is_translated else _word(outcome)] += 1
        if rule is not None and rule.rule.id is not None:
            self.hits[rule.rule.id] += 1
            if rule.rule.id not in self.samples:
                output = outcome.output if isinstance(outcome, Translated) else b""
                self.samples[rule.rule.id] = (_shown(number), _shown(output))
        if not is_translated and (number in self.misses or len(self.misses) < MAX_MISSES):
            self.misses[number] += 1

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "numbers": self.numbers,
            "outcomes": dict(self.outcomes.most_common()),
            "misses": [[_shown(text), count] for text, count in self.misses.most_common(MAX_SHOWN_MISSES)],
            "misses_are_complete": len(self.misses) < MAX_MISSES,
            "rules": [self._line(rule) for rule in self.rules],
        }

    def _line(self, rule: LoadedRule) -> list[Any]:
        own = rule.rule.id or 0
        return [own, rule.rule.pr, rule.rule.match_exp, self.hits[own], *self.samples.get(own, ("", ""))]


def _word(outcome: object) -> str:
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
