"""Who or what changed a state: the proxy's own report of the cause, and the panel's own requests.

A change is the panel's if it requested that state of that destination on that proxy and
partition, began before the change was detected, and had not ended long before it. A request explains one
change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from efcp.clock import moment_text
from efcp.modules.registry import ReloadOutcome, modules_with_live_states
from efcp.operations.reloads.models import ReloadResult
from efcp.operations.states.models import StateOutcome, StateResult
from efcp.proxies.models import KnownState, StateChange
from efcp.proxies.reconcile import Cause
from efcp.sip.uri import uri_key

MAX_RUNS = 2_000
DETECTED_WITHIN = timedelta(seconds=15)
"""How long after a request ended the watcher may first see what it did."""

HUNG_FOR = timedelta(minutes=15)
"""How long after it was given up a proxy that hung may carry out a request that waited in its socket."""

WHOLE_SECONDS = timedelta(seconds=1)
"""Proxies report their moments in whole seconds."""

_BY_PANEL = frozenset({Cause.MI, Cause.RELOAD, Cause.UNKNOWN})
"""Causes that may be the panel's doing; of the others the proxy reports that they are not."""

_BY_OTHERS = {
    Cause.PROBING: "Probing",
    Cause.SCRIPT: "Script (ds_mark_dst)",
    Cause.REPLICATION: "Replicated in the cluster",
    Cause.MI: "Set over MI outside this panel",
    Cause.RELOAD: "Reload outside this panel",
    Cause.UNKNOWN: "Unknown",
}
_NOT_CARRIED_OUT = (
    StateOutcome.LEFT,
    StateOutcome.NOT_IN_MEMORY,
    StateOutcome.NOT_ATTEMPTED,
    StateOutcome.FAILED,
    StateOutcome.REFUSED,
)


@dataclass(frozen=True, slots=True)
class ExplainedChange:
    """A change, and its cause in words."""

    change: StateChange
    cause: str


def with_causes(setid: int, uri: str, changes: Sequence[StateChange]) -> tuple[ExplainedChange, ...]:
    """The changes (newest first) of one destination with their causes, in two queries."""
    if not changes:
        return ()
    first = changes[-1].at - HUNG_FOR - DETECTED_WITHIN
    of_set = (
        StateResult.objects.filter(setid=setid, run__started_at__gte=first)
        .exclude(outcome__in=_NOT_CARRIED_OUT)
        .select_related("run")
        .order_by("-run__started_at", "-pk")[:MAX_RUNS]
    )
    # Compared here, since databases fold more than the proxy does, or nothing at all.
    settings = [each for each in reversed(list(of_set)) if uri_key(each.uri) == uri_key(uri)]
    reloads = list(
        ReloadResult.objects.filter(run__module__in=modules_with_live_states(), run__started_at__gte=first)
        .exclude(outcome__in=(ReloadOutcome.NOT_SENT, ReloadOutcome.NOT_REACHED))
        .select_related("run")
        .order_by("-run__started_at", "-pk")[:MAX_RUNS]
    )
    explained: set[int] = set()
    oldest_first = [
        ExplainedChange(change, _cause(change, settings, reloads, explained)) for change in reversed(changes)
    ]
    return tuple(reversed(oldest_first))


def _cause(
    change: StateChange,
    settings: Sequence[StateResult],
    reloads: Sequence[ReloadResult],
    explained: set[int],
) -> str:
    """The cause of one change; the settings that explain it join those that are `explained`."""
    cause = Cause(change.cause)
    if cause in _BY_PANEL - {Cause.RELOAD}:
        fitting = [each for each in settings if each.pk not in explained and _fits(each, change)]
        if fitting:
            explained.update(each.pk for each in fitting if _is_one_request(each, fitting[0]))
            return _set_by(fitting, cause)
    if cause in _BY_PANEL - {Cause.MI}:
        loaded = [each for each in reloads if _may_have_caused(each, change)]
        if loaded:
            return _reloaded_by(loaded)
    return _BY_OTHERS[cause]


def _fits(setting: StateResult, change: StateChange) -> bool:
    """Whether this request may have caused the change."""
    if setting.proxy_id != change.proxy_id or setting.partition not in {"", change.partition}:
        return False
    if change.state_after not in _states_after(setting.state_requested or setting.run.state):
        return False
    ended = setting.ended_at or setting.deadline
    is_open = (
        setting.outcome in {StateOutcome.UNKNOWN, StateOutcome.WAITING} or setting.reconciled_at is not None
    )
    return is_within(change.at, setting.run.started_at, ended + (HUNG_FOR if is_open else DETECTED_WITHIN))


def _states_after(requested: str) -> set[str]:
    """What a destination may be after it was set to `requested`, according to lists and reports.

    Reports say "down" for inactive and probing alike; "probing" makes an inactive destination active.
    """
    if requested == KnownState.ACTIVE:
        return {KnownState.ACTIVE}
    return {requested, "down"} | ({KnownState.ACTIVE} if requested == KnownState.PROBING else set())


def _is_one_request(setting: StateResult, other: StateResult) -> bool:
    return setting.run_id == other.run_id


def _set_by(fitting: Sequence[StateResult], cause: Cause) -> str:
    """By whom, of those requests that fit (oldest first)."""
    people = list(dict.fromkeys(each.run.actor for each in fitting))
    if len(people) > 1:
        return f"Set by {' or '.join(people[:3])} (requests too close together to tell apart)"
    first = fitting[0]
    by = _by("Set", first.run.actor, first.run.reason)
    if first.outcome in {StateOutcome.UNKNOWN, StateOutcome.WAITING} or first.reconciled_at is not None:
        requested = moment_text(first.run.started_at)
        return f"{by}, or by others over MI (the request of {requested} got no reply)"
    if first.state_requested and first.state_before == first.state_requested and cause is Cause.MI:
        return f"{by}, or by others over MI at about the same time"
    return by


def _reloaded_by(loaded: Sequence[ReloadResult]) -> str:
    people = list(dict.fromkeys(each.run.actor for each in loaded))
    if len(people) > 1:
        return f"Reload by {' or '.join(people[:3])} (too close together to tell apart)"
    return _by("Reload", loaded[0].run.actor, loaded[0].run.reason)


def _may_have_caused(reload: ReloadResult, change: StateChange) -> bool:
    """Whether this reload may have caused the change: one that keeps states only adds and removes rows.

    A change of state that the proxy attributes to a reload names that reload, too.
    """
    if reload.proxy_id != change.proxy_id or not _spans(reload, change.at):
        return False
    is_kept = reload.run.inherit_state and change.state_before and change.state_after
    return not is_kept or change.cause == Cause.RELOAD


def _spans(reload: ReloadResult, at: datetime) -> bool:
    is_open = reload.outcome in {ReloadOutcome.UNKNOWN, ReloadOutcome.RUNNING}
    ended = reload.ended_at or reload.deadline
    return is_within(at, reload.run.started_at, ended + (HUNG_FOR if is_open else DETECTED_WITHIN))


def is_within(at: datetime, begin: datetime, end: datetime) -> bool:
    """Whether something that a proxy puts at a moment lies between two of the panel's own."""
    return begin - WHOLE_SECONDS <= at <= end


def _by(what: str, actor: str, reason: str) -> str:
    return f"{what} by {actor}: {reason}" if reason else f"{what} by {actor}"
