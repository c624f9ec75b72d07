"""Reading what reloads are under way and what came of them."""

from dataclasses import dataclass

from django.utils import timezone

from efcp.operations.reconciliation import OPEN_FOR
from efcp.operations.reloads.kinds import ReadBack
from efcp.operations.reloads.models import Module, ReloadOutcome, ReloadResult, ReloadRun

_UNDER_WAY = {ReloadOutcome.WAITING, ReloadOutcome.RUNNING}
_RECENT = 5


@dataclass(frozen=True, slots=True)
class ResultLine:
    """What a run did on one proxy. The outcome is unknown where the process that waited for it is gone."""

    result: ReloadResult
    outcome: ReloadOutcome

    @property
    def is_under_way(self) -> bool:
        """Whether its end may still come."""
        return self.outcome in _UNDER_WAY

    @property
    def is_open(self) -> bool:
        """Whether something may still come: its end, or what a proxy that did not answer reports later."""
        is_unsettled = self.outcome is ReloadOutcome.UNKNOWN and self.result.settled_at is None
        ended_at = self.result.ended_at
        return self.is_under_way or (
            is_unsettled and ended_at is not None and ended_at > timezone.now() - OPEN_FOR
        )

    @property
    def is_clean(self) -> bool:
        """Whether it was reloaded and read back, and nothing is known to differ any more."""
        read_back = ReadBack(self.result.differs, self.result.read_back_problem)
        return self.outcome is ReloadOutcome.DONE and read_back.is_clean


def result_lines(run: ReloadRun) -> list[ResultLine]:
    """The results of a run by the proxies' names."""
    results = run.results.select_related("proxy").order_by("proxy__name")
    return [ResultLine(result, result.known_outcome()) for result in results]


def runs_under_way(module: Module) -> list[ReloadRun]:
    """The runs of a module that wait for a proxy."""
    waiting = ReloadResult.objects.filter(running_key__isnull=False, deadline__gte=timezone.now())
    return list(ReloadRun.objects.filter(module=module, pk__in=waiting.values("run_id")))


def recent_runs(module: Module) -> list[ReloadRun]:
    """The last few runs of a module, the newest first."""
    return list(ReloadRun.objects.filter(module=module).prefetch_related("results__proxy")[:_RECENT])
