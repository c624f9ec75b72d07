"""Trying an input on a dialplan: what was tried in order, what matched, what came out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from dialplan import selectors
from dialplan.services import Values
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.rules import Environment, LoadedRule, Rule
from dialplan.translation.translate import (
    Failure,
    NoInformation,
    NotTranslated,
    ProxyCrashes,
    RequestNeeded,
    Search,
    Translated,
    Translation,
    Undecided,
    UndefinedOutput,
    Verdict,
    translate,
)
from dialplan.validation import as_rule
from efcp.mi import as_text

MAX_INPUT = 500
SHOWN_TRIALS = 50
_FAILURES = {
    Failure.EMPTY_INPUT: "Empty input.",
    Failure.NO_RULE_MATCHES: "No rule matches.",
    Failure.SUBSTITUTION_DOES_NOT_MATCH: "The rule matches, but its subst_exp does not: nothing comes out.",
    Failure.OUTPUT_TOO_LONG: "The rule matches, but its output is too long: nothing comes out.",
}
_VERDICTS = {
    Verdict.MATCHED: "matches",
    Verdict.NO_MATCH: "no match",
    Verdict.OUT_OF_TIME: "does not apply now",
    Verdict.FAILED: "PCRE2 fails: counts as no match",
    Verdict.GAVE_UP: "backtracks too much to be tried here",
    Verdict.CRASHED: "the proxy crashes",
}


@dataclass(frozen=True, slots=True)
class ToldTrial:
    """One rule that was tried; `is_unsaved` where it is the one of the form."""

    rule: LoadedRule
    words: str
    matched: bool
    used: bool
    is_unsaved: bool

    @property
    def is_plain_miss(self) -> bool:
        """Whether there is nothing more to tell of it."""
        return self.words == _VERDICTS[Verdict.NO_MATCH]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an input. `output` is None where nothing comes out; `words` say what happened.

    `is_certain` is not where a proxy may do otherwise, and `crashes` where it crashes over this input.
    """

    text: str
    words: str
    output: str | None = None
    attributes: str = ""
    trials: tuple[ToldTrial, ...] = ()
    not_shown: int = 0
    is_certain: bool = True
    crashes: bool = False

    @property
    def depends_on_time(self) -> bool:
        """Whether a rule was tried that applies at certain times only, and might have done otherwise."""
        return any(trial.rule.recurrence and not trial.is_plain_miss for trial in self.trials)


def try_input(dpid: int, text: str, unsaved: Values | None = None, rule_id: int | None = None) -> Tried:
    """Translate `text` as a proxy would after a reload of the table, now; with a rule that is not saved.

    `unsaved` takes the place of the row `rule_id`, or stands behind the others. Raises TooManyRulesError.
    """
    (tried,) = try_inputs(dpid, [text], unsaved, rule_id)
    return tried


def try_inputs(
    dpid: int, texts: Sequence[str], unsaved: Values | None = None, rule_id: int | None = None
) -> tuple[Tried, ...]:
    """Translate each of `texts` as `try_input` does; the rules are loaded once."""
    loaded = load(_rows(dpid, unsaved, rule_id), Environment())
    if isinstance(loaded, LoadBroken):
        words = f"The whole reload would fail: {loaded.cause.text}"
        return tuple(Tried(text, words, is_certain=False) for text in texts)
    now = int(timezone.now().timestamp())
    found = (translate(loaded.dialplans, dpid, text.encode(), now) for text in texts)
    edited = (unsaved is not None, rule_id)
    return tuple(_told(text, each, edited) for text, each in zip(texts, found, strict=True))


def _rows(dpid: int, unsaved: Values | None, rule_id: int | None) -> Iterator[Rule]:
    for row in selectors.rules_of(dpid):
        if unsaved is None or row.pk != rule_id:
            yield as_rule(Values.of(row), row.pk)
        elif unsaved.dpid == dpid:
            yield as_rule(unsaved, row.pk)
    if unsaved is not None and rule_id is None and unsaved.dpid == dpid:
        yield as_rule(unsaved)


def _told(text: str, found: Translation, unsaved: tuple[bool, int | None]) -> Tried:
    used = getattr(found.outcome, "rule", None)
    trials = list(_trials((found.equal, found.regex), used, unsaved))
    interesting = sorted(trials, key=lambda each: (not each.matched, each.is_plain_miss))
    shown = tuple(sorted(interesting[:SHOWN_TRIALS], key=lambda each: each.rule.position))
    return replace(_outcome(text, found), trials=shown, not_shown=len(trials) - len(shown))


def _trials(
    searches: Iterable[Search | None], used: LoadedRule | None, unsaved: tuple[bool, int | None]
) -> Iterator[ToldTrial]:
    is_edited, rule_id = unsaved
    for search in searches:
        for trial in search.trials if search else ():
            yield ToldTrial(
                rule=trial.rule,
                words=_VERDICTS[trial.verdict],
                matched=trial.verdict is Verdict.MATCHED,
                used=trial.rule is used,
                is_unsaved=is_edited and trial.rule.rule.id == rule_id,
            )


def _outcome(text: str, found: Translation) -> Tried:
    match found.outcome:
        case Translated(_, output, attributes):
            return Tried(
                text,
                "Translated.",
                as_text(output),
                as_text(attributes),
            )
        case UndefinedOutput():
            words = "A group of the replacement is unset: what comes out is left to chance."
            return Tried(text, words, is_certain=False)
        case NotTranslated(failure):
            return Tried(text, _FAILURES[failure])
        case NoInformation():
            return Tried(text, "No rule of this dialplan is loaded.")
        case Undecided():
            words = "A rule backtracks too much to be tried here; the proxy goes on longer."
            return Tried(text, words, is_certain=False)
        case RequestNeeded(_, variables):
            words = f"The output needs values of the request: {', '.join(variables)}."
            return Tried(text, words, is_certain=False)
        case ProxyCrashes():
            words = "The proxy crashes when it tries this rule."
            return Tried(text, words, is_certain=False, crashes=True)
