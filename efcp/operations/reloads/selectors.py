"""Reading reloads under way and their outcome."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from dispatcher.changes import ProxyChanges
from dispatcher.load_prediction import PredictedFinding
from efcp.modules.registry import ReloadOutcome
from efcp.modules.reloading import ReadBack
from efcp.operations.reconciliation import OPEN_FOR
from efcp.operations.reloads.models import ReloadResult, ReloadRun

_UNDER_WAY = {ReloadOutcome.WAITING, ReloadOutcome.RUNNING}
_RECENT = 5


@dataclass(frozen=True, slots=True)
class ReloadLine:
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
        is_unreconciled = self.outcome is ReloadOutcome.UNKNOWN and self.result.reconciled_at is None
        ended_at = self.result.ended_at
        return self.is_under_way or (
            is_unreconciled and ended_at is not None and ended_at > timezone.now() - OPEN_FOR
        )

    @property
    def is_clean(self) -> bool:
        """Whether it was reloaded and read back, and nothing is known to differ any more."""
        read_back = ReadBack(self.result.differs, self.result.read_back_problem)
        return self.outcome is ReloadOutcome.DONE and read_back.is_clean


def result_lines(run: ReloadRun) -> list[ReloadLine]:
    """The results of a run by the proxies' names."""
    results = run.results.select_related("proxy").order_by("proxy__name")
    return [ReloadLine(result, result.known_outcome()) for result in results]


def runs_under_way(module: str) -> list[ReloadRun]:
    """The runs of a module that wait for a proxy."""
    waiting = ReloadResult.objects.filter(running_key__isnull=False, deadline__gte=timezone.now())
    return list(ReloadRun.objects.filter(module=module, pk__in=waiting.values("run_id")))


def recent_runs(module: str) -> list[ReloadRun]:
    """The last few runs of a module, the newest first."""
    return list(ReloadRun.objects.filter(module=module).prefetch_related("results__proxy")[:_RECENT])


@dataclass(frozen=True, slots=True)
class CommonFinding:
    """A finding about one row that several proxies have in common, with their names."""

    predicted: PredictedFinding
    proxies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProxyCard:
    """What a reload would do to one proxy; `warnings` are those that no other proxy shares.

    `warning_count` counts all of these, also those that are not shown. `shares_breaking`: the row
    over which its whole reload would fail stands above, with the other proxies that it concerns.
    """

    changes: ProxyChanges
    warnings: tuple[PredictedFinding, ...]
    warning_count: int
    shares_breaking: bool


@dataclass(frozen=True, slots=True)
class ReloadPreview:
    """What a reload would do: findings that proxies have in common once, then each proxy."""

    breaking: tuple[CommonFinding, ...]
    warnings: tuple[CommonFinding, ...]
    cards: tuple[ProxyCard, ...]

    @property
    def modes_unknown(self) -> tuple[tuple[str, str], ...]:
        """Proxies whose loaded probe modes are unknown, each with why."""
        changes = (card.changes for card in self.cards)
        return tuple(
            (each.watched.proxy.name, each.modes_unknown)
            for each in changes
            if each.is_known and each.modes_unknown
        )


def reload_preview(changes: Sequence[ProxyChanges]) -> ReloadPreview:
    """Take what several proxies have in common out of the changes of each."""
    breaking = _in_common([(each, each.breaking) for each in changes if each.breaking])
    warnings = _in_common([(each, warning) for each in changes for warning in each.warnings])
    shared_breaking = {common.predicted for common in breaking}
    shared = {common.predicted for common in warnings}
    cards = []
    for each in changes:
        own = tuple(warning for warning in each.warnings if warning not in shared)
        unshown = each.warning_count - len(each.warnings)
        cards.append(ProxyCard(each, own, len(own) + unshown, each.breaking in shared_breaking))
    return ReloadPreview(breaking, warnings, tuple(cards))


def _in_common(found: Sequence[tuple[ProxyChanges, PredictedFinding]]) -> tuple[CommonFinding, ...]:
    """The findings of more than one proxy, in the order in which they come first."""
    names: dict[PredictedFinding, list[str]] = defaultdict(list)
    for changes, predicted in found:
        names[predicted].append(changes.watched.proxy.name)
    return tuple(CommonFinding(predicted, tuple(of)) for predicted, of in names.items() if len(of) > 1)
