"""Takes destinations out of service at their time and puts them back: a task of the leading watcher.

Each act is claimed in the database before anything is sent, so that no two watchers do it. A claim whose
process died expires and the act is repeated: setting inactive or active twice does no harm.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from dispatcher.models import Destination
from efcp.audit.services import Actor
from efcp.operations.maintenance.models import MaintenanceOnProxy, Phase
from efcp.operations.states import services as states
from efcp.operations.states.models import StateOutcome, StateResult
from efcp.operations.states.results import WATCH_FOR
from efcp.operations.states.selectors import emptied_sets
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import KnownDestination, KnownState, StateChange
from efcp.proxies.reconcile import Cause
from efcp.proxies.selectors import live_states, watched_proxies
from efcp.sip.uri import uri_key

EVERY_S = 1.0
_IS_SET = frozenset({StateOutcome.DONE, StateOutcome.THROUGH})
_MAY_BE_SET = _IS_SET | {StateOutcome.UNKNOWN, StateOutcome.WAITING}
AT_ONCE = 50
"""Acts of one beat."""

MOST_REQUESTS = 500
"""Read of a set: other destinations of it may be in maintenance by the same person."""

CLAIMED_FOR = timedelta(seconds=60)
AGAIN_AFTER = timedelta(seconds=10)
LOOKED_AGAIN_AFTER = timedelta(seconds=2)
ANSWERED_WITHIN_S = 40.0
GIVEN_UP_AFTER = timedelta(days=1)
"""How long after its end a proxy that does not answer is still retried."""


def run_due(now: datetime) -> None:
    """Do what is due: take out, take out again what a late answer to a probe turned back, put back."""
    for each in _claimed(_to_begin(now), now):
        _take_out(each, now)
    for each in _claimed(_turned_back(now), now):
        _take_out_again(each, now)
    for each in _claimed(_to_end(now), now):
        _put_back(each, now)


def _to_begin(now: datetime) -> QuerySet[MaintenanceOnProxy]:
    return MaintenanceOnProxy.objects.filter(step=Phase.PLANNED, maintenance__begins_at__lte=now)


def _to_end(now: datetime) -> QuerySet[MaintenanceOnProxy]:
    return MaintenanceOnProxy.objects.filter(step=Phase.OUT, maintenance__ends_at__lte=now)


def _turned_back(now: datetime) -> QuerySet[MaintenanceOnProxy]:
    """What a late reply to a probe turned active again."""
    lately_out = MaintenanceOnProxy.objects.filter(
        step=Phase.OUT, out_at__gte=now - WATCH_FOR, maintenance__ends_at__gt=now
    )
    found = [
        each.pk for each in lately_out.select_related("maintenance")[:AT_ONCE] if _is_active_by_probing(each)
    ]
    return lately_out.filter(pk__in=found)


def _claimed(due: QuerySet[MaintenanceOnProxy], now: datetime) -> Iterator[MaintenanceOnProxy]:
    """Those of `due` that this process has claimed, one after the other."""
    free = due.filter(Q(claimed_until=None) | Q(claimed_until__lte=now), proxy__enabled=True)
    for each in free.select_related("maintenance", "proxy").order_by("pk")[:AT_ONCE]:
        if _claim(each, now):
            yield each


@retried_on_lock
def _claim(each: MaintenanceOnProxy, now: datetime) -> bool:
    """Whether this process is to do what is due: nobody has done or claimed it since it was read."""
    unclaimed = MaintenanceOnProxy.objects.filter(
        pk=each.pk, step=each.step, claimed_until=each.claimed_until
    )
    return bool(unclaimed.update(claimed_until=now + CLAIMED_FOR))


def _take_out(each: MaintenanceOnProxy, now: datetime) -> None:
    planned = each.maintenance
    if planned.ends_at <= now:
        _finish(each, Phase.NOT_TAKEN, now, "The maintenance window ended before it could start.")
        return
    row = _row(each)
    if not planned.allow_empty_set and emptied_sets([row], [each.proxy]):
        _finish(
            each,
            Phase.NOT_TAKEN,
            now,
            f"Set {planned.setid} would have had no active destination left.",
        )
        return
    result = _set(each, row, KnownState.INACTIVE, planned.reason)
    if result is None or result.outcome in {StateOutcome.FAILED, StateOutcome.UNKNOWN}:
        _again(each, now, "The proxy did not respond; retrying.")
    elif result.outcome in _IS_SET:
        # A proxy that hung may have carried out an earlier request: what it held before that one counts.
        first = next(iter(_own_requests(each, KnownState.INACTIVE, planned.begins_at)), result)
        each.out_run, each.out_at, each.state_before = first.run, now, first.state_before
        _store(each, Phase.OUT, "")
    else:
        _finish(each, Phase.NOT_TAKEN, now, result.message or StateOutcome(result.outcome).label)


def _take_out_again(each: MaintenanceOnProxy, now: datetime) -> None:
    _set(each, _row(each), KnownState.INACTIVE, "A late probe reply had reactivated it.")
    message = "A late probe reply reactivated it; set inactive again."
    _again(each, now, message, after=LOOKED_AGAIN_AFTER)


def _put_back(each: MaintenanceOnProxy, now: datetime) -> None:
    planned = each.maintenance
    if each.state_before == KnownState.INACTIVE:
        _finish(each, Phase.LEFT, now, "It was already inactive before.")
        return
    if not any(one.fresh for one in watched_proxies() if one.proxy.pk == each.proxy_id):
        _wait_for_proxy(each, now)
        return
    known = _known(each)
    if known is None:
        _finish(each, Phase.LEFT, now, "The proxy no longer has it.")
    elif known.state == KnownState.ACTIVE and _own_requests(each, KnownState.ACTIVE, planned.ends_at):
        _finish(each, Phase.BACK, now, "The request got no reply; the proxy later had it as active.")
    elif known.state != KnownState.INACTIVE:
        _finish(each, Phase.LEFT, now, f"It was already {known.state}, set by someone else or a reload.")
    elif by := _set_since(each):
        _finish(each, Phase.LEFT, now, f"{by} has changed its state since.")
    else:
        result = _set(each, _row(each), KnownState.ACTIVE, f"End of maintenance: {planned.reason}")
        if result is not None and result.outcome in _IS_SET:
            _finish(each, Phase.BACK, now, "")
        else:
            _wait_for_proxy(each, now)


def _wait_for_proxy(each: MaintenanceOnProxy, now: datetime) -> None:
    if now - each.maintenance.ends_at > GIVEN_UP_AFTER:
        _finish(each, Phase.LEFT, now, "The proxy did not respond for a day: set the state manually.")
    else:
        _again(each, now, "The proxy is not responding; reactivating when it does.")


def _set(each: MaintenanceOnProxy, row: Destination, state: KnownState, reason: str) -> StateResult | None:
    """Set the state on the one proxy and wait for the outcome; None where it is unknown."""
    handle = states.begin([row], state, [each.proxy], Actor(_actor(each)), reason[:255])
    handle.ended.wait(ANSWERED_WITHIN_S)
    result = handle.run.results.select_related("run").filter(proxy=each.proxy).first()
    return result if result is not None and result.outcome != StateOutcome.WAITING else None


def _own_requests(each: MaintenanceOnProxy, state: KnownState, since: datetime) -> list[StateResult]:
    """This maintenance's requests for `state` that the proxy carried out or may have, the oldest first."""
    planned = each.maintenance
    requests = StateResult.objects.filter(
        proxy=each.proxy_id,
        setid=planned.setid,
        state_requested=state,
        outcome__in=_MAY_BE_SET,
        run__actor=_actor(each),
        run__started_at__gte=since,
    )
    key = uri_key(planned.uri)
    found = requests.select_related("run").order_by("pk")[:MOST_REQUESTS]
    return [result for result in found if uri_key(result.uri) == key]


def _actor(each: MaintenanceOnProxy) -> str:
    return f"maintenance of {each.maintenance.actor}"[:64]


def _row(each: MaintenanceOnProxy) -> Destination:
    """The row as it was planned: it may have been edited or deleted since, while the proxy still holds it."""
    planned = each.maintenance
    return Destination(id=planned.destination_id, setid=planned.setid, destination=planned.uri)


def _known(each: MaintenanceOnProxy) -> KnownDestination | None:
    key = each.maintenance.setid, uri_key(each.maintenance.uri)
    listed = live_states([key]).get(key, {}).get(each.proxy_id, ())
    return listed[0] if listed else None


def _is_active_by_probing(each: MaintenanceOnProxy) -> bool:
    """Whether it is active, and a probe did it since it was taken out."""
    known = _known(each)
    if known is None or known.state != KnownState.ACTIVE:
        return False
    last = (
        StateChange.objects.filter(
            proxy=each.proxy_id,
            setid=each.maintenance.setid,
            uri_key=uri_key(each.maintenance.uri),
            occurrence=0,
            at__gte=each.maintenance.begins_at,
        )
        .order_by("-at", "-pk")
        .first()
    )
    return last is not None and last.cause == Cause.PROBING


def _set_since(each: MaintenanceOnProxy) -> str:
    """Who set the state by the panel after it was taken out, empty for nobody but the maintenance itself."""
    later = StateResult.objects.filter(
        proxy=each.proxy_id, setid=each.maintenance.setid, outcome=StateOutcome.DONE
    ).exclude(run__actor__startswith="maintenance of ")
    if each.out_run_id is not None:
        later = later.filter(run_id__gt=each.out_run_id)
    key = uri_key(each.maintenance.uri)
    for result in later.select_related("run").order_by("-pk")[:AT_ONCE]:
        if uri_key(result.uri) == key:
            return result.run.actor
    return ""


def _finish(each: MaintenanceOnProxy, step: Phase, now: datetime, message: str) -> None:
    each.done_at = now
    _store(each, step, message)


@retried_on_lock
def _again(each: MaintenanceOnProxy, now: datetime, message: str, after: timedelta = AGAIN_AFTER) -> None:
    each.claimed_until = now + after
    each.message = message[:255]
    each.save(update_fields=["claimed_until", "message"])


@retried_on_lock
def _store(each: MaintenanceOnProxy, step: Phase, message: str) -> None:
    each.step, each.message, each.claimed_until = step, message[:255], None
    each.save()
    each.maintenance.save(update_fields=["changed_at"])
