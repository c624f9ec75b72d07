"""Sets and destinations in a proxy's memory: what loading made of the rows, and states since (dispatch.c)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Flag, IntEnum, auto

from dispatcher.routing.weights import running_sums
from efcp.sip.uri import uri_key

_COUNTER = 1 << 16


class DestinationState(IntEnum):
    """The state of a destination, with the numbers of the column `state`. Only active ones are selected."""

    ACTIVE = 0
    INACTIVE = 1
    PROBING = 2


class StateFlag(Flag):
    """The flags that a destination's state is made of."""

    NONE = 0
    INACTIVE = auto()
    PROBING = auto()
    UNSAVED = auto()
    """Changed since it was last written to the table."""


_DISABLING = StateFlag.INACTIVE | StateFlag.PROBING
_OF_STATE = {
    DestinationState.ACTIVE: StateFlag.NONE,
    DestinationState.INACTIVE: StateFlag.INACTIVE,
    DestinationState.PROBING: StateFlag.PROBING,
}


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One change of flags, as the proxy reports and raises it.

    `address` is the URI as the request had it. `status` is that of E_DISPATCHER_STATUS: "inactive"
    where a flag was set, "active" where one was taken away, whatever the state is then.
    """

    setid: int
    address: str
    before: DestinationState
    after: DestinationState
    status: str
    reason: str


@dataclass(slots=True)
class Health:
    """State, failure count and unsaved flag of one destination."""

    marks: StateFlag = StateFlag.NONE
    failures: int = 0

    @classmethod
    def of(cls, state: DestinationState) -> "Health":
        """The health of a destination that was just loaded in `state`."""
        return cls(_OF_STATE[state])

    @property
    def active(self) -> bool:
        """Whether it takes calls."""
        return not self.marks & _DISABLING

    @property
    def state(self) -> DestinationState:
        """The state as ds_list and the table show it: inactive comes before probing."""
        if self.marks & StateFlag.INACTIVE:
            return DestinationState.INACTIVE
        return DestinationState.PROBING if self.marks & StateFlag.PROBING else DestinationState.ACTIVE

    def count_failure(self, threshold: int) -> bool:
        """Count one failure and turn to probing at the threshold; return whether flags changed.

        An inactive destination takes no notice.
        """
        if self.marks & StateFlag.INACTIVE:
            return False
        self.failures = (self.failures + 1) % _COUNTER
        if self.failures < threshold:
            return False
        self.failures = min(self.failures, threshold)
        return self._become(self.marks | StateFlag.PROBING)

    def set_inactive(self) -> bool:
        """Set the inactive flag; return whether it was not set."""
        return self._become(self.marks | StateFlag.INACTIVE)

    def recover(self) -> bool:
        """Become active and forget the failures; return whether a flag was set."""
        self.failures = 0
        return self.clear(_DISABLING)

    def clear(self, marks: StateFlag) -> bool:
        """Clear flags; return whether one was set. The failure count stays as it is."""
        return self._become(self.marks & ~marks)

    def _become(self, marks: StateFlag) -> bool:
        if marks == self.marks:
            return False
        self.marks = marks | StateFlag.UNSAVED
        return True


def state_of_word(word: str) -> DestinationState | None:
    """The state that MI's ds_set_state means by `word`, whose first letter counts; None for none.

    Its numbers are not the column's: 0 is inactive, 1 active, 2 probing (dispatcher.c: ds_mi_set).
    """
    meanings = {
        "0": DestinationState.INACTIVE,
        "i": DestinationState.INACTIVE,
        "1": DestinationState.ACTIVE,
        "a": DestinationState.ACTIVE,
    }
    meanings |= {"2": DestinationState.PROBING, "p": DestinationState.PROBING}
    return meanings.get(word[:1].lower())


@dataclass(frozen=True, slots=True)
class LoadedDestination:
    """A destination after loading.

    `next_hop` is what the proxy sends to; the last `undefined_bytes` bytes of a wrongly built one are
    whatever the memory held, and left out here. `addresses` are as ds_list prints them, with the port; none
    where the name was not looked up. `weight` and `priority` are what the proxy keeps: 16 bits.
    """

    setid: int
    uri: str
    next_hop: str
    undefined_bytes: int
    host: str
    state: DestinationState
    probe_always: bool
    weight: int
    priority: int
    socket: str | None
    attrs: str
    description: str
    addresses: tuple[str, ...]
    row_id: int | None = None


@dataclass(slots=True)
class LiveDestination:
    """A destination in memory.

    `health` holds its state now. `turns` is how often in a row round robin chose it, `first_hits` how often
    it was a first choice since the last reload; both are counters of 16 bits.
    """

    loaded: LoadedDestination
    health: Health
    turns: int = 0
    first_hits: int = 0

    @classmethod
    def of(cls, loaded: LoadedDestination) -> "LiveDestination":
        """The destination right after loading."""
        return cls(loaded, Health.of(loaded.state))

    @property
    def active(self) -> bool:
        """Whether it takes calls."""
        return self.health.active


@dataclass(frozen=True, slots=True)
class ActiveSums:
    """How the active destinations of a set share the calls: how many they are, and the running sums.

    In `sums` an inactive destination repeats the sum before it.
    """

    count: int
    sums: tuple[int, ...]


@dataclass(slots=True)
class LiveSet:
    """A set in memory: its destinations in order of preference, and the pointer that all algorithms share.

    `sums` are the running sums of the weights over all destinations.
    """

    setid: int
    destinations: list[LiveDestination]
    last: int = 0
    sums: tuple[int, ...] = field(init=False)
    _first_of: dict[str, LiveDestination] = field(init=False, default_factory=dict, repr=False)
    _calls: ActiveSums | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.sums = running_sums([each.loaded.weight for each in self.destinations])
        for each in self.destinations:
            self._first_of.setdefault(uri_key(each.loaded.uri), each)

    @classmethod
    def of(cls, setid: int, loaded: Sequence[LoadedDestination]) -> "LiveSet":
        """The set right after loading."""
        return cls(setid, [LiveDestination.of(destination) for destination in loaded])

    @property
    def calls(self) -> ActiveSums:
        """What the states make of the weights now.

        Counted on request, and not at each change as in the proxy: a round of probing can change
        thousands of destinations.
        """
        if self._calls is None:
            active = [each.active for each in self.destinations]
            weights = [each.loaded.weight if each.active else 0 for each in self.destinations]
            self._calls = ActiveSums(sum(active), running_sums(weights))
        return self._calls

    def states_changed(self) -> None:
        """Take note that a destination became active or ceased to be."""
        self._calls = None

    def find(self, address: str) -> LiveDestination | None:
        """The first destination with this URI, ASCII letters of either case; None where there is none."""
        return self._first_of.get(uri_key(address))
