"""Visits to proxies: an answer is parsed, reconciled with what is stored, and the plan applied at once.

The watcher visits, and so does the panel after it changed something there. Both may store at once: the
proxy's row is locked for the time of one store, and the answer to the later request wins, whichever comes
first.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from efcp.mi import MiError, NotMiError, Obstacle, TooSlowError, UnreachableError
from efcp.proxies.fan_out import Answer, NotSentError
from efcp.proxies.load_reports import partition_of, read_on
from efcp.proxies.loads import stored_load, write_load
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import (
    KnownDestination,
    KnownSet,
    Proxy,
    ProxyContact,
    ProxyLoad,
    TryOutcome,
)
from efcp.proxies.polling import Poll, Pulse
from efcp.proxies.reconcile import Continuity, ProxyAnswer, StoreOutcome, read, reconcile
from efcp.proxies.storing import apply, contact_state, lock_proxy, stored_rows

_STRANGER = "A different proxy answers at this address from time to time."


@dataclass(frozen=True, slots=True)
class VisitResult:
    """The result of a visit: what was stored, how many destinations changed, whether the proxy restarted.

    `problem` is why there is no usable answer, empty where there is one. `start` is the proxy's own text of
    its start, empty where it is not known.
    """

    outcome: StoreOutcome = StoreOutcome.STORED
    state_changes: int = 0
    problem: str = ""
    restarted: bool = False
    start: str = ""


@retried_on_lock
def visit(proxy: Proxy, answer: ProxyAnswer) -> VisitResult:
    """One visit: `answer` beside what is stored of `proxy` makes a plan, which is written in one transaction.

    `proxy` is the row as it was when the request was sent. The transaction is repeated when another process
    holds the lock; raises only what the database raises.
    """
    memory = answer.snapshot.memory
    with transaction.atomic():
        contact = _lock_contact(proxy)
        if contact is None:
            return VisitResult(StoreOutcome.PROXY_CHANGED)
        reading = read(contact_state(contact), answer, timezone.now())
        plan = reconcile(reading, answer, stored_rows(contact, reading, memory.partition))
        apply(contact, plan, memory)
        if reading.continuity is Continuity.STRANGER:
            return VisitResult(plan.outcome, problem=_STRANGER)
        for module, reports in answer.loads.items():
            partition = partition_of(module, memory.partition)
            write_load(
                proxy.pk, module, partition, read_on(stored_load(proxy.pk, module, partition), reports)
            )
    start = answer.identity.up_since_text if answer.identity else ""
    return VisitResult(
        plan.outcome, len(plan.history), restarted=reading.continuity is Continuity.RESTARTED, start=start
    )


def store_answer(answer: Answer[Poll] | Answer[Poll | Pulse]) -> VisitResult:
    """Store a proxy's answer or failure; raises only what the database raises.

    That a proxy still answers (a pulse) is not stored: its last list counts as fresh for its whole interval.
    """
    if answer.error is not None:
        problem = str(answer.error)
        outcome = store_failure(answer.proxy, problem, answer.requested_at, outcome_of(answer.error))
        return VisitResult(outcome, problem=problem)
    if isinstance(answer.value, Pulse):
        return VisitResult(start=answer.value.start)
    return visit(answer.proxy, answer.value)


@retried_on_lock
def store_failure(
    proxy: Proxy, problem: str, requested_at: datetime, outcome: TryOutcome = TryOutcome.UNUSABLE
) -> StoreOutcome:
    """Store that a request sent at `requested_at` got no usable answer; what is known of the memory stays."""
    with transaction.atomic():
        contact = _lock_contact(proxy)
        if contact is None:
            return StoreOutcome.PROXY_CHANGED
        if contact.requested_at is not None and requested_at < contact.requested_at <= timezone.now():
            return StoreOutcome.OUTDATED
        contact.attempted_at = requested_at
        contact.failing_since = contact.failing_since or requested_at
        contact.outcome = outcome
        contact.error = problem[:255]
        contact.save(update_fields=["attempted_at", "failing_since", "outcome", "error"])
    return StoreOutcome.STORED


def outcome_of(error: MiError) -> TryOutcome:
    """What a failed try is stored as."""
    match error:
        case UnreachableError(obstacle=Obstacle.REFUSED):
            return TryOutcome.REFUSED
        case UnreachableError():
            return TryOutcome.UNREACHABLE
        case TooSlowError():
            return TryOutcome.TOO_SLOW
        case NotMiError(status=None):
            return TryOutcome.CLOSED
        case NotSentError():
            return TryOutcome.NOT_SENT
    return TryOutcome.UNUSABLE


@retried_on_lock
def store_pace(proxy: Proxy, interval_s: float, plain_until: datetime | None) -> None:
    """Store how often the watcher asks `proxy`, and until when it asks it without `full`."""
    ProxyContact.objects.filter(proxy_id=proxy.pk).update(interval_s=interval_s, plain_until=plain_until)


@retried_on_lock
def store_events(proxy: Proxy, problem: str) -> None:
    """Store why `proxy` sends no events, empty where it does."""
    ProxyContact.objects.filter(proxy_id=proxy.pk).update(events_problem=problem[:255])


def forget(proxy: Proxy) -> None:
    """Delete what is known of `proxy`'s memory and contact, since it now names another proxy or partition.

    Call it inside the transaction of that change; the history stays.
    """
    for model in (KnownDestination, KnownSet, ProxyLoad, ProxyContact):
        model.objects.filter(proxy=proxy).delete()


def _lock_contact(proxy: Proxy) -> ProxyContact | None:
    """Lock the proxy's row and return its contact; None where it is not the proxy that was asked any more."""
    if not lock_proxy(proxy):
        return None
    contact, _created = ProxyContact.objects.get_or_create(proxy_id=proxy.pk)
    return contact
