"""What a call carries in AVPs from ds_select_dst to ds_next_dst and ds_mark_dst (dispatch.c)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dispatcher.routing import probing
from dispatcher.routing.destinations import (
    DestinationState,
    FlagChange,
    Health,
    LiveDestination,
    LiveSet,
    StateFlag,
)
from dispatcher.routing.environment import Environment
from dispatcher.routing.hashing import Request
from dispatcher.routing.loading import LoadedSets, load
from dispatcher.routing.membership import member_at
from dispatcher.routing.probing import Probe, ProbingSettings
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selecting import SelectOptions, select
from dispatcher.routing.selection import NoSelection, Refusal, SelectFlag, Selection


@dataclass(slots=True)
class FailoverList:
    """The AVPs of one call.

    `addresses` begins with the destination in use: for a first choice its URI, for a destination of a
    failover list its next hop, so that ds_mark_dst does not find one whose URI has a user part or headers.
    `sockets` are those of the failover list alone. `setid` is the set of the latest selection.
    """

    setid: int | None = None
    addresses: list[str] = field(default_factory=list)
    sockets: list[str | None] = field(default_factory=list)

    def add(self, selection: Selection, flags: SelectFlag) -> None:
        """Add a selection. Without the flag f nothing is kept; without a, it replaces earlier ones."""
        self.setid = selection.setid
        if SelectFlag.FAILOVER not in flags:
            return
        if SelectFlag.APPEND not in flags:
            self.addresses.clear()
            self.sockets.clear()
        others = [selection.destinations[index] for index in selection.failover]
        self.addresses[:0] = [selection.destination.uri, *(each.next_hop for each in others)]
        self.sockets[:0] = [each.socket for each in others]

    def next_hop(self) -> tuple[str, str | None] | None:
        """Turn to the next destination: its next hop and socket; None when there is none (ds_next_dst)."""
        if not self.addresses:
            return None
        del self.addresses[0]
        if not self.addresses:
            return None
        return self.addresses[0], self.sockets.pop(0) if self.sockets else None


class UnknownDestinationError(LookupError):
    """No such set, or no destination of that URI in it; MI answers 404 `destination not found`."""


@dataclass(frozen=True, slots=True)
class UnsavedState:
    """A state that the proxy's flusher would write into the table."""

    setid: int
    uri: str
    state: DestinationState


@dataclass(slots=True)
class ProxyMemory:
    """The sets of one partition while the proxy runs; `sets` are in ds_list's order.

    Nothing here reads a clock or sends anything: the caller probes and hands in the answers.
    """

    environment: Environment
    settings: ProbingSettings = field(default_factory=ProbingSettings)
    sets: dict[int, LiveSet] = field(default_factory=dict)

    def reload(self, rows: Iterable[DestinationRow], *, inherit_state: bool = True) -> LoadedSets:
        """Load `rows` in place of the present sets.

        Failure counts, hit counters and the last-used pointers are reset. With `inherit_state` a
        destination that was there before keeps its state, and so does its need to be saved. Raises
        LoadBrokenError, and then changes nothing.
        """
        loaded = load(rows, self.environment)
        sets = {setid: LiveSet.of(setid, members) for setid, members in loaded.sets.items()}
        if inherit_state:
            for setid, live in sets.items():
                if setid in self.sets:
                    _inherit(live, self.sets[setid])
        self.sets = sets
        return loaded

    def listed(self) -> list[tuple[int, Sequence[LiveDestination]]]:
        """Sets and destinations in ds_list's order."""
        return [(setid, live.destinations) for setid, live in self.sets.items()]

    def select(
        self,
        setid: int,
        algorithm: int,
        request: Request,
        options: SelectOptions,
        failover: FailoverList | None = None,
    ) -> Selection | NoSelection:
        """Choose a destination for `request`, and add it to the call's `failover` list."""
        live = self._set(setid)
        if live is None:
            return NoSelection(setid, algorithm, Refusal.NO_SUCH_SET, f"The proxy has no set {setid}.")
        selection = select(live, algorithm, request, self.environment, options)
        if failover is not None and isinstance(selection, Selection):
            failover.add(selection, options.flags)
        return selection

    def set_state(
        self, setid: int, address: str, state: DestinationState, reason: str = "MI command"
    ) -> list[FlagChange]:
        """Set the state of the first destination with this set and URI, as MI and the script do.

        PROBING counts one failure, and turns an inactive destination active; ACTIVE leaves the failure
        count as it is. Raises UnknownDestinationError.
        """
        live, destination = self._find(setid, address)
        health = destination.health
        steps: list[Step]
        if state is DestinationState.ACTIVE:
            steps = [("active", lambda: health.clear(StateFlag.INACTIVE | StateFlag.PROBING))]
        elif state is DestinationState.PROBING:
            steps = [
                ("inactive", self._failure(health)),
                ("active", lambda: health.clear(StateFlag.INACTIVE)),
            ]
        else:
            steps = [("inactive", health.set_inactive), ("active", lambda: health.clear(StateFlag.PROBING))]
        return _changes(live, destination, steps, address, reason)

    def mark(
        self, failover: FailoverList, state: DestinationState = DestinationState.INACTIVE
    ) -> list[FlagChange]:
        """ds_mark_dst: set the state of the destination that the call uses now.

        Raises UnknownDestinationError where the call has none, or the proxy does not find it by its address.
        """
        if failover.setid is None or not failover.addresses:
            raise UnknownDestinationError
        return self.set_state(failover.setid, failover.addresses[0], state, "script function ds_mark()")

    def due_probes(self) -> list[Probe]:
        """The probes of one round, in the order of sending."""
        return probing.due(list(self.sets.values()), self.settings)

    def on_reply(self, probe: Probe, code: int | None) -> list[FlagChange]:
        """Process the final answer to a probe; None is no answer within the transaction's time.

        A destination that a reload took away meanwhile is ignored. One that was set inactive meanwhile
        becomes active by a good answer.
        """
        verdict = probing.verdict(probe, code, self.settings)
        changes = []
        if verdict.recovers:
            changes += self._recovered(probe)
        if verdict.fails:
            changes += self._failed(probe, "negative probing reply")
        return changes

    def on_unsent(self, probe: Probe) -> list[FlagChange]:
        """Process a probe that could not be sent, which only some releases count as a failure."""
        if not self.environment.release.counts_unsent_probes:
            return []
        return self._failed(probe, "failed to send probe")

    def take_unsaved(self) -> list[UnsavedState]:
        """The states that changed since the last call, which the flusher writes to the table every 30 s."""
        unsaved = []
        for setid, live in self.sets.items():
            for each in live.destinations:
                if StateFlag.UNSAVED in each.health.marks:
                    each.health.marks &= ~StateFlag.UNSAVED
                    unsaved.append(UnsavedState(setid, each.loaded.uri, each.health.state))
        return unsaved

    def count(self, setid: int, states: Iterable[DestinationState] = ()) -> int:
        """ds_count: how many destinations of a set are in one of `states`; none or all three named: all.

        Raises UnknownDestinationError.
        """
        live = self._set(setid)
        if live is None:
            raise UnknownDestinationError
        counted = set(states) or set(DestinationState)
        return sum(each.health.state in counted for each in live.destinations)

    def is_in_list(
        self,
        ip: str,
        port: int = 0,
        setid: int | None = None,
        *,
        active_only: bool = False,
        pattern: str | None = None,
    ) -> tuple[int, LiveDestination] | None:
        """ds_is_in_list: see `dispatcher.routing.membership.member_at`."""
        return member_at(self.sets.values(), ip, port, setid, active_only=active_only, pattern=pattern)

    def _set(self, setid: int) -> LiveSet | None:
        """The set of that number; the proxy never looks for a negative one."""
        return self.sets.get(setid) if setid >= 0 else None

    def _find(self, setid: int, address: str) -> tuple[LiveSet, LiveDestination]:
        live = self._set(setid)
        destination = live.find(address) if live else None
        if live is None or destination is None:
            raise UnknownDestinationError
        return live, destination

    def _failure(self, health: Health) -> Callable[[], bool]:
        return lambda: health.count_failure(self.settings.threshold)

    def _recovered(self, probe: Probe) -> list[FlagChange]:
        try:
            live, destination = self._find(probe.setid, probe.uri)
        except UnknownDestinationError:
            return []
        steps: list[Step] = [("active", destination.health.recover)]
        return _changes(live, destination, steps, probe.uri, "200 OK probing reply")

    def _failed(self, probe: Probe, reason: str) -> list[FlagChange]:
        try:
            live, destination = self._find(probe.setid, probe.uri)
        except UnknownDestinationError:
            return []
        steps: list[Step] = [("inactive", self._failure(destination.health))]
        return _changes(live, destination, steps, probe.uri, reason)


Step = tuple[str, Callable[[], bool]]
"""What a change of flags is reported as, and the change, which returns whether a flag changed."""


def _changes(
    live: LiveSet, destination: LiveDestination, steps: Iterable[Step], address: str, reason: str
) -> list[FlagChange]:
    """Take the steps in order; return those that changed a flag."""
    changes = []
    for status, change in steps:
        before = destination.health.state
        if not change():
            continue
        live.states_changed()
        after = destination.health.state
        changes.append(FlagChange(live.setid, address, before, after, status, reason))
    return changes


def _inherit(live: LiveSet, former: LiveSet) -> None:
    """Take over the flags of `former` destinations, each from the first one of the same URI."""
    for each in live.destinations:
        if old := former.find(each.loaded.uri):
            each.health.marks = old.health.marks
    live.states_changed()
