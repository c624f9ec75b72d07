"""Reconciliation of unfinished runs: the process that waited for an answer ended, or no answer came.

A proxy that hung carries out what waits in its socket, seconds or a minute later. So a
request without an answer is decided by what is read back once the proxy answers again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from efcp.clock import moment_text
from efcp.modules.registry import ReloadOutcome
from efcp.operations.reloads.models import ReloadResult
from efcp.operations.runs import is_gone
from efcp.operations.states.models import StateOutcome, StateResult
from efcp.proxies.load_reports import partition_of
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import KnownState, ProxyContact, ProxyLoad
from efcp.proxies.selectors import LiveStates, live_states
from efcp.sip.uri import uri_key

EVERY_S = 2.0
AT_ONCE = 500
OPEN_FOR = timedelta(days=1)
"""How long after a request a proxy that does not answer is waited for."""

WHOLE_SECONDS = timedelta(seconds=1)
"""Proxies report their moments in whole seconds."""

CARRIED_OUT_WITHIN = timedelta(seconds=15)
"""Once a proxy answers again, how long it may take until what waited in its socket has been carried out."""

STOPPED_WAITING = "The panel was stopped while waiting for the reply."
STOPPED_BEFORE = "The panel was stopped before sending."


def reconcile(now: datetime) -> None:
    """Close what no process waits for any more, then decide what got no answer."""
    close_abandoned(now)
    reconcile_states(now)
    reconcile_reloads(now)


@retried_on_lock
def close_abandoned(now: datetime) -> int:
    """Close the open results whose process ended or whose deadline passed; return how many there were."""
    reloads = list(ReloadResult.objects.filter(ended_at=None).select_related("run")[:AT_ONCE])
    of_reloads = [each for each in reloads if each.deadline < now or is_gone(each.run.process)]
    for result in of_reloads:
        was_sent = result.outcome == ReloadOutcome.RUNNING
        result.outcome = ReloadOutcome.UNKNOWN if was_sent else ReloadOutcome.NOT_SENT
        result.message = STOPPED_WAITING if was_sent else STOPPED_BEFORE
        result.ended_at, result.running_key = now, None
        result.save(update_fields=["outcome", "message", "ended_at", "running_key"])
    waiting = StateResult.objects.filter(outcome=StateOutcome.WAITING).select_related("run")[:AT_ONCE]
    of_states = [each for each in waiting if each.deadline < now or is_gone(each.run.process)]
    for setting in of_states:
        setting.outcome, setting.message, setting.ended_at = StateOutcome.UNKNOWN, STOPPED_WAITING, now
    StateResult.objects.bulk_update(of_states, ["outcome", "message", "ended_at"], batch_size=100)
    return len(of_reloads) + len(of_states)


@retried_on_lock
def reconcile_states(now: datetime) -> int:
    """Decide state requests without an answer by a list read after them; return how many."""
    due = list(_answered_since(now))
    if not due:
        return 0
    listed = live_states((result.setid, uri_key(result.uri)) for result in due)
    contacts = {
        contact.proxy_id: contact
        for contact in ProxyContact.objects.filter(proxy__in={result.proxy_id for result in due})
    }
    for result in due:
        _reconcile_state(result, listed, contacts[result.proxy_id])
    fields = ["outcome", "message", "state_after", "answered_at", "reconciled_at"]
    StateResult.objects.bulk_update(due, fields, batch_size=100)
    return sum(result.reconciled_at is not None for result in due)


def unreconciled(results: QuerySet[StateResult]) -> QuerySet[StateResult]:
    """Those of `results` whose effect is not known yet: no answer came, or a cluster's member was not read.

    A member that held the state of before when it was read counts as well: it may replicate later.
    """
    is_unread = Q(state_after="") | Q(state_after=F("state_before"))
    of_members = Q(outcome=StateOutcome.THROUGH) & is_unread & ~Q(state_before=F("state_requested"))
    return results.filter(Q(outcome=StateOutcome.UNKNOWN) | of_members, reconciled_at=None)


def _answered_since(now: datetime) -> QuerySet[StateResult]:
    """What got no answer, and whose proxy was listed after the request was given up."""
    open_ones = unreconciled(StateResult.objects.filter(run__started_at__gt=now - OPEN_FOR))
    answered = Q(proxy__contact__requested_at__gt=F("ended_at"), proxy__partition=F("partition"))
    return open_ones.filter(answered).select_related("proxy")[:AT_ONCE]


def _reconcile_state(result: StateResult, listed: LiveStates, contact: ProxyContact) -> None:
    here = listed.get((result.setid, uri_key(result.uri)), {}).get(result.proxy_id)
    state, requested_at = here[0].state if here else "", contact.requested_at
    result.answered_at = result.answered_at or requested_at
    if result.outcome == StateOutcome.THROUGH:
        if state == result.state_before and _may_still_change(result, requested_at):
            return
        result.state_after = state
        later = f"State at a later read: {state}." if state else "It no longer has it."
        result.message = f"{result.message} {later}".strip()
    elif not state:
        result.message = "No reply, and the proxy no longer has it."
    elif state == result.state_requested:
        result.outcome, result.state_after = StateOutcome.DONE, state
        result.message = f"No reply. State at a later read: {state}."
    elif state != result.state_before or result.state_requested == KnownState.PROBING:
        result.state_after = state
        result.message = f"No reply. State at a later read: {state}; what set it is unknown."
    elif _may_still_change(result, requested_at):
        return
    else:
        result.outcome, result.state_after = StateOutcome.NO_EFFECT, state
        result.message = f"No reply, and the state was still {state} later."
    result.reconciled_at = timezone.now()


def _may_still_change(result: StateResult, requested_at: datetime | None) -> bool:
    """Whether the list came too soon after the proxy answered again to decide that nothing changed."""
    first = result.answered_at
    return requested_at is None or first is None or requested_at < first + CARRIED_OUT_WITHIN


@retried_on_lock
def reconcile_reloads(now: datetime) -> int:
    """Decide reloads without an answer by the proxy's later reports of loading; return how many."""
    due = list(
        ReloadResult.objects.filter(
            outcome=ReloadOutcome.UNKNOWN,
            reconciled_at=None,
            ended_at__isnull=False,
            run__started_at__gt=now - OPEN_FOR,
        ).select_related("run", "proxy")[:AT_ONCE]
    )
    for result in due:
        load = _load_reported_since(result)
        if load is not None:
            _reconcile_reload(result, load)
            result.save(
                update_fields=["outcome", "message", "loaded", "discarded", "answered_at", "reconciled_at"]
            )
    return sum(result.reconciled_at is not None for result in due)


def _load_reported_since(result: ReloadResult) -> ProxyLoad | None:
    """The proxy's last load, as it reported after the reload was given up."""
    module = result.run.module
    return ProxyLoad.objects.filter(
        proxy=result.proxy,
        module=module,
        partition=partition_of(module, result.proxy.partition),
        reports_requested_at__gt=result.ended_at,
    ).first()


def _reconcile_reload(result: ReloadResult, load: ProxyLoad) -> None:
    sent_at = result.run.started_at - WHOLE_SECONDS
    requested_at = load.reports_requested_at or timezone.now()
    result.answered_at = result.answered_at or requested_at
    if load.started_at is not None and load.started_at >= sent_at:
        later = _later_reload(result, load.started_at)
        if not later:
            result.outcome = ReloadOutcome.DONE
            result.loaded, result.discarded = load.loaded, load.discarded
            result.message = f"No reply in time. The proxy reports a load at {moment_text(load.started_at)}."
        else:
            result.message = f"No reply, and a later reload by {later} hides the result."
    elif load.failed_at is not None and load.failed_at >= sent_at:
        result.outcome = ReloadOutcome.REFUSED
        result.message = "No reply in time. The proxy reports that the load failed; it keeps the old table."
    elif requested_at < result.answered_at + CARRIED_OUT_WITHIN:
        return
    else:
        result.outcome = ReloadOutcome.NO_EFFECT
        result.message = "No reply, and the proxy reports no load since."
    result.reconciled_at = timezone.now()


def _later_reload(result: ReloadResult, started_at: datetime) -> str:
    """Who reloaded the proxy after this reload and before that load began; empty for nobody."""
    later = ReloadResult.objects.filter(
        proxy=result.proxy,
        run__module=result.run.module,
        run__started_at__gt=result.run.started_at,
        run__started_at__lte=started_at + WHOLE_SECONDS,
    ).exclude(outcome__in=(ReloadOutcome.NOT_SENT, ReloadOutcome.NOT_REACHED))
    return later.order_by("pk").values_list("run__actor", flat=True).first() or ""


def is_unreconciled(results: Sequence[StateResult], now: datetime) -> bool:
    """Whether a later list may still decide some result: the same rule as `unreconciled`."""
    return any(
        result.reconciled_at is None
        and result.deadline > now - OPEN_FOR
        and (result.outcome == StateOutcome.UNKNOWN or _is_unread_member(result))
        for result in results
    )


def _is_unread_member(result: StateResult) -> bool:
    is_unread = result.state_after in {"", result.state_before}
    return (
        result.outcome == StateOutcome.THROUGH and is_unread and result.state_before != result.state_requested
    )
