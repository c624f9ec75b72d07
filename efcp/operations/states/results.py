"""The results of a run that set states, and what an undo of it would do."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from dispatcher.models import Destination
from efcp.audit.models import AuditRecord
from efcp.modules.registry import modules_with_live_states
from efcp.operations.reconciliation import is_unreconciled
from efcp.operations.reloads.models import ReloadResult
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import KnownDestination, KnownState, StateChange
from efcp.proxies.reconcile import Cause
from efcp.proxies.selectors import LiveStates, WatchedProxy, live_states
from efcp.sip.uri import uri_key

FR_TIMEOUT = timedelta(seconds=30)
"""How long a transaction lasts on a proxy whose tm's fr_timeout is not set otherwise."""

WATCH_FOR = FR_TIMEOUT + timedelta(seconds=5)
"""How long a probe that was under way may still turn back what was set inactive, and the watcher see it."""

MOST_LINES = 500
"""Shown of one run: a thousand destinations on twenty proxies are more than a page can hold."""

_COLUMN: dict[str, int] = {KnownState.ACTIVE: 0, KnownState.INACTIVE: 1, KnownState.PROBING: 2}
"""The values of the column `state`."""

Key = tuple[int, int, str]
"""Proxy id, set, URI key."""


OFFERED_FOR = timedelta(days=7)
"""After longer than that, states are better looked at and set again than put back."""

_CHANGING = (StateOutcome.WAITING, StateOutcome.DONE, StateOutcome.UNKNOWN, StateOutcome.THROUGH)

_MAY_BE_SET = (StateOutcome.DONE, StateOutcome.UNKNOWN, StateOutcome.WAITING)

GONE = "The proxy no longer has it."
NOT_KNOWN = "Its previous state is unknown."
IS_BACK = "It is already in its previous state."
CHANGED = "It has been changed since."
NOT_RECONCILED = "No reply and no read since: whether it was changed is unknown."
AMBIGUOUS = "No reply, and what set its current state is unknown."
NOT_BACK_TO_PROBING = (
    "It was probing before. OpenSIPS makes an inactive destination active when set to probing, so that "
    "it would take calls: it stays inactive."
)


@dataclass(frozen=True, slots=True)
class UndoStep:
    """The undo of one result: its former state as `target`, or why it is `left` as it is."""

    result: StateResult
    target: str
    left: str


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """How many results get which state back, and how many are left as they are for which reason."""

    back: tuple[tuple[str, int], ...]
    left: tuple[tuple[str, int], ...]

    @property
    def counts_a_failure(self) -> bool:
        """Whether something is put back to probing, each time one failure towards the threshold."""
        return any(state == KnownState.PROBING for state, _count in self.back)


@dataclass(frozen=True, slots=True)
class StateLine:
    """One result, with the state that is known now; `turned_back` after a late answer to a probe.

    `is_replicated`: whether a proxy held what the member of its cluster held that got the call; None where
    that is not known, or the proxy got the call itself.
    """

    result: StateResult
    outcome: StateOutcome
    state_now: str
    now_is_fresh: bool
    turned_back: bool
    is_replicated: bool | None = None
    column_now: int | None = None

    @property
    def is_in_table(self) -> bool:
        """Whether the table's initial state became the one that was set, as persistent_state makes it."""
        before, target = self.result.column_before, _COLUMN.get(self.result.state_requested)
        return before is not None and before != self.column_now and self.column_now == target

    @property
    def is_waiting(self) -> bool:
        """Whether the proxy's answer may still come."""
        return self.outcome is StateOutcome.WAITING

    @property
    def is_surprising(self) -> bool:
        """Whether the proxy took the state and held another when it was read back."""
        after = self.result.state_after
        return self.outcome is StateOutcome.DONE and bool(after) and after != self.result.state_requested

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should read this line: the state is not the one requested, or not known."""
        is_good = self.outcome is StateOutcome.DONE and not self.is_surprising
        return self.turned_back or not (is_good or self.is_replicated)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many results had one outcome."""

    outcome: StateOutcome
    count: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run as its page shows it: those lines first that need a look, at most MOST_LINES of `total`.

    `undo` is what putting the former states back would do, None where that is not offered: something may
    still come, it was done, or it `is_too_old`.
    """

    run: StateRun
    lines: tuple[StateLine, ...]
    total: int
    tallies: tuple[Tally, ...]
    is_watched: bool
    is_waiting: bool
    is_unreconciled: bool
    undone_by: StateRun | None
    is_too_old: bool
    undo: UndoPlan | None

    @property
    def is_open(self) -> bool:
        """Whether something may still come."""
        return self.is_watched or self.is_waiting or self.is_unreconciled

    @property
    def unshown(self) -> int:
        """How many results the page has no room for."""
        return self.total - len(self.lines)


def run_page(run: StateRun, watched: Sequence[WatchedProxy]) -> RunPage:
    """Read the results of a run."""
    lines = result_lines(run, watched)
    is_waiting = any(line.is_waiting for line in lines)
    undone_by = StateRun.objects.filter(undoes=run).first()
    counts = Counter(line.outcome for line in lines)
    is_too_old = timezone.now() > run.started_at + OFFERED_FOR
    is_undoable = counts[StateOutcome.DONE] and not (is_waiting or undone_by or is_too_old)
    shown = sorted(lines, key=lambda line: not line.needs_attention)[:MOST_LINES]
    return RunPage(
        run=run,
        lines=tuple(shown),
        total=len(lines),
        tallies=tuple(Tally(outcome, count) for outcome, count in counts.most_common()),
        is_watched=is_watched(run, lines),
        is_waiting=is_waiting,
        is_unreconciled=is_unreconciled([line.result for line in lines], timezone.now()),
        undone_by=undone_by,
        is_too_old=is_too_old,
        undo=undo_plan(run) if is_undoable else None,
    )


def result_lines(run: StateRun, watched: Sequence[WatchedProxy]) -> list[StateLine]:
    """The results of a run with what is known of each destination now."""
    results = list(run.results.select_related("proxy", "through"))
    listed = live_states((result.setid, uri_key(result.uri)) for result in results)
    fresh = {each.proxy.pk for each in watched if each.fresh}
    turned_back = _turned_back(run, results)
    after = {_key(result): result.state_after for result in results}
    columns = _columns(run, results)
    now = timezone.now()
    return [
        StateLine(
            result=result,
            outcome=result.known_outcome(now),
            state_now=_first_state(
                listed.get((result.setid, uri_key(result.uri)), {}).get(result.proxy_id, ())
            ),
            now_is_fresh=result.proxy_id in fresh,
            turned_back=_key(result) in turned_back,
            is_replicated=_is_replicated(result, after),
            column_now=columns.get((result.setid, uri_key(result.uri))),
        )
        for result in results
    ]


def is_watched(run: StateRun, lines: Sequence[StateLine]) -> bool:
    """Whether a late answer to a probe may still turn back what was set inactive."""
    return timezone.now() <= run.started_at + WATCH_FOR and any(
        line.outcome is StateOutcome.DONE and line.result.state_requested == KnownState.INACTIVE
        for line in lines
    )


def _columns(run: StateRun, results: Sequence[StateResult]) -> dict[tuple[int, str], int]:
    """The table's initial states now, by set and URI key, of rows that nobody edited in the panel since."""
    rows = Destination.objects.filter(
        setid__in={result.setid for result in results}, destination__in={result.uri for result in results}
    ).only("pk", "setid", "destination", "state")
    found = {(row.setid, uri_key(row.destination)): row for row in rows.order_by("-pk")}
    edited = set(
        AuditRecord.objects.filter(
            subject_kind="dispatcher",
            subject_id__in=[str(row.pk) for row in found.values()],
            action="edit",
            at__gte=run.started_at,
        ).values_list("subject_id", flat=True)
    )
    return {key: row.state for key, row in found.items() if str(row.pk) not in edited}


def _is_replicated(result: StateResult, after: Mapping[Key, str]) -> bool | None:
    if result.through_id is None or not result.state_after:
        return None
    sent = after.get((result.through_id, result.setid, uri_key(result.uri)))
    return result.state_after == sent if sent else None


def _first_state(listed: Sequence[KnownDestination]) -> str:
    """The state of the destination that ds_set_state changes, empty where there is none."""
    return listed[0].state if listed else ""


def _turned_back(run: StateRun, results: Sequence[StateResult]) -> set[Key]:
    """What went from inactive to active while it was watched, by probing as far as is known.

    Changes that the proxy puts down to MI, its script, its cluster or a reload are not a probe's, and neither
    are those requested in the panel.
    """
    until = run.started_at + WATCH_FOR
    set_inactive = {_key(result) for result in results if result.state_requested == KnownState.INACTIVE}
    if not set_inactive:
        return set()
    changes = StateChange.objects.filter(
        proxy__in={result.proxy_id for result in results},
        setid__in={result.setid for result in results},
        occurrence=0,
        at__gt=run.started_at,
        at__lte=until,
        state_before=KnownState.INACTIVE,
        state_after=KnownState.ACTIVE,
        cause__in=(Cause.PROBING, Cause.UNKNOWN),
    ).values_list("proxy_id", "setid", "uri_key")
    by_others = (
        StateResult.objects.filter(run__started_at__gt=run.started_at, run__started_at__lte=until)
        .exclude(state_requested=KnownState.INACTIVE)
        .exclude(outcome=StateOutcome.LEFT)
    )
    reset = set(
        ReloadResult.objects.filter(
            run__module__in=modules_with_live_states(),
            run__inherit_state=False,
            run__started_at__gt=run.started_at,
            run__started_at__lte=until,
        ).values_list("proxy_id", flat=True)
    )
    changed_back = set_inactive.intersection(changes) - {_key(result) for result in by_others}
    return {key for key in changed_back if key[0] not in reset}


def _key(result: StateResult) -> Key:
    return result.proxy_id, result.setid, uri_key(result.uri)


def undo_plan(run: StateRun) -> UndoPlan:
    """What `undo` would do now."""
    found = undo_steps(run)
    back = Counter(step.target for step in found if not step.left)
    left = Counter(step.left for step in found if step.left)
    return UndoPlan(tuple(back.items()), tuple(left.items()))


def undo_steps(run: StateRun) -> list[UndoStep]:
    """One step for each result that the run set, or may have set."""
    done = list(run.results.filter(outcome__in=_MAY_BE_SET).select_related("proxy"))
    listed = live_states((result.setid, uri_key(result.uri)) for result in done)
    touched = _set_later(run, done) | _left_their_state(run, done)
    return [_undo_step(result, listed, _key(result) in touched) for result in done]


def _undo_step(result: StateResult, listed: LiveStates, is_touched: bool) -> UndoStep:
    here = listed.get((result.setid, uri_key(result.uri)), {}).get(result.proxy_id)
    return UndoStep(result, result.state_before, _why_left(result, here[0].state if here else "", is_touched))


def _why_left(result: StateResult, now: str, is_touched: bool) -> str:
    """Empty for what is put back."""
    if result.outcome != StateOutcome.DONE:
        return AMBIGUOUS if result.reconciled_at else NOT_RECONCILED
    if not result.state_before:
        return NOT_KNOWN
    if not now:
        return GONE
    if now == result.state_before:
        return IS_BACK
    if is_touched or now != (result.state_after or result.state_requested):
        return CHANGED
    if result.state_before == KnownState.PROBING and now == KnownState.INACTIVE:
        return NOT_BACK_TO_PROBING
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
    """What was observed to leave the state that this run set, even if it returned to it."""
    states = {_key(result): result.state_after or result.state_requested for result in results}
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
