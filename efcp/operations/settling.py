"""Settling what a run left open: the process that waited for an answer ended, or no answer came.

A proxy that hung carries out what waits in its socket, seconds or a minute later. So a
request without an answer is settled by what is read back once the proxy answers again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from efcp.operations.models import ReloadOutcome, ReloadResult, StateOutcome, StateResult
from efcp.operations.processes import is_gone
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import ProxyContact, State
from efcp.proxies.selectors import LiveStates, live_states
from efcp.sip.uri import uri_key

EVERY_S = 2.0
AT_ONCE = 500
OPEN_FOR = timedelta(days=1)
"""How long after a request a proxy that does not answer is waited for."""

CARRIED_OUT_WITHIN = timedelta(seconds=15)
"""Once a proxy answers again, how long it may take until what waited in its socket has been carried out."""

STOPPED_WAITING = "The panel was stopped while it waited for the answer."
STOPPED_BEFORE = "The panel was stopped before it was sent."


def settle(now: datetime) -> None:
    """Close what nobody waits for any more, then settle what got no answer."""
    close_abandoned(now)
    settle_states(now)


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
def settle_states(now: datetime) -> int:
    """Settle settings of states without an answer by a list asked for after them; return how many."""
    due = list(_answered_since(now))
    if not due:
        return 0
    held = live_states((result.setid, uri_key(result.uri)) for result in due)
    contacts = {
        contact.proxy_id: contact
        for contact in ProxyContact.objects.filter(proxy__in={result.proxy_id for result in due})
    }
    for result in due:
        _settle(result, held, contacts[result.proxy_id])
    fields = ["outcome", "message", "state_after", "answered_at", "settled_at"]
    StateResult.objects.bulk_update(due, fields, batch_size=100)
    return sum(result.settled_at is not None for result in due)


def unsettled(results: QuerySet[StateResult]) -> QuerySet[StateResult]:
    """Those of `results` that got no answer and are not settled yet."""
    return results.filter(outcome=StateOutcome.UNKNOWN, settled_at=None)


def _answered_since(now: datetime) -> QuerySet[StateResult]:
    """What got no answer, and whose proxy gave a list that was asked for after the request was given up."""
    open_ones = unsettled(StateResult.objects.filter(run__started_at__gt=now - OPEN_FOR))
    answered = Q(proxy__contact__asked_at__gt=F("ended_at"), proxy__partition=F("partition"))
    return open_ones.filter(answered).select_related("proxy")[:AT_ONCE]


def _settle(result: StateResult, held: LiveStates, contact: ProxyContact) -> None:
    here = held.get((result.setid, uri_key(result.uri)), {}).get(result.proxy_id)
    state, asked_at = here[0].state if here else "", contact.asked_at
    result.answered_at = result.answered_at or asked_at
    if not state:
        result.message = "No answer came, and the proxy does not hold it any more."
    elif state == result.state_wanted:
        result.outcome, result.state_after = StateOutcome.DONE, state
        result.message = f"No answer came. The proxy held it as {state} when it was read later."
    elif state != result.state_before or result.state_wanted == State.PROBING:
        result.state_after = state
        result.message = f"No answer came. The proxy held it as {state} later: what set that is not known."
    elif asked_at is None or asked_at < result.answered_at + CARRIED_OUT_WITHIN:  # type: ignore[operator]
        return
    else:
        result.outcome, result.state_after = StateOutcome.NO_EFFECT, state
        result.message = f"No answer came, and the proxy still held it as {state} later."
    result.settled_at = timezone.now()


def is_settling(results: Sequence[StateResult], now: datetime) -> bool:
    """Whether some result may still be settled by a later list."""
    return any(
        result.outcome == StateOutcome.UNKNOWN
        and result.settled_at is None
        and result.deadline > now - OPEN_FOR
        for result in results
    )
