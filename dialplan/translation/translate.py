"""One translation, as `dp_translate` does it, and how it came about (`translate` in `dp_repl.c`).

Equal rules and regex rules are searched apart, each in their order; the better of two hits is used. When the
rule's `subst_exp` then does not match, or the output grows too long, the translation fails: no other rule is
tried.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dialplan.translation.loading import RuleSet
from dialplan.translation.pattern import Match, MatchError, Miss, match_data
from dialplan.translation.replacement import TooLong, Undefined, ValuesNeeded, Written, render
from dialplan.translation.rules import LoadedRule
from dialplan.translation.timerec import TimeExpression, Timing

MAX_ATTRIBUTES: Final = 256
"""Bytes of `attrs` that a translation returns."""


class TrialVerdict(Enum):
    """The verdict on one rule that was evaluated."""

    MATCHED = auto()
    NO_MATCH = auto()
    OUT_OF_TIME = auto()
    """Its recurrence does not apply now."""
    FAILED = auto()
    """PCRE2 ended the search with an error, which the proxy takes for no match."""
    GAVE_UP = auto()
    """The preview ended the search for its effort; the proxy goes on longer."""
    CRASHED = auto()
    """Its recurrence makes the proxy divide by zero."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A rule that was evaluated, with its verdict."""

    rule: LoadedRule
    verdict: TrialVerdict


@dataclass(frozen=True, slots=True)
class Search:
    """A walk along one list of rules: `rules` up to the last one evaluated, and the findings about them.

    `verdicts` names the rules that are not plain misses, by their index.
    """

    rules: tuple[LoadedRule, ...]
    evaluated: int
    verdicts: Mapping[int, TrialVerdict]

    @property
    def trials(self) -> Iterator[Trial]:
        """The rules evaluated, in order."""
        for index in range(self.evaluated):
            yield Trial(self.rules[index], self.verdicts.get(index, TrialVerdict.NO_MATCH))

    @property
    def last(self) -> Trial | None:
        """The trial that ended the search other than by running out of rules."""
        verdict = self.verdicts.get(self.evaluated - 1)
        if verdict in (TrialVerdict.MATCHED, TrialVerdict.GAVE_UP, TrialVerdict.CRASHED):
            return Trial(self.rules[self.evaluated - 1], verdict)
        return None


@dataclass(frozen=True, slots=True)
class Translated:
    """The rule used, the output and the rule's attributes, as bytes.

    An empty output is what MI answers; a script's variable then keeps its value (`dp_update`, dialplan.c).
    """

    rule: LoadedRule
    output: bytes
    attributes: bytes


@dataclass(frozen=True, slots=True)
class UndefinedOutput:
    """A rule matched, but its output depends on chance: see `Undefined`."""

    rule: LoadedRule
    undefined: Undefined
    attributes: bytes


class Failure(Enum):
    """Why there is no translation although the dpid is known."""

    EMPTY_INPUT = auto()
    NO_RULE_MATCHES = auto()
    SUBSTITUTION_DOES_NOT_MATCH = auto()
    OUTPUT_TOO_LONG = auto()


@dataclass(frozen=True, slots=True)
class NotTranslated:
    """The proxy answers “No translation” (“Empty input parameter” for `EMPTY_INPUT`)."""

    failure: Failure
    rule: LoadedRule | None = None


@dataclass(frozen=True, slots=True)
class NoInformation:
    """The proxy answers “No information available for dpid”: no rule of it is loaded."""

    dpid: int


@dataclass(frozen=True, slots=True)
class Undecided:
    """Unknown to the preview: a search for this rule would take more effort than allowed here."""

    rule: LoadedRule


@dataclass(frozen=True, slots=True)
class RequestNeeded:
    """The output depends on variables of the request (`ValuesNeeded.variables`) that were not given."""

    rule: LoadedRule
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProxyCrashes:
    """The proxy crashes when it evaluates this rule."""

    rule: LoadedRule


Outcome = (
    Translated | UndefinedOutput | NotTranslated | NoInformation | Undecided | RequestNeeded | ProxyCrashes
)


@dataclass(frozen=True, slots=True)
class TranslationTrace:
    """What comes out, and the two searches that led there; None where they were not started."""

    outcome: Outcome
    equal: Search | None = None
    regex: Search | None = None


def translate(
    dialplans: Mapping[int, RuleSet],
    dpid: int,
    subject: bytes,
    now: int,
    values: Mapping[str, str] | None = None,
) -> TranslationTrace:
    """Translate `subject` with the rules of `dpid` at the Unix time `now`.

    `values` are the request's variables by their text in the replacement (“$rU”), an unset one as "". None
    stands for `dp_translate` asked over MI, where the request is empty.
    """
    if not subject:
        return TranslationTrace(NotTranslated(Failure.EMPTY_INPUT))
    rules = dialplans.get(dpid)
    if rules is None:
        return TranslationTrace(NoInformation(dpid))
    equal = _search_equal(rules, subject, now)
    if equal.last and equal.last.verdict is TrialVerdict.CRASHED:
        return TranslationTrace(ProxyCrashes(equal.last.rule), equal)
    regex = _search_regex(rules, subject, now)
    return TranslationTrace(_outcome(equal.last, regex.last, subject, values), equal, regex)


def _search_equal(rules: RuleSet, subject: bytes, now: int) -> Search:
    candidates = rules.equal.get(subject.lower(), ())
    verdicts: dict[int, TrialVerdict] = {}
    for index, rule in enumerate(candidates):
        if rule.recurrence is not None and (verdict := untimely(rule.recurrence, now)):
            verdicts[index] = verdict
        elif rule.caseless or rule.match == subject:
            verdicts[index] = TrialVerdict.MATCHED
        if verdicts.get(index) in (TrialVerdict.MATCHED, TrialVerdict.CRASHED):
            return Search(candidates, index + 1, verdicts)
    return Search(candidates, len(candidates), verdicts)


def _search_regex(rules: RuleSet, subject: bytes, now: int) -> Search:
    """One loop with little in it but the library's call, since a rule set can hold thousands of rules."""
    verdicts: dict[int, TrialVerdict] = {}
    tests = iter(enumerate(zip(rules.codes, rules.recurrences, strict=True)))
    while True:
        index = -1
        try:
            for index, (code, recurrence) in tests:
                if recurrence is not None and (verdict := untimely(recurrence, now)):
                    verdicts[index] = verdict
                    if verdict is TrialVerdict.CRASHED:
                        return Search(rules.regex, index + 1, verdicts)
                elif match_data(code, subject) is not None:
                    verdicts[index] = TrialVerdict.MATCHED
                    return Search(rules.regex, index + 1, verdicts)
        except MatchError as error:
            verdicts[index] = _verdict_of(rules.regex[index], error)
            if verdicts[index] is TrialVerdict.GAVE_UP:
                return Search(rules.regex, index + 1, verdicts)
        else:
            return Search(rules.regex, len(rules.regex), verdicts)


def untimely(recurrence: TimeExpression, now: int) -> TrialVerdict | None:
    """Why a rule with this recurrence is not matched at the Unix time `now`; None where it applies."""
    match recurrence.check(now):
        case Timing.APPLIES:
            return None
        case Timing.DOES_NOT:
            return TrialVerdict.OUT_OF_TIME
        case Timing.CRASHES:
            return TrialVerdict.CRASHED


def _verdict_of(rule: LoadedRule, error: Exception) -> TrialVerdict:
    gave_up = rule.pattern is not None and rule.pattern.miss_of(error) is Miss.GAVE_UP
    return TrialVerdict.GAVE_UP if gave_up else TrialVerdict.FAILED


def _outcome(
    equal: Trial | None, regex: Trial | None, subject: bytes, values: Mapping[str, str] | None
) -> Outcome:
    if regex is not None and regex.verdict is TrialVerdict.CRASHED:
        return ProxyCrashes(regex.rule)
    if equal is None and regex is None:
        return NotTranslated(Failure.NO_RULE_MATCHES)
    trials = [trial for trial in (equal, regex) if trial is not None]
    better = min(trials, key=lambda trial: trial.rule.position)
    leftover = regex.rule.pattern if regex is not None and regex.verdict is TrialVerdict.MATCHED else None
    matched = leftover.search(subject) if leftover else None
    return apply_rule(better, subject, matched if isinstance(matched, Match) else None, values)


def apply_rule(
    hit: Trial, subject: bytes, matched: Match | None, values: Mapping[str, str] | None = None
) -> Outcome:
    """What the rule that is used makes of `subject` (`rule_translate`).

    `matched` is the last regex match before, whose spans the proxy still holds.
    """
    rule = hit.rule
    if hit.verdict is TrialVerdict.GAVE_UP:
        return Undecided(rule)
    attributes = rule.attributes[:MAX_ATTRIBUTES]
    if rule.replacement is None:
        return Translated(rule, b"", attributes)
    substitution = rule.substitution.search(subject) if rule.substitution else None
    if substitution is Miss.GAVE_UP:
        return Undecided(rule)
    if isinstance(substitution, Miss):
        return NotTranslated(Failure.SUBSTITUTION_DOES_NOT_MATCH, rule)
    rendered = render(rule.replacement, subject, substitution, matched, values)
    match rendered:
        case Written(output):
            return Translated(rule, output, attributes)
        case Undefined():
            return UndefinedOutput(rule, rendered, attributes)
        case ValuesNeeded(variables):
            return RequestNeeded(rule, variables)
        case TooLong():
            return NotTranslated(Failure.OUTPUT_TOO_LONG, rule)
