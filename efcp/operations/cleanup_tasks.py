"""Cleanup tasks for runs, state changes and other records that grow."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from efcp.operations.alerts.models import Notice, Outage, Silence
from efcp.operations.maintenance.models import Maintenance
from efcp.operations.probes.models import ProbeRun
from efcp.operations.reloads.models import ReloadRun
from efcp.operations.states.models import StateRun
from efcp.proxies.models import HistoryGap, LoadedRows, SharedQuestion, StateChange

NOTICES_KEPT_FOR = timedelta(days=90)
QUESTIONS_KEPT_FOR = timedelta(hours=1)
AT_ONCE = 2000
"""Rows deleted in one statement, so that no other writer waits long for its turn."""


def prune_state_changes(now: datetime) -> int:
    """Delete changes in proxies' memory, and gaps in what is known of them, beyond the age and size set."""
    old = _kept_from(now)
    deleted = _delete(HistoryGap.objects.filter(end__lt=old)) + _delete(
        StateChange.objects.filter(at__lt=old)
    )
    newest_first = StateChange.objects.order_by("-pk").values_list("pk", flat=True)
    beyond = newest_first[settings.WATCHING.history_rows :].first()
    return deleted if beyond is None else deleted + _delete(StateChange.objects.filter(pk__lte=beyond))


def prune_runs(now: datetime) -> int:
    """Delete reloads and settings of states, with their results, that are older than the age set."""
    old = _kept_from(now)
    return _delete(ReloadRun.objects.filter(started_at__lt=old)) + _delete(
        StateRun.objects.filter(started_at__lt=old)
    )


def prune_maintenances(now: datetime) -> int:
    """Delete maintenances that ended longer ago than the age set."""
    return _delete(Maintenance.objects.filter(ends_at__lt=_kept_from(now)))


def prune_loaded_rows(_now: datetime) -> int:
    """Delete the rows that were loaded once, and that are no proxy's last load any more."""
    return _delete(LoadedRows.objects.filter(loads=None).defer("rows"))


def prune_notices(now: datetime) -> int:
    """Delete messages, closed alerts and silences that ended, all older than NOTICES_KEPT_FOR."""
    old = now - NOTICES_KEPT_FOR
    alerts = _delete(Outage.objects.filter(closed_as__gt=0, ended_at__lt=old))
    silences = _delete(Silence.objects.filter(ends_at__lt=old))
    return alerts + silences + _delete(Notice.objects.filter(created_at__lt=old))


def prune_probes(now: datetime) -> int:
    """Delete probes that people sent longer ago than NOTICES_KEPT_FOR; the audit keeps who sent them."""
    return _delete(ProbeRun.objects.filter(started_at__lt=now - NOTICES_KEPT_FOR))


def prune_questions(now: datetime) -> int:
    """Delete questions to proxies, with their answers, older than QUESTIONS_KEPT_FOR."""
    return _delete(SharedQuestion.objects.filter(started_at__lt=now - QUESTIONS_KEPT_FOR))


def _kept_from(now: datetime) -> datetime:
    return now - timedelta(days=settings.WATCHING.history_days)


def _delete(rows: QuerySet[Any]) -> int:
    """Delete the rows bit by bit; return how many."""
    deleted = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        rows.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted
