"""Setting live states on proxies, and reading them back."""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.services import subject
from efcp.audit.services import Actor, Subject, record, stored_despite
from efcp.operations.runs import RunHandle, this_process
from efcp.operations.states import results, sending
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.operations.states.selectors import group_key, replication_groups
from efcp.proxies.fan_out import fan_out, in_background, target_of
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import KnownState, Proxy, ProxyContact
from efcp.proxies.selectors import LiveStates, live_states
from efcp.proxies.visits import store_answer
from efcp.sip.uri import uri_key

DEADLINE = timedelta(seconds=sending.MOST_S + 5)
"""Sending and reading back, and storing."""


@dataclass(frozen=True, slots=True)
class _TargetState:
    """The state that a destination is to have on a proxy; `left` is why it is left as it is."""

    row: Destination
    proxy: Proxy
    state: str
    left: str = ""


def begin(
    rows: Sequence[Destination],
    state: KnownState,
    proxies: Sequence[Proxy],
    actor: Actor,
    reason: str = "",
    form_key: str = "",
    store: Callable[[StateRun], None] = lambda _run: None,
) -> RunHandle[StateRun]:
    """Set `state` of these rows on these proxies: all proxies at once, each call under a limit of its own.

    Of rows with one set and URI the proxy changes the first: they count as one. A row without an id stands
    for a destination that only proxies hold. A destination that a proxy is known not to hold is
    reported, not sent. We send to one member of a cluster, whichever are named, and read back all.
    `form_key` names the form that was shown: where the very same was sent from it before, that run is
    returned and nothing is sent again. `store` is called in the transaction of a new run. Returns at once.
    """
    distinct = _distinct(rows)
    sent_key = _sent_key(form_key, distinct, state, proxies) if form_key else None
    run = StateRun(
        started_at=timezone.now(),
        actor=actor.name,
        state=state,
        reason=reason,
        sent_key=sent_key,
        process=this_process(),
    )
    reached = [proxy for group in replication_groups(proxies) for proxy in group]
    targets = [_TargetState(row, proxy, state) for row in distinct for proxy in reached]
    return _begin(
        run,
        targets,
        actor,
        lambda: StateRun.objects.filter(sent_key=sent_key).first() if sent_key else None,
        store,
    )


def undo(
    run: StateRun, actor: Actor, reason: str = "", store: Callable[[StateRun], None] = lambda _run: None
) -> RunHandle[StateRun]:
    """Put back the states that were before `run`, where it set them and nothing else changed them since.

    A run is undone once: the run that did so is returned for every further call. Returns at once.
    """
    undoing_run = StateRun(
        started_at=timezone.now(), actor=actor.name, reason=reason, undoes=run, process=this_process()
    )
    return _begin(
        undoing_run,
        _targets_of_undo(results.undo_steps(run)),
        actor,
        lambda: StateRun.objects.filter(undoes=run).first(),
        store,
    )


def _targets_of_undo(steps: Sequence[results.UndoStep]) -> list[_TargetState]:
    """Each step, with the other members of its proxy's cluster, which are read back with it."""
    rows = _rows_of(steps)
    members = {
        group_key(group[0]): group for group in replication_groups(step.result.proxy for step in steps)
    }
    found: dict[tuple[int, str, int], _TargetState] = {}
    for step in steps:
        proxy, key = step.result.proxy, uri_key(step.result.uri)
        reached = [proxy] if step.left else members.get(group_key(proxy), [proxy])
        for member in reached:
            row = rows[step.result.setid, step.result.uri]
            found.setdefault((row.setid, key, member.pk), _TargetState(row, member, step.target, step.left))
    return list(found.values())


def _rows_of(steps: Iterable[results.UndoStep]) -> dict[tuple[int, str], Destination]:
    """The table's rows of these destinations; one without an id for what the table does not hold."""
    pairs = {(step.result.setid, step.result.uri) for step in steps}
    rows = Destination.objects.filter(
        setid__in={setid for setid, _uri in pairs}, destination__in={uri for _setid, uri in pairs}
    )
    by_identity = {(row.setid, row.destination): row for row in rows.order_by("-id")}
    return {
        (setid, uri): by_identity.get((setid, uri)) or Destination(setid=setid, destination=uri)
        for setid, uri in pairs
    }


def _begin(
    run: StateRun,
    targets: Sequence[_TargetState],
    actor: Actor,
    former: Callable[[], StateRun | None],
    store: Callable[[StateRun], None],
) -> RunHandle[StateRun]:
    """Store the run and execute it; return the `former` one where this was requested before."""
    try:
        _create(run, targets, actor, store)
    except IntegrityError:
        sent_before = former()
        if sent_before is None:
            raise
        return RunHandle(sent_before, False, threading.Event())
    except (OperationalError, InterfaceError) as error:
        if stored_despite(error, actor) is None:
            raise
    # Nothing is read between COMMIT and this: a connection lost there would leave the run without its work.
    return RunHandle(run, True, in_background(lambda: _execute(run), "set-state"))


def _execute(run: StateRun) -> None:
    fan_out(_groups_to_send(run), sending.send_to_group, _store)


def _groups_to_send(run: StateRun) -> list[sending.ReplicationGroup]:
    """What is to be sent, by replication group."""
    results: dict[int, list[StateResult]] = defaultdict(list)
    for result in run.results.filter(outcome=StateOutcome.WAITING).select_related("proxy"):
        results[result.proxy_id].append(result)
    return [
        sending.ReplicationGroup(tuple(target_of(proxy) for proxy in group if proxy.pk in results), results)
        for group in replication_groups(of_proxy[0].proxy for of_proxy in results.values())
    ]


def _distinct(rows: Sequence[Destination]) -> list[Destination]:
    """One row of each set and URI: a second call would change the same destination once more."""
    found: dict[tuple[int, str], Destination] = {}
    for row in rows:
        found.setdefault((row.setid, uri_key(row.destination)), row)
    return list(found.values())


def _sent_key(form_key: str, rows: Sequence[Destination], state: KnownState, proxies: Sequence[Proxy]) -> str:
    """The same for the same choice out of the same form: who goes back and chooses otherwise is served."""
    destinations = sorted((row.setid, uri_key(row.destination)) for row in rows)
    chosen = (form_key, str(state), destinations, sorted(proxy.pk for proxy in proxies))
    return hashlib.sha256(repr(chosen).encode()).hexdigest()


@retried_on_lock
def _create(
    run: StateRun, targets: Sequence[_TargetState], actor: Actor, store: Callable[[StateRun], None]
) -> None:
    live = live_states((target.row.setid, uri_key(target.row.destination)) for target in targets)
    listed = set(
        ProxyContact.objects.filter(
            proxy__in={target.proxy.pk for target in targets}, requested_at__isnull=False
        ).values_list("proxy_id", flat=True)
    )
    run.pk = None  # an attempt that was rolled back left its id behind
    with transaction.atomic():
        run.save(force_insert=True)
        by_row: dict[tuple[int, str], list[tuple[_TargetState, StateResult]]] = defaultdict(list)
        for target in targets:
            result = _result(run, target, live, listed)
            by_row[target.row.setid, target.row.destination].append((target, result))
        for of_row in by_row.values():
            _record(of_row[0][0].row, [result for _target, result in of_row], actor)
        results = [result for of_row in by_row.values() for _target, result in of_row]
        StateResult.objects.bulk_create(results, batch_size=500)
        store(run)


def _result(run: StateRun, target: _TargetState, live: LiveStates, listed: set[int]) -> StateResult:
    """The result to be: left as it is, waiting, or not held by a proxy whose list is known."""
    row, proxy = target.row, target.proxy
    here = live.get((row.setid, uri_key(row.destination)), {}).get(proxy.pk)
    is_sent = here is not None or proxy.pk not in listed
    outcome = StateOutcome.WAITING if is_sent else StateOutcome.NOT_IN_MEMORY
    return StateResult(
        run=run,
        proxy=proxy,
        setid=row.setid,
        uri=row.destination,
        state_requested=target.state,
        state_before=here[0].state if here else "",
        outcome=StateOutcome.LEFT if target.left else outcome,
        message=target.left,
        deadline=run.started_at + DEADLINE,
        partition=proxy.partition,
        column_before=row.state if row.pk else None,
    )


def _record(row: Destination, results: Sequence[StateResult], actor: Actor) -> None:
    sent = [result for result in results if result.outcome == StateOutcome.WAITING]
    if not sent:
        return
    record(
        actor,
        "state",
        _subject(row),
        before={f"live state on {result.proxy.name}": result.state_before or None for result in sent},
        after={f"live state on {result.proxy.name}": result.state_requested for result in sent},
        reason=sent[0].run.reason,
    )


def _subject(row: Destination) -> Subject:
    """The row; a destination that only proxies hold has none."""
    if not row.pk:
        return Subject("dispatcher", "", f"{row.destination} in set {row.setid}, in memory only")
    return subject(row.pk, DestinationRow.of(row))


@retried_on_lock
def _store(reply: sending.GroupReply) -> None:
    """Store the outcomes of a group's calls, and the states that its proxies hold after them."""
    read_back = {answer.proxy.pk for answer in reply.read_back if not store_answer(answer).problem}
    results, now = reply.group.all_results(), timezone.now()
    after = live_states((result.setid, uri_key(result.uri)) for result in results) if read_back else {}
    for result in results:
        outcome = reply.outcomes[result.pk]
        listed = after.get((result.setid, uri_key(result.uri)), {}).get(result.proxy_id)
        result.outcome, result.message = outcome.outcome, outcome.message[:255]
        result.through_id = outcome.through
        result.state_after = listed[0].state if listed and result.proxy_id in read_back else ""
        result.ended_at = now
    fields = ["outcome", "message", "through", "state_after", "ended_at"]
    StateResult.objects.bulk_update(results, fields, batch_size=100)
