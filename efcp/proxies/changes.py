"""What happened in a proxy between two of its lists: each change, its moment and its cause. No database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from efcp.proxies.memory import Difference, HeldDestination, Identity, Memory
from efcp.proxies.models import Cause
from efcp.proxies.switches import PROBE_ANSWERED, PROBE_FAILED, Step, Switch, path

_CAUSES = {
    PROBE_FAILED: Cause.PROBING,
    PROBE_ANSWERED: Cause.PROBING,
    "MI command": Cause.MI,
    "script function ds_mark()": Cause.SCRIPT,
    "replicated info": Cause.REPLICATION,
}


CLOCKS_APART = timedelta(seconds=5)
"""How far a proxy's clock may be off for its reports to date a change exactly."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The time between two lists. `begin` is None before the first one.

    `exact` tells whether they lie so near that a change between them can be dated by the later one.
    """

    begin: datetime | None
    end: datetime
    exact: bool

    def clamped(self, moment: datetime) -> datetime:
        """`moment` by the proxy's clock, put into the interval: the clocks may differ."""
        return min(self.end, max(moment, self.begin or moment))


class Change(NamedTuple):
    """A destination's change; states as in the history, empty before it came and after it went."""

    held: HeldDestination
    before: str
    after: str
    cause: Cause
    at: datetime
    at_is_exact: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """The changes, oldest first for each destination, and the reports that are newer than the list."""

    changes: tuple[Change, ...]
    late: tuple[Switch, ...]

    def since(self) -> dict[Identity, tuple[datetime, bool]]:
        """When the present state of what changed began, and whether that is exact."""
        return {each.held.identity: (each.at, each.at_is_exact) for each in self.changes}


@dataclass(frozen=True, slots=True)
class Told:
    """What the proxy's reports tell: flags that are new, those told too late for the former list, a load."""

    new: Sequence[Switch] = ()
    late: Sequence[Switch] = ()
    reloaded: bool = False


def happened(found: Difference, memory: Memory, told: Told, interval: Interval) -> Happened:
    """Put together what two lists differ in and what the reports tell of the time between them.

    `found` leads to `memory`. A report names no occurrence: it counts for the first destination of its set
    and URI, the one that the proxy changes. A report that no list bears out twice over is left out.
    """
    unexplained = Cause.RELOAD if told.reloaded else Cause.UNKNOWN
    changes = [
        Change(held, "", held.state, unexplained, interval.end, interval.exact) for held in found.appeared
    ]
    changes += [
        Change(gone.held, gone.held.state, "", unexplained, interval.end, interval.exact)
        for gone in found.vanished
    ]
    late: list[Switch] = []
    for before, held, reports in _to_explain(found, memory, told):
        way = path(before, held.state, reports.all)
        changes.extend(_change(held, step, interval, unexplained) for step in way.steps)
        late.extend(reports.new_after(way.used))
    return Happened(tuple(changes), tuple(late))


@dataclass(frozen=True, slots=True)
class _Reports:
    late: Sequence[Switch]
    new: Sequence[Switch]

    @property
    def all(self) -> list[Switch]:
        return [*self.late, *self.new]

    def new_after(self, used: int) -> Sequence[Switch]:
        """The new ones behind the first `used`; what was late already gets no third chance."""
        return self.new[max(0, used - len(self.late)) :]


def _to_explain(
    found: Difference, memory: Memory, told: Told
) -> Iterator[tuple[str, HeldDestination, _Reports]]:
    """What changed its state, or is told to have done so in between: the state before, and the reports."""
    new, late = _by_destination(told.new), _by_destination(told.late)
    explained: set[Identity] = {held.identity for held in found.appeared}
    for stored, held in found.changed:
        explained.add(held.identity)
        reports = _reports_of(held, late, new)
        if stored.held.state != held.state or reports.all:
            yield stored.held.state, held, reports
    if not (new or late):
        return
    for held in memory.destinations:
        reports = _reports_of(held, late, new)
        if reports.all and held.identity not in explained:
            yield held.state, held, reports


_ByDestination = Mapping[tuple[int, str], Sequence[Switch]]


def _by_destination(switches: Iterable[Switch]) -> _ByDestination:
    found: dict[tuple[int, str], list[Switch]] = defaultdict(list)
    for each in switches:
        found[each.setid, each.uri_key].append(each)
    return dict(found)


def _reports_of(held: HeldDestination, late: _ByDestination, new: _ByDestination) -> _Reports:
    if held.occurrence:
        return _Reports((), ())
    key = held.setid, held.uri_key
    return _Reports(late.get(key, ()), new.get(key, ()))


def _change(held: HeldDestination, step: Step, interval: Interval, unexplained: Cause) -> Change:
    if step.at is None:
        return Change(held, step.before, step.after, unexplained, interval.end, interval.exact)
    cause = _CAUSES.get(step.reason, Cause.UNKNOWN)
    at = interval.clamped(step.at)
    # A clock that is wrong, or told in another zone, dates nothing: the lists alone do.
    is_exact = interval.exact or abs(at - step.at) <= CLOCKS_APART
    return Change(held, step.before, step.after, cause, at, is_exact)
