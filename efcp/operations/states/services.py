"""Setting live states on proxies, and reading them back."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from dispatcher.models import Destination
from efcp.audit.services import Actor, Subject, record
from efcp.mi import DestinationState, MiClient, MiError, RefusedError
from efcp.operations.models import StateOutcome, StateResult, StateRun
from efcp.proxies.asking import Answer, Target, ask_all, target_of
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import Proxy, State
from efcp.proxies.polling import Poll, Question, store_answer
from efcp.proxies.selectors import live_states
from efcp.sip.uri import uri_key

LIMIT_S = 3.0
DEADLINE = timedelta(seconds=20)
WATCH_FOR = timedelta(seconds=30)
"""How long a probe that was under way may still turn back what was set inactive: tm's fr_timeout."""
_MI_STATES = {
    State.ACTIVE: DestinationState.ACTIVE,
    State.INACTIVE: DestinationState.INACTIVE,
    State.PROBING: DestinationState.PROBING,
}


@dataclass(frozen=True, slots=True)
class Begun:
    """The run, and an event that is set when every proxy has answered and was read back."""

    run: StateRun
    ended: threading.Event


@dataclass(frozen=True, slots=True)
class _Told:
    """What one proxy said to its calls, by result id, and what it holds after them."""

    outcomes: dict[int, tuple[StateOutcome, str]]
    poll: Poll | MiError


def begin(
    rows: Sequence[Destination], state: State, proxies: Sequence[Proxy], actor: Actor, reason: str = ""
) -> Begun:
    """Set `state` of these rows on these proxies: all proxies at once, each under a limit of its own.

    A destination that a proxy does not hold is told, not sent. Returns at once.
    """
    run, results = _create(rows, state, proxies, actor, reason)
    ended = threading.Event()
    threading.Thread(target=_carry_out, args=(run, results, ended), name="set-state", daemon=True).start()
    return Begun(run, ended)


@retried_on_lock
def _create(
    rows: Sequence[Destination], state: State, proxies: Sequence[Proxy], actor: Actor, reason: str
) -> tuple[StateRun, list[StateResult]]:
    now = timezone.now()
    held = live_states((row.setid, uri_key(row.destination)) for row in rows)
    with transaction.atomic():
        run = StateRun.objects.create(started_at=now, actor=actor.name, state=state, reason=reason)
        results = []
        for row in rows:
            by_proxy = held.get((row.setid, uri_key(row.destination)), {})
            before = {proxy: by_proxy[proxy.pk][0].state for proxy in proxies if proxy.pk in by_proxy}
            for proxy in proxies:
                result = StateResult(
                    run=run,
                    proxy=proxy,
                    setid=row.setid,
                    uri=row.destination,
                    state_before=before.get(proxy, ""),
                    outcome=StateOutcome.WAITING if proxy in before else StateOutcome.NOT_HELD,
                    deadline=now + DEADLINE,
                )
                result.save(force_insert=True)
                results.append(result)
            record(
                actor,
                "state",
                Subject("dispatcher", str(row.pk), f"{row.destination} in set {row.setid}"),
                before=None,
                after={"live state": state.value, "proxies": [proxy.name for proxy in before]},
                reason=reason,
            )
    return run, results


def _carry_out(run: StateRun, results: Sequence[StateResult], ended: threading.Event) -> None:
    try:
        by_proxy: dict[int, list[StateResult]] = defaultdict(list)
        for result in results:
            if result.outcome == StateOutcome.WAITING:
                by_proxy[result.proxy_id].append(result)
        targets = [target_of(of_proxy[0].proxy) for of_proxy in by_proxy.values()]

        def question(client: MiClient, target: Target) -> _Told:
            return _tell(client, target, State(run.state), by_proxy[target.proxy.pk])

        for answer in ask_all(targets, question, LIMIT_S):
            _store(answer, by_proxy[answer.proxy.pk])
    finally:
        connection.close()
        ended.set()


def _tell(client: MiClient, target: Target, state: State, results: Sequence[StateResult]) -> _Told:
    """Send the calls of one proxy, one after the other; the first that gets no answer ends it."""
    outcomes: dict[int, tuple[StateOutcome, str]] = {}
    for result in results:
        try:
            client.ds_set_state(_MI_STATES[state], result.setid, result.uri, partition=target.partition)
            outcomes[result.pk] = (StateOutcome.DONE, "")
        except RefusedError as error:
            outcomes[result.pk] = (StateOutcome.REFUSED, str(error))
        except MiError as error:
            failed = StateOutcome.UNKNOWN if error.may_have_run else StateOutcome.FAILED
            outcomes[result.pk] = (failed, str(error))
            break
    poll: Poll | MiError
    try:
        poll = Question(partition=target.partition, full=True, identity=False)(client)
    except MiError as error:
        poll = error
    return _Told(outcomes, poll)


@retried_on_lock
def _store(answer: Answer[_Told], results: Sequence[StateResult]) -> None:
    """Store what one proxy said, and the states that it holds after it."""
    if answer.error is not None:
        told = _Told(
            {result.pk: (StateOutcome.FAILED, str(answer.error)) for result in results}, answer.error
        )
    else:
        told = answer.value
    store_answer(Answer(answer.proxy, told.poll, answer.asked_at, answer.took))
    after = live_states((result.setid, uri_key(result.uri)) for result in results)
    for result in results:
        outcome, message = told.outcomes.get(
            result.pk, (StateOutcome.NOT_TRIED, "The proxy did not answer the call before this one.")
        )
        held = after.get((result.setid, uri_key(result.uri)), {}).get(answer.proxy.pk, ())
        read_back = held[0].state if held and not isinstance(told.poll, MiError) else ""
        StateResult.objects.filter(pk=result.pk).update(
            outcome=outcome, message=message[:255], state_after=read_back
        )
