"""The job that translates the numbers of a log."""

from datetime import timedelta
from typing import Any

from dialplan.selectors import TooManyRulesError, rules_of
from dialplan.translation.bulk import Bulk
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.rules import RuleRow
from efcp.jobs.kinds import JobError, Kind, Limits
from efcp.jobs.progress import Progress
from efcp.preview.models import CallLog
from efcp.preview.numbers.reading import Numbers
from efcp.preview.numbers.report import Report

KIND = "numbers"
LIMITS = Limits(memory=1_000_000_000, time=timedelta(minutes=30))
MAX_JOB_RULES = 200_000
"""Of one dialplan, loaded by the job; more would not fit its memory."""

_REPORTS_EVERY = 500


def translate_numbers(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Translate every number of a log's column by the dialplan as it is, at the time of the question."""
    stored = CallLog.objects.filter(pk=arguments["log"]).first()
    if stored is None or not stored.path.exists():
        raise JobError("The log was deleted.")
    dpid = arguments["dpid"]
    try:
        rows = [RuleRow.of(row) for row in rules_of(dpid, MAX_JOB_RULES)]
    except TooManyRulesError as error:
        raise JobError(str(error)) from None
    loaded = load(rows)
    if isinstance(loaded, LoadBroken):
        raise JobError(f"The whole reload would fail: {loaded.cause.text}")
    if dpid not in loaded.dialplans:
        raise JobError(f"No rule of dialplan {dpid} would be loaded.")
    rules = loaded.dialplans[dpid]
    numbers = Numbers(stored.path, stored.delimiter, arguments["column"], has_header=arguments["has_header"])
    bulk, report = Bulk(rules, arguments["now"]), Report(tuple(rules.rules))
    progress.expect(numbers.size, "bytes")
    for count, number in enumerate(numbers):
        report.add(number, bulk)
        if count % _REPORTS_EVERY == 0:
            progress.report(numbers.position, f"{count:,} numbers")
    return {
        **report.as_json(),
        "broken": numbers.broken,
        "discarded": loaded.discarded,
        "uncertain": loaded.uncertain,
        "disabled": sum(row.disabled != 0 for row in rows),
    }


TRANSLATE_NUMBERS = Kind(KIND, translate_numbers, LIMITS)
