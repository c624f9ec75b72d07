"""Chores for what reloads, settings of states and the watcher leave behind."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from efcp.operations.models import ReloadRun, StateRun
from efcp.proxies.models import StateChange

KEPT_FOR = timedelta(days=400)
"""A year and a month, so that this month can be compared with the same one a year ago."""

AT_ONCE = 2000
"""Rows deleted in one statement, so that no other writer waits long for its turn."""


def thin_state_changes(now: datetime) -> int:
    """Delete changes in proxies' memory that are older than KEPT_FOR."""
    return _delete(StateChange.objects.filter(at__lt=now - KEPT_FOR))


def thin_runs(now: datetime) -> int:
    """Delete reloads and settings of states, with their results, that are older than KEPT_FOR."""
    old = now - KEPT_FOR
    return _delete(ReloadRun.objects.filter(started_at__lt=old)) + _delete(
        StateRun.objects.filter(started_at__lt=old)
    )


def _delete(rows: QuerySet[Any]) -> int:
    """Delete the rows bit by bit; return how many."""
    deleted = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        rows.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted
