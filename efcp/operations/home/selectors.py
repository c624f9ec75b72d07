"""The home page as values: what is wrong now, what is planned, what happened last.

It counts nothing itself: sets come from the state board, all else from the selectors of its own package.
Whether anything changed is known from the one query of `watched_with_marks`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import F, Max, QuerySet, Subquery
from django.db.models.expressions import BaseExpression
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from efcp.audit.models import AuditRecord
from efcp.jobs.selectors import JOB_IS_TAKEN_WITHIN, worker_is_stuck
from efcp.operations.board.selectors import Board, BoardSet, Level, board, board_marks, digest_of, states_of
from efcp.operations.home.events import FAILED, Event, recent_events
from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy, Phase
from efcp.operations.maintenance.selectors import running
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.proxies.models import StateChange
from efcp.proxies.probing import Check
from efcp.proxies.selectors import WatchedProxy, silent_proxies, watched_proxies, watcher_is_silent
from efcp.proxies.set_counts import listed_names

SHOWN_SETS = 12
"""Sets with problems that are shown with their destinations; further ones are counted."""

SHOWN_LABELS = 3
"""Sets that take no calls and are named in the headline."""

SHOWN_TILES = 96
SHOWN_SILENT = 3
"""Proxies that do not answer and are shown one by one; more are one problem with their names."""

_WRONG = (Level.DOWN, Level.IMPAIRED, Level.DIFFERING)

RECENT_RUNS = 20
"""Reloads whose results are looked at for a change."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong that is no set: a process, a proxy, a reload or a maintenance.

    `level` is "bad" or "warning"; `url` leads to where it is shown or repaired, under the words `action`.
    """

    level: str
    title: str
    detail: str
    url: str
    action: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """Everything on the home page, read after `version` was."""

    version: str
    now: datetime
    board: Board
    problems: tuple[Problem, ...]
    maintenances: tuple[Maintenance, ...]
    events: tuple[Event, ...]

    @property
    def level(self) -> str:
        """The worst of all: "bad", "warning", "unknown" (nothing is known to be wrong), "good" or "empty"."""
        levels = {each.level for each in self.problems}
        if self.board.down or "bad" in levels:
            return "bad"
        if self.board.impaired or self.board.differing or levels:
            return "warning"
        if not self.board.sets:
            return "empty"
        return "unknown" if self.board.unknown else "good"

    @property
    def headline(self) -> str:
        """The worst, in one sentence."""
        return next(self._sentences(), "")

    @property
    def further(self) -> tuple[str, ...]:
        """All that is wrong beside the headline, as short sentences, the worst first."""
        return tuple(self._sentences())[1:]

    def _sentences(self) -> Iterator[str]:
        board = self.board
        if board.down:
            yield self._down(board.down.count)
        yield from (each.title for each in self.problems if each.level == "bad")
        if board.impaired:
            yield f"{_sets(board.impaired.count)} impaired {board.impaired.where}"
        if board.differing:
            yield f"{_sets(board.differing)} differ between proxies"
        yield from (each.title for each in self.problems if each.level != "bad")
        if not board.sets:
            yield "No proxy yet" if not board.watched else "No destinations loaded"
        elif board.unknown and not self.silent:
            yield f"{_sets(board.unknown.count)} unknown {board.unknown.where}"
        elif board.levels.get(Level.GOOD, 0) == board.sets:
            which = f"All {board.sets:,} sets" if board.sets > 1 else "The only set"
            yield f"{which} fully active on {board.answering}"

    def _down(self, count: int) -> str:
        """Which sets take no calls: what somebody on call has to know first."""
        labels = [each.label for each in self.board.troubled if each.level is Level.DOWN][:SHOWN_LABELS]
        if count == 1:
            return f"Set {labels[0]} takes no calls"
        more = f" and {count - len(labels):,} more" if count > len(labels) else ""
        return f"{_sets(count)} take no calls: {', '.join(labels)}{more}"

    @property
    def burning(self) -> tuple[BoardSet, ...]:
        """The worst sets, with their destinations."""
        wrong = [each for each in self.board.troubled if each.level < Level.UNKNOWN]
        return tuple(wrong[:SHOWN_SETS])

    @property
    def burning_further(self) -> int:
        """How many sets with problems are not shown."""
        return sum(self.board.levels.get(level, 0) for level in _WRONG) - len(self.burning)

    @property
    def tiles(self) -> tuple[BoardSet, ...]:
        """Sets of which nothing wrong is known, those that are unknown somewhere first."""
        unclear = tuple(each for each in self.board.troubled if each.level is Level.UNKNOWN)
        return (unclear + self.board.quiet)[:SHOWN_TILES]

    @property
    def tiles_further(self) -> int:
        """How many of these are not shown."""
        return (
            self.board.levels.get(Level.UNKNOWN, 0) + self.board.levels.get(Level.GOOD, 0) - len(self.tiles)
        )

    @property
    def fully_active(self) -> int:
        """How many sets have every destination active on all proxies that are known."""
        return self.board.levels.get(Level.GOOD, 0)

    @property
    def answering(self) -> int:
        """How many proxies answer."""
        return len(self.board.watched) - len(self.silent)

    @property
    def silent(self) -> tuple[WatchedProxy, ...]:
        """Proxies of whose memory nothing is known now."""
        return silent_proxies(self.board.watched)

    @property
    def unprobed(self) -> int:
        """How many active destinations are not known to be probed, counted once for each proxy."""
        return sum(count for check, count in self.board.checks if check is not Check.CHECKED)


def _sets(count: int) -> str:
    return f"{count:,} set{'' if count == 1 else 's'}"


def watched_with_marks() -> tuple[WatchedProxy, ...]:
    """The enabled proxies, with the values that show whether anything else on the page changed; one query."""
    return watched_proxies(marks=_marks())


def version_of(watched: Sequence[WatchedProxy]) -> str:
    """A digest that differs whenever the page would, of what `watched_with_marks` read.

    Without a proxy only the audit shows that something changed, in a query of its own.
    """
    now = timezone.now()
    if not watched:
        return digest_of(AuditRecord.objects.aggregate(last=Max("pk")))
    proxy: Any = watched[0].proxy
    marks = [getattr(proxy, name) for name in _marks()]
    is_overdue = proxy.mark_next_end is not None and proxy.mark_next_end < now
    is_stuck = proxy.mark_oldest_job is not None and proxy.mark_oldest_job < now - JOB_IS_TAKEN_WITHIN
    return digest_of((states_of(watched), marks, is_overdue, is_stuck))


def home(watched: Sequence[WatchedProxy]) -> Home:
    """Read the page; `watched` come from `watched_with_marks`."""
    now = timezone.now()
    maintenances = running()
    return Home(
        version=version_of(watched),
        now=now,
        board=board(watched),
        problems=(
            *_processes(watched, now),
            *_silent(watched),
            *_failed_reloads(watched),
            *_overdue(maintenances, now),
        ),
        maintenances=maintenances,
        events=recent_events(watched),
    )


@cache
def _marks() -> dict[str, BaseExpression]:
    last_run = ReloadRun.objects.order_by("-pk").values("pk")[:1]
    results = ReloadResult.objects.annotate(last_run=Subquery(last_run))
    results = results.filter(run_id__gt=F("last_run") - RECENT_RUNS)
    out = MaintenanceOnProxy.objects.filter(step=Phase.OUT)
    return {
        "mark_record": _first(AuditRecord.objects.order_by("-pk"), "pk"),
        "mark_change": _first(StateChange.objects.order_by("-pk"), "pk"),
        **board_marks(),
        "mark_next_end": _first(out.order_by("maintenance__ends_at"), "maintenance__ends_at"),
        "mark_run": Subquery(last_run),
        "mark_reloaded": _first(results.order_by("-ended_at"), "ended_at"),
        "mark_settled": _first(results.order_by("-reconciled_at"), "reconciled_at"),
        "mark_oldest_job": _first(DBTaskResult.objects.ready().order_by("enqueued_at"), "enqueued_at"),
    }


def _first(rows: QuerySet[Any], column: str) -> Subquery:
    return Subquery(rows.values(column)[:1])


def _processes(watched: Sequence[WatchedProxy], now: datetime) -> Iterator[Problem]:
    if watched and watcher_is_silent(now):
        detail = "States on all pages are out of date. Start it with manage.py watch."
        yield Problem("bad", "The watcher is not running", detail, reverse("proxies:list"), "Proxies")
    if worker_is_stuck(now):
        detail = "A job has been waiting for 10 minutes. Start the worker with manage.py work."
        url = reverse("preview:home")
        yield Problem("warning", "The worker is not running", detail, url, "Preview")


def _silent(watched: Sequence[WatchedProxy]) -> Iterator[Problem]:
    silent = silent_proxies(watched)
    url = reverse("proxies:list")
    if len(silent) > SHOWN_SILENT:
        title = f"{len(silent)} of {len(watched)} proxies are not responding"
        since = min((each.silent_since for each in silent if each.silent_since), default=None)
        yield Problem("bad", title, listed_names([each.proxy.name for each in silent]), url, "Proxies", since)
        return
    for each in silent:
        detail = "Showing its last known states." if each.known else "It has never responded."
        since = each.silent_since or each.answered_at
        yield Problem("bad", f"{each.proxy.name} {each.words}", detail, url, "Proxies", since)


def _failed_reloads(watched: Sequence[WatchedProxy]) -> Iterator[Problem]:
    """The last reload of a module on each proxy, where it did not reload."""
    proxies = [each.proxy.pk for each in watched]
    last = (
        ReloadResult.objects.filter(proxy__in=proxies)
        .order_by()
        .values("proxy_id", "run__module")
        .annotate(last=Max("pk"))
        .values_list("last", flat=True)
    )
    failed: dict[int, list[ReloadResult]] = {}
    for result in ReloadResult.objects.filter(pk__in=list(last)).select_related("run", "proxy"):
        if result.known_outcome() in FAILED:
            failed.setdefault(result.run_id, []).append(result)
    for results in failed.values():
        first = results[0]
        names = listed_names([each.proxy.name for each in results])
        title = f"{first.run.declaration.label} reload failed on {names}"
        outcome = first.known_outcome().label
        detail = f"{outcome}: {first.message}" if first.message else f"{outcome}."
        since = first.ended_at or first.run.started_at
        yield Problem("warning", title, detail, first.run.get_absolute_url(), "Result", since)


def _overdue(maintenances: Sequence[Maintenance], now: datetime) -> Iterator[Problem]:
    for each in maintenances:
        if any(one.is_overdue(now) for one in each.on_proxies.all()):
            title = f"Maintenance of {each.uri} is overdue"
            detail = f"It should be active again in set {each.setid}."
            url = reverse("operations:maintenance")
            yield Problem("warning", title, detail, url, "Maintenance", each.ends_at)
