"""An outage as probing sees it: when traffic stops, and when it comes back.

Times are seconds from a round of probing.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import count

from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.probing import Probe, ProbingSettings
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.states import State, StateChange

MAX_ROUNDS = 2_000
_MOMENT = 0.001
_SETID = 1
_URI = "sip:192.0.2.1:5060"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is probed, and how long a probe waits.

    `interval` is ds_ping_interval; `timeout` tm's fr_timeout. `t1` and `t2` are the first and the longest
    wait before OPTIONS is sent again over UDP (RFC 3261, 17.1.2; tm's T1_timer and T2_timer).
    """

    interval: float
    timeout: float
    t1: float = 0.5
    t2: float = 4.0

    def attempts(self) -> Iterator[float]:
        """When one probe is sent and sent again, from its beginning."""
        at, wait = 0.0, self.t1
        while at < self.timeout:
            yield at
            at, wait = at + wait, min(2 * wait, self.t2)


@dataclass(frozen=True, slots=True)
class Outage:
    """A gateway dies, and may return. While it is down it answers `code`; None is no answer."""

    dies_at: float
    returns_at: float | None
    code: int | None = None

    def answer_at(self, moment: float) -> int | None:
        """What OPTIONS gets at `moment`."""
        down = moment >= self.dies_at and (self.returns_at is None or moment < self.returns_at)
        return self.code if down else 200


class Kind(Enum):
    """What happens in the course of an outage."""

    DIES = "the gateway dies"
    RETURNS = "the gateway returns"
    PROBE = "OPTIONS is sent"
    GOOD = "a good answer"
    BAD = "a bad answer"
    SILENCE = "no answer in time"
    STATE = "the state changes"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens; of a change of state, `change` tells which."""

    at: float
    kind: Kind
    change: StateChange | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What happened in order.

    `stopped_at` is when no further calls go to the gateway, `back_at` when they do again; either is None
    where that does not come to pass while it is watched.
    """

    outage: Outage
    events: tuple[Event, ...]
    stopped_at: float | None
    back_at: float | None

    @property
    def lost_s(self) -> float | None:
        """For how long calls go to a dead gateway; None where probing never notices."""
        return None if self.stopped_at is None else max(0.0, self.stopped_at - self.outage.dies_at)

    @property
    def idle_s(self) -> float | None:
        """For how long a gateway that is well again gets no calls."""
        if self.back_at is None or self.outage.returns_at is None:
            return None
        return max(0.0, self.back_at - self.outage.returns_at)


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The longest that either can take, whenever the gateway dies or returns; None where it never happens."""

    lost_s: float | None
    idle_s: float | None


def course(outage: Outage, pace: Pace, settings: ProbingSettings, *, always: bool, until: float) -> Course:
    """Play the outage on one destination that was active, `always` probed or not, up to `until`.

    Rounds of probing are at 0, `interval`, and so on. Raises ValueError for more than MAX_ROUNDS of them.
    """
    if until / pace.interval > MAX_ROUNDS:
        raise ValueError(f"more than {MAX_ROUNDS} rounds of probing")
    return _Play(outage, pace, settings, always).played(until)


def worst_case(pace: Pace, settings: ProbingSettings, *, always: bool, code: int | None = None) -> WorstCase:
    """Die right after an answered round, and return right after each attempt of any pending probe."""
    horizon = (settings.threshold + 2) * pace.interval + pace.timeout
    if horizon / pace.interval > MAX_ROUNDS:
        raise ValueError(f"more than {MAX_ROUNDS} rounds of probing")
    dies = Outage(_MOMENT, None, code)
    lost = course(dies, pace, settings, always=always, until=horizon).lost_s
    if lost is None:
        return WorstCase(None, None)
    # The next attempt of any pending probe finds a returned gateway. Where the timeout is longer than the
    # interval, probes of several rounds are pending at once, so that attempts repeat modulo the interval.
    first_round = pace.interval * (int((lost + 2 * pace.timeout) / pace.interval) + 1)
    attempts = {first_round + at % pace.interval for at in pace.attempts()}
    idle = []
    for moment in sorted(attempts):
        outage = Outage(_MOMENT, moment + _MOMENT, code)
        until = moment + 2 * pace.interval + pace.timeout
        idle.append(course(outage, pace, settings, always=always, until=until).idle_s)
    known = [each for each in idle if each is not None]
    return WorstCase(lost, max(known) if len(known) == len(idle) else None)


@dataclass(slots=True)
class _Play:
    """An outage under way: what is to happen next stands in a heap, by time and then in order of coming."""

    outage: Outage
    pace: Pace
    settings: ProbingSettings
    always: bool
    memory: ProxyMemory = field(init=False)
    events: list[Event] = field(default_factory=list)
    coming: list[tuple[float, int, Probe | None, int | None]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        environment = Environment(resolve=lambda _host, _port, _transport: ("192.0.2.1",))
        self.memory = ProxyMemory(environment, self.settings)
        self.memory.reload([DestinationRow(_SETID, _URI, probe_mode=int(self.always))])

    def played(self, until: float) -> Course:
        """Play to the end."""
        self._expect(0.0, None, None)
        while self.coming and self.coming[0][0] <= until:
            at, _number, probe, code = heapq.heappop(self.coming)
            if probe is None:
                self._probe(at)
            else:
                self._answer(at, probe, code)
        self._tell(self.outage.dies_at, Kind.DIES)
        if self.outage.returns_at is not None:
            self._tell(self.outage.returns_at, Kind.RETURNS)
        self.events.sort(key=lambda event: event.at)
        return Course(self.outage, tuple(self.events), *self._marks())

    def _expect(self, at: float, probe: Probe | None, code: int | None) -> None:
        heapq.heappush(self.coming, (at, next(self.numbers), probe, code))

    def _tell(self, at: float, kind: Kind, change: StateChange | None = None) -> None:
        self.events.append(Event(at, kind, change))

    def _probe(self, at: float) -> None:
        for probe in self.memory.due_probes():
            self._tell(at, Kind.PROBE)
            self._expect(*self._final(at, probe))
        self._expect(at + self.pace.interval, None, None)

    def _final(self, at: float, probe: Probe) -> tuple[float, Probe, int | None]:
        """When the transaction ends, and with what: each time that it is sent may be answered."""
        for attempt in self.pace.attempts():
            code = self.outage.answer_at(at + attempt)
            if code is not None:
                return at + attempt, probe, code
        return at + self.pace.timeout, probe, None

    def _answer(self, at: float, probe: Probe, code: int | None) -> None:
        good = code == 200 or code in self.settings.reply_codes
        self._tell(at, Kind.SILENCE if code is None else Kind.GOOD if good else Kind.BAD)
        for change in self.memory.on_reply(probe, code):
            self._tell(at, Kind.STATE, change)

    def _marks(self) -> tuple[float | None, float | None]:
        """When it stopped taking calls after its death, and when it began again after its return."""
        changes = [event for event in self.events if event.change is not None]
        stops = (each.at for each in changes if each.at >= self.outage.dies_at and not _is_active(each))
        stopped_at = next(stops, None)
        returned = self.outage.returns_at
        if stopped_at is None or returned is None:
            return stopped_at, None
        after = [each for each in changes if each.at >= returned and _is_active(each)]
        return stopped_at, after[0].at if after else None


def _is_active(event: Event) -> bool:
    return event.change is not None and event.change.after is State.ACTIVE
