"""Dry run of an input on a dialplan: the rules evaluated in order, the match, the output."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from dialplan import selectors
from dialplan.models import Rule
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.outcomes import Possibilities, possibilities
from dialplan.translation.rules import DialplanEnvironment, LoadedRule, RuleRow
from dialplan.translation.translate import (
    Failure,
    NoInformation,
    NotTranslated,
    Outcome,
    ProxyCrashes,
    RequestNeeded,
    Search,
    Translated,
    TrialVerdict,
    Undecided,
    UndefinedOutput,
)
from efcp.mi import as_text

MAX_INPUT = 500
SHOWN_TRIALS = 50
SHOWN_OUTCOMES = 20
_KEEPS_NUMBER = "Match without output: the number stays unchanged."
_FAILURES = {
    Failure.EMPTY_INPUT: "Empty input.",
    Failure.NO_RULE_MATCHES: "No rule matches.",
    Failure.SUBSTITUTION_DOES_NOT_MATCH: "The rule matches but its subst_exp does not: no output.",
    Failure.OUTPUT_TOO_LONG: "The rule matches but its output is too long: no output.",
}
_VERDICTS = {
    TrialVerdict.MATCHED: "matches",
    TrialVerdict.NO_MATCH: "no match",
    TrialVerdict.OUT_OF_TIME: "does not apply now",
    TrialVerdict.FAILED: "PCRE2 error: counts as no match",
    TrialVerdict.GAVE_UP: "backtracks too much to evaluate here",
    TrialVerdict.CRASHED: "the proxy crashes",
}


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """One rule that was evaluated; `is_unsaved` where it is the one of the form."""

    rule: LoadedRule
    words: str
    matched: bool
    used: bool
    is_unsaved: bool

    @property
    def is_plain_miss(self) -> bool:
        """Whether nothing more is known about it."""
        return self.words == _VERDICTS[TrialVerdict.NO_MATCH]


@dataclass(frozen=True, slots=True)
class PossibleOutcome:
    """What may come of an input: `output` is None where nothing does; `words` say what happened.

    `is_known` is not where a proxy may still do otherwise with this very rule.
    """

    output: str | None
    words: str
    attributes: str = ""
    rule: RuleRow | None = None
    is_known: bool = True
    crashes: bool = False


@dataclass(frozen=True, slots=True)
class DryRun:
    """The result of an input. `output` is None where nothing comes out; `words` say what happened.

    `is_certain` is not where a proxy may do otherwise, and `crashes` where it may crash over this input.
    `possible` are the outcomes where the order of equal priorities, or whether a rule loads, decides.
    """

    text: str
    words: str
    output: str | None = None
    attributes: str = ""
    trials: tuple[ShownTrial, ...] = ()
    not_shown: int = 0
    is_certain: bool = True
    crashes: bool = False
    possible: tuple[PossibleOutcome, ...] = ()

    @property
    def depends_on_time(self) -> bool:
        """Whether a rule that applies at certain times only might have matched otherwise."""
        return any(trial.rule.recurrence and not trial.is_plain_miss for trial in self.trials)

    @property
    def keeps_number(self) -> bool:
        """Whether a rule matches and nothing comes out: the script's variable keeps its value."""
        return self.output == ""

    @property
    def number(self) -> str:
        """What a script holds afterwards that has its number translated in place."""
        return self.output or self.text

    def always_gives(self, output: str | None) -> bool:
        """Whether exactly this is the output in every case; an undefined output never is."""
        if self.possible:
            return all(each.is_known and each.output == output for each in self.possible)
        return self.is_certain and self.output == output

    def may_give(self, output: str | None, attributes: str) -> bool:
        """Whether this is one of the possible outcomes, or can't be distinguished from one."""
        return any(
            not each.is_known or (each.output, each.attributes) == (output, attributes)
            for each in self.possible
        )


def try_input(dpid: int, text: str, unsaved: RuleRow | None = None, rule_id: int | None = None) -> DryRun:
    """Translate `text` as a proxy would after a reload of the table, now; with a rule that is not saved.

    `unsaved` replaces the row `rule_id`, or follows the others. Raises TooManyRulesError.
    """
    (result,) = try_inputs(dpid, [text], unsaved, rule_id)
    return result


def try_inputs(
    dpid: int,
    texts: Sequence[str],
    unsaved: RuleRow | None = None,
    rule_id: int | None = None,
    stored: Iterable[Rule | RuleRow] | None = None,
) -> tuple[DryRun, ...]:
    """Translate each of `texts` as `try_input` does; the rules are loaded once.

    `stored` are the dialplan's rows that these texts can meet, where they were read before.
    """
    rules: Iterable[Rule | RuleRow] = selectors.rules_for(dpid, texts) if stored is None else stored
    loaded = load(_rows(rules, dpid, unsaved, rule_id), DialplanEnvironment())
    if isinstance(loaded, LoadBroken):
        words = f"The reload would fail: {loaded.cause.text}"
        return tuple(DryRun(text, words, is_certain=False) for text in texts)
    now = int(timezone.now().timestamp())
    found = (possibilities(loaded.dialplans, dpid, text.encode(), now) for text in texts)
    edited = (unsaved is not None, rule_id)
    return tuple(_dry_run(text, each, edited) for text, each in zip(texts, found, strict=True))


def _rows(
    stored: Iterable[Rule | RuleRow], dpid: int, unsaved: RuleRow | None, rule_id: int | None
) -> list[RuleRow]:
    """The rows by id; `unsaved` has the place of the row that it is for."""
    rows = [RuleRow.of(row) for row in stored]
    if unsaved is not None:
        rows = [row for row in rows if row.id != rule_id]
        rows += [replace(unsaved, id=rule_id)] if unsaved.dpid == dpid else []
    return sorted(rows, key=lambda row: row.id or 2**32)


def _dry_run(text: str, found: Possibilities, unsaved: tuple[bool, int | None]) -> DryRun:
    translation = found.translation
    used = getattr(translation.outcome, "rule", None)
    trials = list(_trials((translation.equal, translation.regex), used, unsaved))
    interesting = sorted(trials, key=lambda each: (not each.matched, each.is_plain_miss))
    shown = tuple(sorted(interesting[:SHOWN_TRIALS], key=lambda each: each.rule.position))
    return replace(_outcome_of(text, found), trials=shown, not_shown=len(trials) - len(shown))


def _outcome_of(text: str, found: Possibilities) -> DryRun:
    if found.is_certain:
        only = _outcome(found.translation.outcome)
        return DryRun(
            text, only.words, only.output, only.attributes, is_certain=only.is_known, crashes=only.crashes
        )
    possible = tuple(_outcome(outcome) for outcome in found.outcomes[:SHOWN_OUTCOMES])
    crashes = any(isinstance(outcome, ProxyCrashes) for outcome in found.outcomes)
    return DryRun(text, _doubt(found), is_certain=False, crashes=crashes, possible=possible)


def _doubt(found: Possibilities) -> str:
    order = "the row order of rules with equal priority"
    loading = "whether the proxy loads a doubtful rule"
    reasons = [text for text, holds in ((order, found.by_order), (loading, found.by_loading)) if holds]
    count = len(found.outcomes)
    at_least = "" if found.is_complete else "at least "
    return f"Depends on {', and on '.join(reasons)}: {at_least}{count} outcomes are possible."


def _trials(
    searches: Iterable[Search | None], used: LoadedRule | None, unsaved: tuple[bool, int | None]
) -> Iterator[ShownTrial]:
    is_edited, rule_id = unsaved
    for search in searches:
        for trial in search.trials if search else ():
            yield ShownTrial(
                rule=trial.rule,
                words=_VERDICTS[trial.verdict],
                matched=trial.verdict is TrialVerdict.MATCHED,
                used=trial.rule is used,
                is_unsaved=is_edited and trial.rule.rule.id == rule_id,
            )


def _outcome(outcome: Outcome) -> PossibleOutcome:
    used = getattr(outcome, "rule", None)
    rule = None if used is None else used.rule
    match outcome:
        case Translated(_, output, attributes):
            words = "Translated." if output else _KEEPS_NUMBER
            return PossibleOutcome(as_text(output), words, as_text(attributes), rule)
        case UndefinedOutput():
            words = "A group used in the replacement is unset: the output is undefined."
        case NotTranslated(failure):
            return PossibleOutcome(None, _FAILURES[failure], rule=rule)
        case NoInformation():
            return PossibleOutcome(None, "This dialplan has no loaded rules.")
        case Undecided():
            words = "A rule backtracks too much to evaluate here; the proxy continues longer."
        case RequestNeeded(_, variables):
            words = f"The output depends on the request: {', '.join(variables)}."
        case ProxyCrashes():
            words = "The proxy crashes when it evaluates this rule."
            return PossibleOutcome(None, words, rule=rule, is_known=False, crashes=True)
    return PossibleOutcome(None, words, rule=rule, is_known=False)
