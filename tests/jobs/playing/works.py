"""Kinds of jobs that only tests know."""

import os
import signal
import time
from datetime import timedelta
from typing import Any

from efcp.jobs.job_types import JobError, JobLimits, Progress

MEGABYTES = 1_000_000
LIMITS = JobLimits(memory=400 * MEGABYTES, time=timedelta(seconds=60))


def count(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Count up to a number."""
    progress.expect(arguments["to"], "numbers")
    for number in range(arguments["to"]):
        progress.report(number)
    return {"counted": arguments["to"]}


def go_on(_arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Never end, but report."""
    while True:
        progress.report(1)
        time.sleep(0.01)


def hang(_arguments: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """Never end, and hear nothing."""
    while True:
        time.sleep(1)


def refuse(_arguments: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """Say why it can't be done."""
    raise JobError("There is nothing to count.")


def eat(_arguments: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """Take more memory than there is for it."""
    return {"eaten": len(bytearray(500 * MEGABYTES))}


def crash(_arguments: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """End as a library does that breaks."""
    os.kill(os.getpid(), signal.SIGABRT)
    return {}


def break_down(_arguments: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """Fail as code does that is wrong."""
    raise RuntimeError("the abacus is broken")


WORKS = (count, go_on, hang, refuse, eat, crash, break_down)
