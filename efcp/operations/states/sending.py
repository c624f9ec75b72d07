"""Sending states to proxies over MI and reading them back: in threads, without the database.

The proxies of one cluster replicate states among themselves, so a state is sent to one of them only: each
further call of "probing" would count as one more failure.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from efcp.mi import ListedState, MiClient, MiError, RefusedError
from efcp.operations.states.models import StateOutcome, StateResult
from efcp.proxies.fan_out import Answer, NotSentError, Target, ask
from efcp.proxies.models import KnownState
from efcp.proxies.polling import Poll, PollRequest
from efcp.sip.uri import uri_key

LIMIT_S = 3.0
"""The limit on each call."""

CALLS_S = 15.0
"""After how long no further call is sent to a proxy that answers slowly, nor to others of its cluster."""

CALLS_AT_ONCE = 16
"""Calls under way to one proxy at a time: a distant one would need too long for many one after the other."""

REREAD_AFTER_S = (0.3, 0.7, 1.5)
"""Pauses before members of a cluster are read again that do not hold the state yet."""

MOST_S = CALLS_S + LIMIT_S + 2 * LIMIT_S + sum(REREAD_AFTER_S) + len(REREAD_AFTER_S) * 2 * LIMIT_S
"""The calls, the last of them still under way, and each list (read twice where `full` is too large)."""

_MI_STATES = {
    KnownState.ACTIVE: ListedState.ACTIVE,
    KnownState.INACTIVE: ListedState.INACTIVE,
    KnownState.PROBING: ListedState.PROBING,
}
_UNSENT = "Not sent: the proxy did not answer earlier requests in time."

Key = tuple[int, str]
"""Set and URI key."""


@dataclass(frozen=True, slots=True)
class ReplicationGroup:
    """One proxy, or the members of one cluster in the order of the attempts.

    `results` are those to send, by proxy id: each names its destination and the target state.
    """

    targets: tuple[Target, ...]
    results: Mapping[int, Sequence[StateResult]]

    def all_results(self) -> list[StateResult]:
        """The results of all members."""
        return [result for target in self.targets for result in self.results.get(target.proxy.pk, ())]


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The outcome of one result; `through` is the id of the member that got the call in its place."""

    outcome: StateOutcome
    message: str = ""
    through: int | None = None


@dataclass(frozen=True, slots=True)
class GroupReply:
    """The outcome of each call to a group, by result id, and what each member holds after them."""

    group: ReplicationGroup
    outcomes: Mapping[int, CallOutcome]
    read_back: Sequence[Answer[Poll]]


@dataclass(frozen=True, slots=True)
class _Delivered:
    """The member that a destination's call was sent to and may have reached."""

    target: Target
    outcome: CallOutcome


def send_to_group(group: ReplicationGroup) -> GroupReply:
    """Send each destination's state to one member of the group, then read all members back.

    The next member is sent only what certainly did not run on the one before.
    """
    until = time.monotonic() + CALLS_S
    outcomes: dict[int, CallOutcome] = {}
    delivered: dict[Key, _Delivered] = {}
    for target in group.targets:
        due = [each for each in group.results.get(target.proxy.pk, ()) if _key(each) not in delivered]
        sent = _set_all(target, due, until)
        outcomes |= sent
        delivered |= {
            _key(each): _Delivered(target, sent[each.pk])
            for each in due
            if each.pk in sent and sent[each.pk].outcome is not StateOutcome.FAILED
        }
    for target in group.targets:
        for result in group.results.get(target.proxy.pk, ()):
            outcomes[result.pk] = _outcome(target, outcomes.get(result.pk), delivered.get(_key(result)))
    return GroupReply(group, outcomes, _read_back(group, delivered))


def _outcome(target: Target, own: CallOutcome | None, delivered: _Delivered | None) -> CallOutcome:
    """The outcome of a result, by its own call or by the one to another member of its cluster."""
    if delivered is None:
        return own or CallOutcome(StateOutcome.NOT_ATTEMPTED, _UNSENT)
    sender = delivered.target.proxy
    if sender.pk == target.proxy.pk:
        return delivered.outcome
    if delivered.outcome.outcome is StateOutcome.REFUSED:
        return CallOutcome(
            StateOutcome.NOT_ATTEMPTED, f"Not sent: {sender.name}, in the same cluster, refused it."
        )
    return CallOutcome(StateOutcome.THROUGH, own.message if own else "", sender.pk)


def _set_all(target: Target, results: Sequence[StateResult], until: float) -> dict[int, CallOutcome]:
    """The outcome of each call, by result id; absent is what was not sent.

    The first that gets no answer lets no further one begin, so that a silent proxy costs one limit and not
    one for each destination.
    """
    if not results:
        return {}
    endpoint = target.endpoint
    if isinstance(endpoint, NotSentError):
        return {result.pk: CallOutcome(StateOutcome.FAILED, str(endpoint)) for result in results}
    client = MiClient(endpoint, timeout=LIMIT_S)
    is_silent = threading.Event()

    def set_one(result: StateResult) -> CallOutcome | None:
        if is_silent.is_set() or time.monotonic() > until:
            return None
        outcome = _set(client, target, result)
        if outcome.outcome in {StateOutcome.FAILED, StateOutcome.UNKNOWN}:
            is_silent.set()
        return outcome

    with ThreadPoolExecutor(min(len(results), CALLS_AT_ONCE), thread_name_prefix="mi") as pool:
        sent = zip(results, pool.map(set_one, results), strict=True)
        return {result.pk: outcome for result, outcome in sent if outcome is not None}


def _set(client: MiClient, target: Target, result: StateResult) -> CallOutcome:
    state = _MI_STATES[KnownState(result.state_requested)]
    try:
        client.ds_set_state(state, result.setid, result.uri, partition=target.partition)
    except RefusedError as error:
        return CallOutcome(StateOutcome.REFUSED, str(error))
    except MiError as error:
        return CallOutcome(StateOutcome.UNKNOWN if error.may_have_run else StateOutcome.FAILED, str(error))
    return CallOutcome(StateOutcome.DONE)


def _read_back(group: ReplicationGroup, delivered: Mapping[Key, _Delivered]) -> list[Answer[Poll]]:
    """The list of each member; read again, a few times, where the state was not replicated yet."""
    answers = dict(zip(group.targets, _read(group.targets), strict=True))
    if len(group.targets) == 1:
        return list(answers.values())
    for pause_s in REREAD_AFTER_S:
        behind = _behind(answers, delivered)
        if not behind:
            break
        time.sleep(pause_s)
        answers |= zip(behind, _read(behind), strict=True)
    return list(answers.values())


def _read(targets: Sequence[Target]) -> list[Answer[Poll]]:
    def read(target: Target) -> Answer[Poll]:
        if isinstance(target.endpoint, NotSentError):
            return Answer(target.proxy, target.endpoint, datetime.now(UTC), 0.0)
        return ask(target, PollRequest(partition=target.partition), LIMIT_S)

    with ThreadPoolExecutor(len(targets), thread_name_prefix="mi") as pool:
        return list(pool.map(read, targets))


def _behind(answers: Mapping[Target, Answer[Poll]], delivered: Mapping[Key, _Delivered]) -> list[Target]:
    """The members that hold another state of some destination than the member that got the call."""
    found = {target: _states(answer) for target, answer in answers.items()}
    expected = {
        key: found[each.target][key]
        for key, each in delivered.items()
        if each.outcome.outcome is StateOutcome.DONE and key in found[each.target]
    }
    return [
        target
        for target, states in found.items()
        if any(states.get(key, state) != state for key, state in expected.items())
    ]


def _states(answer: Answer[Poll]) -> dict[Key, KnownState]:
    """The state of the first destination of each identity; none where nothing usable was read."""
    if answer.error is not None:
        return {}
    destinations = answer.value.snapshot.memory.destinations
    return {
        (each.setid, each.uri_key): KnownState(each.state) for each in destinations if not each.occurrence
    }


def _key(result: StateResult) -> Key:
    return result.setid, uri_key(result.uri)
