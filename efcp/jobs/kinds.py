"""The kinds of long work. Floors above register what they want done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from efcp.jobs.progress import Progress

Work = Callable[[dict[str, Any], Progress], dict[str, Any]]
"""Do the job with its arguments, tell the progress, return its result; both are plain JSON values.

Raises JobError with a message for people.
"""


class JobError(Exception):
    """The job can't be done; the message tells people why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may take: `memory` in bytes of its process's data, `time` from its start to its end."""

    memory: int
    time: timedelta


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job."""

    name: str
    work: Work
    limits: Limits


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Have jobs of this kind done (called by an app when it is ready)."""
    _kinds[kind.name] = kind


def kind_named(name: str) -> Kind:
    """The kind of that name; raises KeyError."""
    return _kinds[name]
