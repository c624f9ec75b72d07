"""Sets and destinations while a proxy runs: what loading made of the rows, and what calls changed since."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dispatcher.routing.destinations import Destination
from dispatcher.routing.states import Health
from dispatcher.routing.weights import running_sums
from efcp.sip.uri import uri_key


@dataclass(slots=True)
class LiveDestination:
    """A destination in memory.

    `health` holds its state now. `turns` is how often in a row round robin chose it, `first_hits` how often
    it was a first choice since the last reload; both are counters of 16 bits.
    """

    loaded: Destination
    health: Health
    turns: int = 0
    first_hits: int = 0

    @classmethod
    def of(cls, loaded: Destination) -> "LiveDestination":
        """The destination right after loading."""
        return cls(loaded, Health.of(loaded.state))

    @property
    def active(self) -> bool:
        """Whether it takes calls."""
        return self.health.active


@dataclass(frozen=True, slots=True)
class Calls:
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
    _calls: Calls | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.sums = running_sums([each.loaded.weight for each in self.destinations])
        for each in self.destinations:
            self._first_of.setdefault(uri_key(each.loaded.uri), each)

    @classmethod
    def of(cls, setid: int, loaded: Sequence[Destination]) -> "LiveSet":
        """The set right after loading."""
        return cls(setid, [LiveDestination.of(destination) for destination in loaded])

    @property
    def calls(self) -> Calls:
        """What the states make of the weights now.

        Counted when it is asked for, and not at each change as in the proxy: a round of probing can change
        thousands of destinations.
        """
        if self._calls is None:
            active = [each.active for each in self.destinations]
            weights = [each.loaded.weight if each.active else 0 for each in self.destinations]
            self._calls = Calls(sum(active), running_sums(weights))
        return self._calls

    def states_changed(self) -> None:
        """Take note that a destination became active or ceased to be."""
        self._calls = None

    def find(self, address: str) -> LiveDestination | None:
        """The first destination with this URI, ASCII letters of either case; None where there is none."""
        return self._first_of.get(uri_key(address))
