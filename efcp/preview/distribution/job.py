"""The job that counts the calls of a log."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dispatcher.routing.selection import Algorithm, SelectFlag
from efcp.jobs.job_types import JobError, JobLimits, JobType, Progress
from efcp.preview.distribution.log_formats import can_read_logs
from efcp.preview.distribution.question import SelectArguments, UnsavedEdit
from efcp.preview.distribution.services import KIND
from efcp.preview.models import CallLog
from efcp.preview.sources import Source, sources
from efcp.proxies.selectors import watched_proxies

if TYPE_CHECKING:
    from efcp.preview.distribution.reading import LogReader

LIMITS = JobLimits(memory=1_000_000_000, time=timedelta(minutes=15))


def count_log(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Count the calls of the log: numbers of rows and broken rows, and the distribution by each source."""
    log = open_log(arguments)
    # Imported by the job alone: numpy takes memory in every process that loads it, the watcher's too.
    from efcp.preview.distribution.counting import CallCounter
    from efcp.preview.distribution.keys import LogCalls
    from efcp.preview.distribution.reading import read_ahead

    question = _question(arguments)
    calls = LogCalls(log, question, arguments["columns"])
    counter = CallCounter(_sources(arguments["sources"]), question)
    progress.expect(log.size, log.unit)
    for batch in read_ahead(calls.batches()):
        counter.add(batch.calls, batch.broken)
        progress.report(batch.position, f"{calls.rows:,} calls, {log.broken.count:,} invalid rows")
    return {
        "rows": calls.rows,
        "broken": asdict(log.broken),
        "counted": counter.result().as_json(),
    }


def open_log(arguments: dict[str, Any]) -> "LogReader":
    """The reader of the log in a job's arguments; raises JobError where it can't be read or is gone."""
    if not can_read_logs():
        raise JobError("Reading logs requires an optional package: pip install 'efcp[replay]'.")
    from efcp.preview.distribution.reading import LogReader

    stored = CallLog.objects.filter(pk=arguments["log"]).first()
    if stored is None or not stored.path.exists():
        raise JobError("The log was deleted.")
    return LogReader.of(stored, has_header=arguments["has_header"])


def _question(arguments: dict[str, Any]) -> SelectArguments:
    edit = UnsavedEdit(**arguments["edit"]) if arguments["edit"] else None
    algorithm, flags = Algorithm(arguments["algorithm"]), SelectFlag(arguments["flags"])
    return SelectArguments(arguments["setid"], algorithm, flags, edit)


def _sources(keys: list[str]) -> list[Source]:
    """The sources of these keys, as they are now."""
    offered = {each.key: each for each in sources(watched_proxies())}
    found = [offered[key] for key in keys if key in offered]
    if not found:
        raise JobError("None of the selected proxies exists any more.")
    return found


COUNT_LOG = JobType(KIND, count_log, LIMITS)
