"""Every outcome that an input may have where the rules alone do not decide it, and many translations at once.

Two things are left to chance: rules of equal `pr` are evaluated in the order that the database returns them
(`ORDER BY pr`, nothing else: MariaDB 10.11 shuffles from about 10 of them on), and some rules load
or not depending on the rules before them (`LoadedRule.may_be_dropped`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from dialplan.translation.expression.parsing import parse
from dialplan.translation.expression.syntax import Concatenation, Octets, Start
from dialplan.translation.loading import RuleSet
from dialplan.translation.pattern import Match, Miss
from dialplan.translation.rules import LoadedRule
from dialplan.translation.translate import (
    Failure,
    NoInformation,
    NotTranslated,
    Outcome,
    ProxyCrashes,
    Search,
    Translated,
    TranslationTrace,
    Trial,
    TrialVerdict,
    apply_rule,
    translate,
    untimely,
)

MAX_HITS: Final = 1_000
"""Rules that may be used for one input; of more, the outcomes are incomplete."""

_ENDS_SEARCH: Final = frozenset({TrialVerdict.MATCHED, TrialVerdict.GAVE_UP, TrialVerdict.CRASHED})

MAX_KEPT: Final = 50_000
"""Beginnings of inputs whose rules are remembered."""


@dataclass(frozen=True, slots=True)
class Possibilities:
    """Every outcome that an input may have, each with another effect.

    `translation` is the one by order of id with every rule loaded; its outcome is the first. `by_order` and
    `by_loading` say what decides between several. Not `is_complete` where more than MAX_HITS rules compete.
    """

    translation: TranslationTrace
    outcomes: tuple[Outcome, ...]
    by_order: bool = False
    by_loading: bool = False
    is_complete: bool = True

    @property
    def is_certain(self) -> bool:
        """Whether there is one outcome, whatever the order."""
        return len(self.outcomes) == 1


@dataclass(frozen=True, slots=True)
class _Hits:
    """Rules of one list that may end its search; `may_miss` where it may find nothing."""

    trials: tuple[Trial, ...]
    may_miss: bool
    is_complete: bool = True

    @property
    def crashing(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.verdict is TrialVerdict.CRASHED)

    @property
    def finding(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.verdict is not TrialVerdict.CRASHED)

    @property
    def highest(self) -> float:
        """The highest `pr` with which the search may end without a crash."""
        if self.may_miss:
            return float("inf")
        return max((trial.rule.rule.pr for trial in self.finding), default=float("-inf"))


def possibilities(dialplans: Mapping[int, RuleSet], dpid: int, subject: bytes, now: int) -> Possibilities:
    """Every outcome of `subject` over MI, at the Unix time `now`; see `translate`."""
    translation = translate(dialplans, dpid, subject, now)
    rules = dialplans.get(dpid)
    if rules is None or translation.equal is None:
        return Possibilities(translation, (translation.outcome,))
    candidates = rules.equal.get(subject.lower(), ())
    equal = _hits(translation.equal, candidates, subject, now)
    # A crash over an equal rule ends the translation before the regex rules; another order may not.
    regex_search = translation.regex or Search(rules.regex, 1 if rules.regex else 0, {})
    regex = _hits(regex_search, rules.regex, subject, now)
    return _combined(translation, equal, regex, subject)


def _hits(search: Search, rules: Sequence[LoadedRule], subject: bytes, now: int) -> _Hits:
    """The first hit of `search`, those that another order has first, those behind one that may be dropped."""
    found: list[Trial] = []
    is_sure, priority = False, None
    for rule in islice(rules, max(search.evaluated - 1, 0), None):
        if is_sure and rule.rule.pr != priority:
            break
        if len(found) == MAX_HITS:
            return _Hits(tuple(found), may_miss=not is_sure, is_complete=False)
        priority = rule.rule.pr
        verdict = _verdict(rule, subject, now)
        if verdict in _ENDS_SEARCH:
            found.append(Trial(rule, verdict))
            is_sure = is_sure or not rule.may_be_dropped
    return _Hits(tuple(found), may_miss=not is_sure)


def _verdict(rule: LoadedRule, subject: bytes, now: int) -> TrialVerdict:
    if rule.recurrence is not None and (verdict := untimely(rule.recurrence, now)):
        return verdict
    if rule.pattern is None:
        is_same = rule.match == subject or (rule.caseless and rule.match.lower() == subject.lower())
        return TrialVerdict.MATCHED if is_same else TrialVerdict.NO_MATCH
    match rule.pattern.search(subject):
        case Miss.NO_MATCH:
            return TrialVerdict.NO_MATCH
        case Miss.GAVE_UP:
            return TrialVerdict.GAVE_UP
        case Miss.ERROR:
            return TrialVerdict.FAILED
    return TrialVerdict.MATCHED


def _combined(translation: TranslationTrace, equal: _Hits, regex: _Hits, subject: bytes) -> Possibilities:
    outcomes: dict[object, Outcome] = {_effect(translation.outcome): translation.outcome}
    for outcome in _outcomes(equal, regex, subject):
        outcomes.setdefault(_effect(outcome), outcome)
    if len(outcomes) == 1:
        return Possibilities(translation, (translation.outcome,))
    competing = [trial.rule for trial in (*equal.trials, *regex.trials)]
    return Possibilities(
        translation,
        tuple(outcomes.values()),
        by_order=len({rule.rule.pr for rule in competing}) < len(competing),
        by_loading=any(rule.may_be_dropped for rule in competing),
        is_complete=equal.is_complete and regex.is_complete,
    )


def _outcomes(equal: _Hits, regex: _Hits, subject: bytes) -> Iterator[Outcome]:
    """Each outcome; the better of two hits is used, and between equals chance decides."""
    yield from (ProxyCrashes(trial.rule) for trial in equal.crashing)
    if not equal.finding and not equal.may_miss:
        return
    yield from (ProxyCrashes(trial.rule) for trial in regex.crashing)
    if not regex.finding and not regex.may_miss:
        return
    leftover = next((trial.rule for trial in regex.finding if trial.verdict is TrialVerdict.MATCHED), None)
    for hits, others in ((equal, regex), (regex, equal)):
        for trial in hits.finding:
            if trial.rule.rule.pr <= others.highest:
                own = trial.rule if trial.rule.pattern else leftover
                yield apply_rule(trial, subject, _match_of(own, subject))
    if equal.may_miss and regex.may_miss:
        yield NotTranslated(Failure.NO_RULE_MATCHES)


def _match_of(rule: LoadedRule | None, subject: bytes) -> Match | None:
    found = rule.pattern.search(subject) if rule is not None and rule.pattern else None
    return found if isinstance(found, Match) else None


def _effect(outcome: Outcome) -> object:
    """What a script sees of it: outcomes of the same effect are one."""
    match outcome:
        case Translated(_, output, attributes):
            return (output, attributes)
        case NotTranslated() | NoInformation():
            return None
    return type(outcome).__name__


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

    def translate(self, subject: bytes) -> TranslationTrace:
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
    if not isinstance(node, Concatenation) or not node.parts or not isinstance(node.parts[0], Start):
        return b""
    prefix = bytearray()
    for part in node.parts[1:]:
        if not isinstance(part, Octets) or part.mask.bit_count() != 1:
            break
        prefix.append(part.mask.bit_length() - 1)
    return bytes(prefix)
