"""The job that translates every number of a log, and its report rule by rule."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from dialplan.selectors import TooManyRulesError, rules_of
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.outcomes import Bulk
from dialplan.translation.rules import LoadedRule, RuleRow
from dialplan.translation.translate import Translated
from efcp.audit.services import Actor, Subject, record
from efcp.jobs import running as jobs
from efcp.jobs.job_types import JobError, JobLimits, JobType, Progress
from efcp.jobs.models import JobRun
from efcp.preview.distribution.job import open_log
from efcp.preview.models import CallLog

KIND = "numbers"
LIMITS = JobLimits(memory=1_000_000_000, time=timedelta(minutes=30))
MAX_JOB_RULES = 200_000
"""Rules of one dialplan that the job loads; more would not fit its memory."""

MAX_MISSES: Final = 100_000
"""Distinct numbers without a translation that are counted one by one."""

MAX_SHOWN_MISSES: Final = 50
MAX_NEVER: Final = 20_000
"""Rules never hit that are listed."""

KEPT: Final = "(unchanged)"
"""The output of a rule that matches and replaces nothing: the script's number stays."""

_REPORT_INTERVAL = 500
_URI = re.compile(r"(?:[^<]*<)?(?:sips?|tel):(?:(?P<user>[^@;>]*)@|(?P<tel>[^;>@]*))", re.IGNORECASE)
_OUTCOMES = {
    "UndefinedOutput": "undefined output",
    "NoInformation": "no rule loaded",
    "Undecided": "too much backtracking",
    "RequestNeeded": "depends on the request",
    "ProxyCrashes": "crashes the proxy",
}


def start(log: CallLog, dpid: int, column: int, actor: Actor, *, has_header: bool) -> JobRun:
    """Queue the translation of the numbers in a column; recurrences are checked as of now."""
    arguments = {
        "log": log.pk,
        "dpid": dpid,
        "column": column,
        "has_header": has_header,
        "now": int(timezone.now().timestamp()),
    }
    with transaction.atomic():
        job = jobs.start(KIND, f"{log.name} through dialplan {dpid}", actor.name, arguments)
        record(actor, "translate", Subject("call log", str(log.pk), log.name), after={"dialplan": dpid})
    return job


def translate_numbers(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Translate every number of a log's column by the dialplan as it is now, at the time of the question."""
    log = open_log(arguments)
    dpid = arguments["dpid"]
    try:
        rows = [RuleRow.of(row) for row in rules_of(dpid, MAX_JOB_RULES)]
    except TooManyRulesError as error:
        raise JobError(str(error)) from None
    loaded = load(rows)
    if isinstance(loaded, LoadBroken):
        raise JobError(f"The reload would fail: {loaded.cause.text}")
    if dpid not in loaded.dialplans:
        raise JobError(f"No rule of dialplan {dpid} would be loaded.")
    rules = loaded.dialplans[dpid]
    bulk, report = Bulk(rules, arguments["now"]), TranslationReport(tuple(rules.rules))
    progress.expect(log.size, log.unit)
    empty = 0
    for batch in log.batches(arguments["column"]):
        for value in batch.values.to_pylist():
            number = number_in(value or b"")
            if not number:
                empty += 1
                continue
            report.add(number, bulk)
            if report.numbers % _REPORT_INTERVAL == 0:
                progress.report(batch.position, f"{report.numbers:,} numbers")
    return {
        **report.as_json(),
        "broken": log.broken.count + empty,
        "discarded": loaded.discarded,
        "uncertain": loaded.uncertain,
        "disabled": sum(row.disabled != 0 for row in rows),
    }


TRANSLATE_NUMBERS = JobType(KIND, translate_numbers, LIMITS)


def number_in(value: bytes) -> bytes:
    """The user part of a SIP or tel URI; any other text is the number itself."""
    found = _URI.match(value.decode("latin-1"))
    if found is None:
        return value
    return (found["user"] if found["user"] is not None else found["tel"]).encode("latin-1")


@dataclass(slots=True)
class TranslationReport:
    """Hits by rule id with the first number that hit it and its output; numbers by outcome.

    `uncertain` counts by rule id the numbers that may hit it, depending on the order of equal priorities.
    """

    rules: tuple[LoadedRule, ...]
    numbers: int = 0
    hits: Counter[int] = field(default_factory=Counter)
    uncertain: Counter[int] = field(default_factory=Counter)
    samples: dict[int, tuple[str, str]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    misses: Counter[bytes] = field(default_factory=Counter)

    def add(self, number: bytes, bulk: Bulk) -> None:
        """Translate and count one number."""
        possible = bulk.possibilities(number)
        self.numbers += 1
        if not possible.is_certain:
            self.outcomes["depends on the order of equal priorities or on a rule that may be rejected"] += 1
            self.uncertain.update(_rule_ids(possible.outcomes))
            return
        outcome = possible.translation.outcome
        self.outcomes[_outcome_name(outcome)] += 1
        for own in _rule_ids([outcome]):
            self.hits[own] += 1
            if own not in self.samples:
                self.samples[own] = (_shown(number), _sample(outcome))
        if not isinstance(outcome, Translated) and (number in self.misses or len(self.misses) < MAX_MISSES):
            self.misses[number] += 1

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; of the rules never hit the first are listed, the others counted."""
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


def _rule_ids(outcomes: Iterable[object]) -> Iterator[int]:
    """The ids of the rules used."""
    for outcome in outcomes:
        rule: LoadedRule | None = getattr(outcome, "rule", None)
        if rule is not None and rule.rule.id is not None:
            yield rule.rule.id


def _sample(outcome: object) -> str:
    if not isinstance(outcome, Translated):
        return ""
    return _shown(outcome.output) if outcome.output else KEPT


def _outcome_name(outcome: object) -> str:
    if isinstance(outcome, Translated):
        return "translated" if outcome.output else "matched, unchanged"
    failure = getattr(outcome, "failure", None)
    return (
        failure.name.lower().replace("_", " ") if failure is not None else _OUTCOMES[type(outcome).__name__]
    )


def _shown(text: bytes) -> str:
    return text[:100].decode(errors="replace")
