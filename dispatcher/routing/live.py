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


@dataclass(slots=True)
class LiveSet:
    """A set in memory: its destinations in order of preference, and the pointer that all algorithms share.

    `sums` and `active_sums` are the running sums of the weights over all and over active destinations; an
    inactive one repeats the sum before it.
    """

    setid: int
    destinations: list[LiveDestination]
    last: int = 0
    sums: tuple[int, ...] = field(init=False, default=())
    active_sums: tuple[int, ...] = field(init=False, default=())
    active_count: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.sums = running_sums([each.loaded.weight for each in self.destinations])
        self.recount()

    @classmethod
    def of(cls, setid: int, loaded: Sequence[Destination]) -> "LiveSet":
        """The set right after loading."""
        return cls(setid, [LiveDestination.of(destination) for destination in loaded])

    def recount(self) -> None:
        """Take account of a destination that became active or ceased to be."""
        self.active_sums = running_sums(
            [each.loaded.weight if each.active else 0 for each in self.destinations]
        )
        self.active_count = sum(each.active for each in self.destinations)

    def find(self, address: str) -> LiveDestination | None:
        """The first destination with this URI, ASCII letters of either case; None where there is none."""
        wanted = uri_key(address)
        return next((each for each in self.destinations if uri_key(each.loaded.uri) == wanted), None)
