"""Destinations that are out of service on purpose: no rule notifies anybody of them.

Two reasons are known: a maintenance that runs, and a person who set the state inactive in the panel. The
person who did either knows already. A maintenance that should be over is no reason any more.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from efcp.operations.alerts.reconcile import Key
from efcp.operations.history.causes import DETECTED_WITHIN, is_within
from efcp.operations.maintenance.models import MaintenanceOnProxy, Phase
from efcp.operations.states.models import StateOutcome, StateResult
from efcp.proxies.models import KnownDestination, KnownState
from efcp.sip.uri import uri_key

MOST = 20_000
"""Destinations, maintenances and requests that are looked at; more are inactive than anybody set."""

PUT_BACK_WITHIN = timedelta(seconds=60)
"""How long after its end a maintenance may take to put a destination back."""

_MAY_BE_SET = (StateOutcome.DONE, StateOutcome.THROUGH, StateOutcome.WAITING)


def silenced(now: datetime) -> dict[Key, str]:
    """The destinations that are inactive on purpose, each with the reason in words. Four queries at most."""
    inactive = KnownDestination.objects.filter(
        proxy__enabled=True, occurrence=0, state=KnownState.INACTIVE
    ).values_list("proxy_id", "partition", "setid", "uri_key", "since")
    since: dict[Key, datetime] = {(row[0], row[1], row[2], row[3]): row[4] for row in inactive[:MOST]}
    if not since:
        return {}
    found = _set_by_hand(since)
    maintained = _maintained(now)
    return found | {key: maintained[_place(key)] for key in since if _place(key) in maintained}


_Place = tuple[int | None, int, str]
"""Proxy, set, URI key."""


def _place(key: Key) -> _Place:
    return key[0], key[2], key[3]


def _maintained(now: datetime) -> dict[_Place, str]:
    """What a maintenance has taken out, or is taking out right now."""
    running = MaintenanceOnProxy.objects.filter(
        Q(step=Phase.OUT) | Q(step=Phase.PLANNED, claimed_until__gt=now),
        maintenance__ends_at__gt=now - PUT_BACK_WITHIN,
    )
    return {
        (each.proxy_id, each.maintenance.setid, uri_key(each.maintenance.uri)): (
            f"Maintenance by {each.maintenance.actor}"
        )
        for each in running.select_related("maintenance")[:MOST]
    }


def _set_by_hand(since: dict[Key, datetime]) -> dict[Key, str]:
    """What became inactive when the panel set it so, but for maintenance."""
    of_maintenance = MaintenanceOnProxy.objects.filter(out_run=OuterRef("run"))
    requests = (
        StateResult.objects.filter(
            ~Exists(of_maintenance),
            Q(state_requested=KnownState.INACTIVE) | Q(state_requested="", run__state=KnownState.INACTIVE),
            outcome__in=_MAY_BE_SET,
            setid__in={setid for _proxy, _partition, setid, _uri in since},
            deadline__gte=min(since.values()) - DETECTED_WITHIN,
        )
        .select_related("run")
        .order_by("-pk")[:MOST]
    )
    by_place: dict[_Place, list[StateResult]] = {}
    for each in requests:
        by_place.setdefault((each.proxy_id, each.setid, uri_key(each.uri)), []).append(each)
    found = {key: _author(by_place.get(_place(key), ()), at) for key, at in since.items()}
    return {key: f"Set inactive by {actor}" for key, actor in found.items() if actor}


def _author(requests: Iterable[StateResult], at: datetime) -> str:
    """Who requested the state that began at a moment; empty where nobody did."""
    for each in requests:
        ended = each.ended_at or each.deadline
        if is_within(at, each.run.started_at, ended + DETECTED_WITHIN):
            return each.run.actor
    return ""
