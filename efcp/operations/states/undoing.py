"""What putting the former states back would do: read before it is asked for, and when it is done."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from efcp.operations.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import State, StateChange
from efcp.proxies.selectors import LiveStates, live_states
from efcp.sip.uri import uri_key

OFFERED_FOR = timedelta(days=7)
"""Whoever puts states back after longer does better to look at what they are, and set them anew."""

_CHANGING = (StateOutcome.WAITING, StateOutcome.DONE, StateOutcome.UNKNOWN, StateOutcome.THROUGH)

_MAY_BE_SET = (StateOutcome.DONE, StateOutcome.UNKNOWN, StateOutcome.WAITING)

GONE = "The proxy does not hold it any more."
NOT_KNOWN = "Its former state is not known."
IS_BACK = "It is in its former state already."
CHANGED = "It was changed since, by something else."
NOT_SETTLED = "No answer came, and the proxy was not read since: it is not known whether it was set."
NOT_TOLD_APART = "No answer came, and what set the state that it holds now is not known."
NO_WAY_TO_PROBING = (
    "It was probing before. OpenSIPS turns an inactive destination active when it is set to probing, so that "
    "it would take calls: it stays inactive."
)

Key = tuple[int, int, str]
"""Proxy id, set, URI key."""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one result: its former state `wanted`, or why it is `left` as it is."""

    result: StateResult
    wanted: str
    left: str


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """How many results get which state back, and how many are left as they are for which reason."""

    back: tuple[tuple[str, int], ...]
    left: tuple[tuple[str, int], ...]

    @property
    def counts_a_failure(self) -> bool:
        """Whether something is put back to probing, each time one failure towards the threshold."""
        return any(state == State.PROBING for state, _count in self.back)


def plan(run: StateRun) -> UndoPlan:
    """What `undo` would do now."""
    found = steps(run)
    back = Counter(step.wanted for step in found if not step.left)
    left = Counter(step.left for step in found if step.left)
    return UndoPlan(tuple(back.items()), tuple(left.items()))


def steps(run: StateRun) -> list[Step]:
    """One step for each result that the run set, or may have set."""
    done = list(run.results.filter(outcome__in=_MAY_BE_SET).select_related("proxy"))
    held = live_states((result.setid, uri_key(result.uri)) for result in done)
    touched = _set_later(run, done) | _left_their_state(run, done)
    return [_step(result, held, _key(result) in touched) for result in done]


def _step(result: StateResult, held: LiveStates, is_touched: bool) -> Step:
    here = held.get((result.setid, uri_key(result.uri)), {}).get(result.proxy_id)
    return Step(result, result.state_before, _why_left(result, here[0].state if here else "", is_touched))


def _why_left(result: StateResult, now: str, is_touched: bool) -> str:
    """Empty for what is put back."""
    if result.outcome != StateOutcome.DONE:
        return NOT_TOLD_APART if result.settled_at else NOT_SETTLED
    if not result.state_before:
        return NOT_KNOWN
    if not now:
        return GONE
    if now == result.state_before:
        return IS_BACK
    if is_touched or now != (result.state_after or result.state_wanted):
        return CHANGED
    if result.state_before == State.PROBING and now == State.INACTIVE:
        return NO_WAY_TO_PROBING
    return ""


def _set_later(run: StateRun, results: Sequence[StateResult]) -> set[Key]:
    """What somebody set by the panel after this run, to whichever state."""
    later = StateResult.objects.filter(
        run__pk__gt=run.pk,
        run__started_at__gte=run.started_at,
        outcome__in=_CHANGING,
        proxy__in={result.proxy_id for result in results},
        setid__in={result.setid for result in results},
    ).values_list("proxy_id", "setid", "uri")
    return {(proxy_id, setid, uri_key(uri)) for proxy_id, setid, uri in later.iterator()}


def _left_their_state(run: StateRun, results: Iterable[StateResult]) -> set[Key]:
    """What was seen to leave the state that this run set, even if it came back to it."""
    states = {_key(result): result.state_after or result.state_wanted for result in results}
    changes = StateChange.objects.filter(
        proxy__in={proxy_id for proxy_id, _setid, _key in states},
        setid__in={setid for _proxy_id, setid, _key in states},
        occurrence=0,
        at__gt=run.started_at,
    ).values_list("proxy_id", "setid", "uri_key", "state_before")
    return {
        (proxy_id, setid, key)
        for proxy_id, setid, key, before in changes.iterator()
        if states.get((proxy_id, setid, key)) == before
    }


def _key(result: StateResult) -> Key:
    return result.proxy_id, result.setid, uri_key(result.uri)
