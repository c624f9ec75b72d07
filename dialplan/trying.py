"""Trying an input on a dialplan: what was tried in order, what matched, what came out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an input. `output` is None where nothing comes out; `words` say what happened."""

    text: str
    words: str
    output: str | None
    attributes: str
    trials: tuple[ToldTrial, ...]
    not_shown: int


def try_input(dpid: int, text: str, unsaved: Values | None = None, rule_id: int | None = None) -> Tried:
    """Translate `text` as a proxy would after a reload of the table, now; with a rule that is not saved.

    `unsaved` takes the place of the row `rule_id`, or stands behind the others. Raises TooManyRulesError.
    """
    loaded = load(_rows(dpid, unsaved, rule_id), Environment())
    if isinstance(loaded, LoadBroken):
        return Tried(text, f"The whole reload would fail: {loaded.cause.text}", None, "", (), 0)
    found = translate(loaded.dialplans, dpid, text.encode(), int(timezone.now().timestamp()))
    return _told(text, found, _unsaved_id(unsaved, rule_id))


def _rows(dpid: int, unsaved: Values | None, rule_id: int | None) -> Iterator[Rule]:
    for row in selectors.rules_of(dpid):
        if unsaved is None or row.pk != rule_id:
            yield as_rule(Values.of(row), row.pk)
        elif unsaved.dpid == dpid:
            yield as_rule(unsaved, row.pk)
    if unsaved is not None and rule_id is None and unsaved.dpid == dpid:
        yield as_rule(unsaved)


def _unsaved_id(unsaved: Values | None, rule_id: int | None) -> tuple[bool, int | None]:
    return unsaved is not None, rule_id


def _told(text: str, found: Translation, unsaved: tuple[bool, int | None]) -> Tried:
    used = getattr(found.outcome, "rule", None)
    trials = list(_trials((found.equal, found.regex), used, unsaved))
    words, output, attributes = _outcome(found)
    interesting = [each for each in trials if each.matched] + [each for each in trials if not each.matched]
    shown = sorted(interesting[:SHOWN_TRIALS], key=lambda each: each.rule.position)
    return Tried(text, words, output, attributes, tuple(shown), len(trials) - len(shown))


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


def _outcome(found: Translation) -> tuple[str, str | None, str]:
    """What happened in words, the output, the attributes."""
    match found.outcome:
        case Translated(_, output, attributes):
            return "Translated.", output.decode(errors="replace"), attributes.decode(errors="replace")
        case UndefinedOutput():
            return "A group of the replacement is unset: what comes out is left to chance.", None, ""
        case NotTranslated(failure):
            return _FAILURES[failure], None, ""
        case NoInformation():
            return "No rule of this dialplan is loaded.", None, ""
        case Undecided():
            return "A rule backtracks too much to be tried here; the proxy goes on longer.", None, ""
        case RequestNeeded(_, variables):
            return f"The output needs values of the request: {', '.join(variables)}.", None, ""
        case ProxyCrashes():
            return "The proxy crashes when it tries this rule.", None, ""
