"""An outage as probing sees it: when calls stop, and when they return.

Times are seconds from a round of probing.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import count

from dispatcher.routing.destinations import DestinationState, FlagChange
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.probing import Probe, ProbingSettings
from dispatcher.routing.rows import DestinationRow

MAX_ROUNDS = 2_000
_MOMENT = 0.001
_SETID = 1
_URI = "sip:192.0.2.1:5060"


@dataclass(frozen=True, slots=True)
class ProbeTiming:
    """How often the proxy probes, and how long a probe waits.

    `interval` is ds_ping_interval, `timeout` tm's fr_timeout. `t1` and `t2` are the first and the longest
    interval between retransmissions over UDP (RFC 3261, 17.1.2; tm's T1_timer and T2_timer).
    """

    interval: float
    timeout: float
    t1: float = 0.5
    t2: float = 4.0

    def attempts(self) -> Iterator[float]:
        """When a probe is sent and retransmitted, from its start."""
        at, wait = 0.0, self.t1
        while at < self.timeout:
            yield at
            at, wait = at + wait, min(2 * wait, self.t2)


@dataclass(frozen=True, slots=True)
class GatewayOutage:
    """A gateway dies, and may return. Reply while down `code`; None is no answer."""

    dies_at: float
    returns_at: float | None
    code: int | None = None

    def answer_at(self, moment: float) -> int | None:
        """The answer to OPTIONS at `moment`."""
        down = moment >= self.dies_at and (self.returns_at is None or moment < self.returns_at)
        return self.code if down else 200


class EventKind(Enum):
    """What happens during an outage."""

    DIES = "gateway goes down"
    RETURNS = "gateway comes back"
    PROBE = "OPTIONS sent"
    GOOD = "good reply"
    BAD = "bad reply"
    SILENCE = "no reply (timeout)"
    STATE = "state changes"


_OF_GATEWAY = frozenset({EventKind.DIES, EventKind.RETURNS})


@dataclass(frozen=True, slots=True)
class OutageEvent:
    """An event; `change` is set for EventKind.STATE."""

    at: float
    kind: EventKind
    change: FlagChange | None = None


@dataclass(frozen=True, slots=True)
class OutageCourse:
    """The events in order.

    `stopped_at` is when the gateway gets no further calls, `back_at` when it gets calls again; None where
    that does not happen in the simulated time.
    """

    outage: GatewayOutage
    events: tuple[OutageEvent, ...]
    stopped_at: float | None
    back_at: float | None

    @property
    def lost_s(self) -> float | None:
        """For how long calls go to a dead gateway; None where probing never notices."""
        return None if self.stopped_at is None else max(0.0, self.stopped_at - self.outage.dies_at)

    @property
    def idle_s(self) -> float | None:
        """For how long a gateway that has returned gets no calls."""
        if self.back_at is None or self.outage.returns_at is None:
            return None
        return max(0.0, self.back_at - self.outage.returns_at)


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The longest that either takes, whenever the gateway dies or returns; None where it never happens."""

    lost_s: float | None
    idle_s: float | None


def simulate(
    outage: GatewayOutage, timing: ProbeTiming, settings: ProbingSettings, *, always: bool, until: float
) -> OutageCourse:
    """Simulate the outage of one active destination up to `until`; `always` probed or not.

    Rounds of probing are at 0, `interval`, and so on. Raises ValueError for more than MAX_ROUNDS of them.
    """
    if until / timing.interval > MAX_ROUNDS:
        raise ValueError(f"more than {MAX_ROUNDS} rounds of probing")
    return _Simulation(outage, timing, settings, always).run(until)


def worst_case(
    timing: ProbeTiming, settings: ProbingSettings, *, always: bool, code: int | None = None
) -> WorstCase:
    """Die right after an answered round, and return right after each attempt of any pending probe."""
    horizon = (settings.threshold + 2) * timing.interval + timing.timeout
    if horizon / timing.interval > MAX_ROUNDS:
        raise ValueError(f"more than {MAX_ROUNDS} rounds of probing")
    dies = GatewayOutage(_MOMENT, None, code)
    lost = simulate(dies, timing, settings, always=always, until=horizon).lost_s
    if lost is None:
        return WorstCase(None, None)
    # The next attempt of any pending probe finds a returned gateway. Where the timeout is longer than the
    # interval, probes of several rounds are pending at once, so that attempts repeat modulo the interval.
    first_round = timing.interval * (int((lost + 2 * timing.timeout) / timing.interval) + 1)
    attempts = {first_round + at % timing.interval for at in timing.attempts()}
    idle = []
    for moment in sorted(attempts):
        outage = GatewayOutage(_MOMENT, moment + _MOMENT, code)
        until = moment + 2 * timing.interval + timing.timeout
        idle.append(simulate(outage, timing, settings, always=always, until=until).idle_s)
    known = [each for each in idle if each is not None]
    return WorstCase(lost, max(known) if len(known) == len(idle) else None)


@dataclass(slots=True)
class _Simulation:
    """An outage under way; `queue` is a heap of what comes next, by time and then by order of arrival."""

    outage: GatewayOutage
    timing: ProbeTiming
    settings: ProbingSettings
    always: bool
    memory: ProxyMemory = field(init=False)
    events: list[OutageEvent] = field(default_factory=list)
    queue: list[tuple[float, int, Probe | None, int | None]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        environment = Environment(resolve=lambda _host, _port, _transport: ("192.0.2.1",))
        self.memory = ProxyMemory(environment, self.settings)
        self.memory.reload([DestinationRow(_SETID, _URI, probe_mode=int(self.always))])

    def run(self, until: float) -> OutageCourse:
        self._schedule(0.0, None, None)
        while self.queue and self.queue[0][0] <= until:
            at, _number, probe, code = heapq.heappop(self.queue)
            if probe is None:
                self._probe(at)
            else:
                self._answer(at, probe, code)
        self._add(self.outage.dies_at, EventKind.DIES)
        if self.outage.returns_at is not None:
            self._add(self.outage.returns_at, EventKind.RETURNS)
        # At one moment the gateway comes first: what is answered then follows from it.
        self.events.sort(key=lambda event: (event.at, event.kind not in _OF_GATEWAY))
        return OutageCourse(self.outage, tuple(self.events), *self._stopped_and_back())

    def _schedule(self, at: float, probe: Probe | None, code: int | None) -> None:
        heapq.heappush(self.queue, (at, next(self.numbers), probe, code))

    def _add(self, at: float, kind: EventKind, change: FlagChange | None = None) -> None:
        self.events.append(OutageEvent(at, kind, change))

    def _probe(self, at: float) -> None:
        for probe in self.memory.due_probes():
            self._add(at, EventKind.PROBE)
            self._schedule(*self._final(at, probe))
        self._schedule(at + self.timing.interval, None, None)

    def _final(self, at: float, probe: Probe) -> tuple[float, Probe, int | None]:
        """When the transaction ends, and with what: each attempt may be answered."""
        for attempt in self.timing.attempts():
            code = self.outage.answer_at(at + attempt)
            if code is not None:
                return at + attempt, probe, code
        return at + self.timing.timeout, probe, None

    def _answer(self, at: float, probe: Probe, code: int | None) -> None:
        good = code == 200 or code in self.settings.reply_codes
        self._add(at, EventKind.SILENCE if code is None else EventKind.GOOD if good else EventKind.BAD)
        for change in self.memory.on_reply(probe, code):
            self._add(at, EventKind.STATE, change)

    def _stopped_and_back(self) -> tuple[float | None, float | None]:
        """When it stopped getting calls after it died, and when it got calls again after its return."""
        changes = [event for event in self.events if event.change is not None]
        stops = (each.at for each in changes if each.at >= self.outage.dies_at and not _is_active(each))
        stopped_at = next(stops, None)
        returned = self.outage.returns_at
        if stopped_at is None or returned is None:
            return stopped_at, None
        after = [each for each in changes if each.at >= returned and _is_active(each)]
        return stopped_at, after[0].at if after else None


def _is_active(event: OutageEvent) -> bool:
    return event.change is not None and event.change.after is DestinationState.ACTIVE
