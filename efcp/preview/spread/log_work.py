"""The job that counts the calls of a log."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from dispatcher.routing.selection import Algorithm, SelectFlag
from efcp.jobs.kinds import JobError, Kind, Limits
from efcp.jobs.progress import Progress
from efcp.preview.models import CallLog as StoredLog
from efcp.preview.sources import Source, sources
from efcp.preview.spread.edits import UnsavedEdit
from efcp.preview.spread.peek import can_read_logs
from efcp.preview.spread.question import Question
from efcp.preview.spread.services import KIND
from efcp.proxies.selectors import watched_proxies

LIMITS = Limits(memory=1_000_000_000, time=timedelta(minutes=15))


def count_log(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Count the calls of the log; the result tells of rows, of broken ones and of spreads."""
    if not can_read_logs():
        raise JobError("The library that reads logs is not installed: pip install 'efcp[replay]'.")
    # Only where a log is counted: numpy takes memory of each process that has it, the watcher's too.
    from efcp.preview.spread.counting import Counting
    from efcp.preview.spread.log_calls import LogCalls
    from efcp.preview.spread.reading import CallLog, Layout

    stored = StoredLog.objects.filter(pk=arguments["log"]).first()
    if stored is None or not stored.path.exists():
        raise JobError("The log was deleted.")
    question = _question(arguments)
    log = CallLog(stored.path, Layout.of(stored, has_header=arguments["has_header"]))
    calls = LogCalls(log, question, arguments["columns"])
    counting = Counting(_sources(arguments["sources"]), question)
    progress.expect(log.size, log.unit)
    for portion in calls.portions():
        counting.add(portion.calls, portion.broken)
        progress.report(portion.position, f"{calls.rows:,} calls, {log.broken.count:,} broken rows")
    return {
        "rows": calls.rows,
        "broken": asdict(log.broken),
        "counted": counting.counted().as_json(),
    }


def _question(arguments: dict[str, Any]) -> Question:
    edit = UnsavedEdit(**arguments["edit"]) if arguments["edit"] else None
    algorithm, flags = Algorithm(arguments["algorithm"]), SelectFlag(arguments["flags"])
    return Question(arguments["setid"], algorithm, flags, edit)


def _sources(keys: list[str]) -> list[Source]:
    """The sources of the question, as they are now."""
    offered = {each.key: each for each in sources(watched_proxies())}
    found = [offered[key] for key in keys if key in offered]
    if not found:
        raise JobError("None of the chosen proxies is there any more.")
    return found


COUNT_LOG = Kind(KIND, count_log, LIMITS)
