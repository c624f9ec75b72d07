"""Who or what changed a state: the proxy's own word, and what the panel was asked for shortly before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from efcp.operations.models import Module, ReloadResult, StateOutcome, StateResult
from efcp.proxies.models import Cause, StateChange
from efcp.sip.uri import uri_key

MAX_RUNS = 2_000
WITHIN = timedelta(seconds=15)
"""How long before the watcher saw a change the panel may have asked for it."""

_BY_PANEL = frozenset({Cause.MI, Cause.RELOAD, Cause.UNKNOWN})
"""Causes that may be the panel's doing; of the others the proxy knows that they are not."""

_BY_OTHERS = {
    Cause.PROBING: "Probing",
    Cause.SCRIPT: "The proxy's script, by ds_mark_dst",
    Cause.REPLICATION: "Replicated from its cluster",
    Cause.MI: "Set over MI, not by this panel",
    Cause.RELOAD: "A reload, not by this panel",
    Cause.UNKNOWN: "Unknown",
}


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A change, and its cause in words."""

    change: StateChange
    cause: str


def with_causes(setid: int, uri: str, changes: Sequence[StateChange]) -> tuple[ToldChange, ...]:
    """The changes (newest first) of one destination with their causes, in two queries."""
    if not changes:
        return ()
    first = changes[-1].at - WITHIN
    of_set = (
        StateResult.objects.filter(setid=setid, run__started_at__gte=first)
        .exclude(outcome=StateOutcome.LEFT)
        .select_related("run")
        .order_by("-run__started_at")[:MAX_RUNS]
    )
    # Compared here, since databases fold more than the proxy does, or nothing at all.
    settings = [each for each in of_set if uri_key(each.uri) == uri_key(uri)]
    reloads = list(
        ReloadResult.objects.filter(run__module=Module.DISPATCHER, run__started_at__gte=first)
        .select_related("run")
        .order_by("-run__started_at")[:MAX_RUNS]
    )
    return tuple(ToldChange(change, _cause(change, settings, reloads)) for change in changes)


def _cause(change: StateChange, settings: Sequence[StateResult], reloads: Sequence[ReloadResult]) -> str:
    cause = Cause(change.cause)
    if cause in _BY_PANEL - {Cause.RELOAD}:
        for setting in settings:
            if setting.proxy_id == change.proxy_id and _just_before(setting.run.started_at, change.at):
                return _told("Set", setting.run.actor, setting.run.reason)
    if cause in _BY_PANEL - {Cause.MI}:
        for reload in reloads:
            if reload.proxy_id == change.proxy_id and _just_before(reload.run.started_at, change.at):
                return _told("Reload", reload.run.actor, reload.run.reason)
    return _BY_OTHERS[cause]


def _just_before(asked: datetime, seen: datetime) -> bool:
    """Whether something asked for may be what was seen; a proxy tells its moments in whole seconds."""
    return -timedelta(seconds=1) <= seen - asked <= WITHIN


def _told(what: str, actor: str, reason: str) -> str:
    return f"{what} by {actor}: {reason}" if reason else f"{what} by {actor}"
