"""Setting live states on proxies, and reading them back."""

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from dispatcher.models import Destination
from dispatcher.services import Values, subject
from efcp.audit.services import Actor, record
from efcp.mi import DestinationState, MiClient, MiError, RefusedError
from efcp.operations.models import StateOutcome, StateResult, StateRun
from efcp.operations.threads import ask_and_store, in_background
from efcp.proxies.asking import Answer, NotAskedError, Target, ask, target_of
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import Proxy, ProxyContact, State
from efcp.proxies.polling import Poll, Question, store_answer
from efcp.proxies.selectors import LiveStates, live_states
from efcp.sip.uri import uri_key

LIMIT_S = 3.0
"""The limit on each call."""

CALLS_S = 15.0
"""After how long no further call is sent to a proxy that answers, but slowly."""

CALLS_AT_ONCE = 16
"""Calls under way to one proxy at a time: a distant one would need too long for many one after the other."""

DEADLINE = timedelta(seconds=CALLS_S + 3 * LIMIT_S + 5)
"""The calls, the last of them still under way, the list (twice where `full` is too large), and storing."""

FR_TIMEOUT = timedelta(seconds=30)
"""How long a transaction lasts on a proxy whose tm's fr_timeout is not set otherwise."""

WATCH_FOR = FR_TIMEOUT + timedelta(seconds=5)
"""How long a probe that was under way may still turn back what was set inactive, and the watcher see it."""

_MI_STATES = {
    State.ACTIVE: DestinationState.ACTIVE,
    State.INACTIVE: DestinationState.INACTIVE,
    State.PROBING: DestinationState.PROBING,
}


@dataclass(frozen=True, slots=True)
class Begun:
    """The run, whether this call began it, and an event that is set when every proxy was read back."""

    run: StateRun
    is_new: bool
    ended: threading.Event


@dataclass(frozen=True, slots=True)
class _Told:
    """What one proxy said to its calls, by result id, and what it holds after them."""

    target: Target
    outcomes: Mapping[int, tuple[StateOutcome, str]]
    read_back: Answer[Poll]


def begin(
    rows: Sequence[Destination],
    state: State,
    proxies: Sequence[Proxy],
    actor: Actor,
    reason: str = "",
    form_key: str = "",
) -> Begun:
    """Set `state` of these rows on these proxies: all proxies at once, each call under a limit of its own.

    Of rows with one set and URI the proxy changes the first: they count as one. A destination that a proxy
    is known not to hold is told, not sent. `form_key` names the form that was shown: where the very same was
    sent from it before, that run is returned and nothing is sent again. Returns at once.
    """
    distinct = _distinct(rows)
    sent_key = _sent_key(form_key, distinct, state, proxies) if form_key else None
    try:
        run = _create(distinct, state, proxies, actor, reason, sent_key)
    except IntegrityError:
        former = StateRun.objects.filter(sent_key=sent_key).first() if sent_key else None
        if former is None:
            raise
        return Begun(former, False, threading.Event())
    by_proxy: dict[int, list[StateResult]] = defaultdict(list)
    for result in run.results.filter(outcome=StateOutcome.WAITING).select_related("proxy"):
        by_proxy[result.proxy_id].append(result)
    targets = [target_of(results[0].proxy) for results in by_proxy.values()]

    def carry_out() -> None:
        ask_and_store(
            targets,
            lambda target: _tell(target, state, by_proxy[target.proxy.pk]),
            lambda told: _store(told, by_proxy[told.target.proxy.pk]),
        )

    return Begun(run, True, in_background(carry_out, "set-state"))


def _distinct(rows: Sequence[Destination]) -> list[Destination]:
    """One row of each set and URI: a second call would change the same destination once more."""
    found: dict[tuple[int, str], Destination] = {}
    for row in rows:
        found.setdefault((row.setid, uri_key(row.destination)), row)
    return list(found.values())


def _sent_key(form_key: str, rows: Sequence[Destination], state: State, proxies: Sequence[Proxy]) -> str:
    """The same for the same choice out of the same form: who goes back and chooses otherwise is served."""
    chosen = (form_key, str(state), sorted(row.pk for row in rows), sorted(proxy.pk for proxy in proxies))
    return hashlib.sha256(repr(chosen).encode()).hexdigest()


@retried_on_lock
def _create(
    rows: Sequence[Destination],
    state: State,
    proxies: Sequence[Proxy],
    actor: Actor,
    reason: str,
    sent_key: str | None,
) -> StateRun:
    held = live_states((row.setid, uri_key(row.destination)) for row in rows)
    listed = set(
        ProxyContact.objects.filter(proxy__in=proxies, asked_at__isnull=False).values_list(
            "proxy_id", flat=True
        )
    )
    now = timezone.now()
    with transaction.atomic():
        run = StateRun.objects.create(
            started_at=now, actor=actor.name, state=state, reason=reason, sent_key=sent_key
        )
        results = []
        for row in rows:
            of_row = [_result(run, row, proxy, held, listed) for proxy in proxies]
            _record(row, of_row, actor)
            results.extend(of_row)
        StateResult.objects.bulk_create(results, batch_size=500)
    return run


def _result(run: StateRun, row: Destination, proxy: Proxy, held: LiveStates, listed: set[int]) -> StateResult:
    """The result to be: waiting, or not held by a proxy whose list is known."""
    here = held.get((row.setid, uri_key(row.destination)), {}).get(proxy.pk)
    is_sent = here is not None or proxy.pk not in listed
    return StateResult(
        run=run,
        proxy=proxy,
        setid=row.setid,
        uri=row.destination,
        state_before=here[0].state if here else "",
        outcome=StateOutcome.WAITING if is_sent else StateOutcome.NOT_HELD,
        deadline=run.started_at + DEADLINE,
    )


def _record(row: Destination, results: Sequence[StateResult], actor: Actor) -> None:
    sent = [result for result in results if result.outcome == StateOutcome.WAITING]
    if not sent:
        return
    run = sent[0].run
    record(
        actor,
        "state",
        subject(row.pk, Values.of(row)),
        before={f"live state on {result.proxy.name}": result.state_before or None for result in sent},
        after={f"live state on {result.proxy.name}": run.state for result in sent},
        reason=run.reason,
    )


def _tell(target: Target, state: State, results: Sequence[StateResult]) -> _Told:
    """Send the calls of one proxy, then read it back; runs without the database."""
    if isinstance(target.endpoint, NotAskedError):
        problem = str(target.endpoint)
        failed = {result.pk: (StateOutcome.FAILED, problem) for result in results}
        return _Told(target, failed, Answer(target.proxy, target.endpoint, datetime.now(UTC), 0.0))
    outcomes = _set_all(MiClient(target.endpoint, timeout=LIMIT_S), target, state, results)
    question = Question(partition=target.partition)
    return _Told(target, outcomes, ask(target, question, LIMIT_S))


def _set_all(
    client: MiClient, target: Target, state: State, results: Sequence[StateResult]
) -> dict[int, tuple[StateOutcome, str]]:
    """What came of each call, by result id; absent is what was not sent.

    The first that gets no answer lets no further one begin, so that a silent proxy costs one limit and not
    one for each destination.
    """
    is_silent = threading.Event()
    until = time.monotonic() + CALLS_S

    def set_one(result: StateResult) -> tuple[StateOutcome, str] | None:
        if is_silent.is_set() or time.monotonic() > until:
            return None
        outcome, message = _set(client, target, state, result)
        if outcome in {StateOutcome.FAILED, StateOutcome.UNKNOWN}:
            is_silent.set()
        return outcome, message

    with ThreadPoolExecutor(min(len(results), CALLS_AT_ONCE), thread_name_prefix="mi") as pool:
        told = zip(results, pool.map(set_one, results), strict=True)
        return {result.pk: outcome for result, outcome in told if outcome is not None}


def _set(client: MiClient, target: Target, state: State, result: StateResult) -> tuple[StateOutcome, str]:
    try:
        client.ds_set_state(_MI_STATES[state], result.setid, result.uri, partition=target.partition)
    except RefusedError as error:
        return StateOutcome.REFUSED, str(error)
    except MiError as error:
        return (StateOutcome.UNKNOWN if error.may_have_run else StateOutcome.FAILED), str(error)
    return StateOutcome.DONE, ""


@retried_on_lock
def _store(told: _Told, results: Sequence[StateResult]) -> None:
    """Store what one proxy said, and the states that it holds after it."""
    is_read_back = not store_answer(told.read_back).problem
    after = live_states((result.setid, uri_key(result.uri)) for result in results) if is_read_back else {}
    unsent = (StateOutcome.NOT_TRIED, "Not sent: the proxy did not answer the calls before this one in time.")
    for result in results:
        held = after.get((result.setid, uri_key(result.uri)), {}).get(told.target.proxy.pk)
        result.outcome, message = told.outcomes.get(result.pk, unsent)
        result.message = message[:255]
        result.state_after = held[0].state if held else ""
    StateResult.objects.bulk_update(results, ["outcome", "message", "state_after"], batch_size=100)
