"""What there is to see of a spread: bars per destination, and calls that go elsewhere by another source."""

from dataclasses import asdict, dataclass
from typing import Any

BARS_SHOWN = 200
MOVES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Bar:
    """One destination of the set: what it got of `total` calls, and the part that the weights ask for.

    `asked` is the fraction were every destination active, `foretold` what the states make of it for a hash
    that spreads evenly; None where the algorithm does not go by that. `state` is as pages name it.
    """

    uri: str
    state: str
    weight: int
    calls: int
    total: int
    asked: float | None
    foretold: float | None

    @property
    def percent(self) -> float:
        """The percentage of the calls."""
        return 100 * self.calls / self.total if self.total else 0.0

    @property
    def asked_percent(self) -> float | None:
        """The percentage that the weights ask for."""
        return None if self.asked is None else 100 * self.asked

    @property
    def foretold_percent(self) -> float | None:
        """The percentage that weights and states together ask for."""
        return None if self.foretold is None else 100 * self.foretold

    @property
    def length(self) -> str:
        """The bar's length, of 100."""
        return f"{self.percent:.2f}"

    @property
    def asked_at(self) -> str:
        """Where on the bar the asked share is, of 100, so that its mark stays inside."""
        return f"{min(99.4, 100 * (self.asked or 0)):.2f}"

    @property
    def differs_by_state(self) -> bool:
        """Whether states make the share another one than the weights alone."""
        return None not in {self.asked, self.foretold} and self.asked != self.foretold


@dataclass(frozen=True, slots=True)
class Refused:
    """How many calls got no destination, and why."""

    calls: int
    why: str


@dataclass(frozen=True, slots=True)
class Spread:
    """How the calls spread over the set as the source `name` has it; `problem` says why they don't."""

    name: str
    bars: tuple[Bar, ...] = ()
    total: int = 0
    refusals: tuple[Refused, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[Bar, ...]:
        """The bars for a page, in the set's order."""
        return self.bars[:BARS_SHOWN]

    @property
    def not_shown(self) -> int:
        """How many bars a page leaves out."""
        return max(0, len(self.bars) - BARS_SHOWN)


@dataclass(frozen=True, slots=True)
class Move:
    """How many calls go from one destination to another; an empty text is no destination."""

    before: str
    after: str
    calls: int


@dataclass(frozen=True, slots=True)
class Moves:
    """The calls that the source `after` sends elsewhere than `before`: how many, and the most."""

    before: str
    after: str
    total: int
    moved: int
    most: tuple[Move, ...]

    @property
    def percent(self) -> float:
        """The percentage of the calls that move."""
        return 100 * self.moved / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Counted:
    """The spreads by each source, and what moves from the first of them to each other one."""

    spreads: tuple[Spread, ...]
    moves: tuple[Moves, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values to be stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Counted":
        """What `as_json` stored."""
        return cls(
            spreads=tuple(_spread(each) for each in stored["spreads"]),
            moves=tuple(_moves(each) for each in stored["moves"]),
        )


def _spread(stored: dict[str, Any]) -> Spread:
    bars = tuple(Bar(**each) for each in stored["bars"])
    refusals = tuple(Refused(**each) for each in stored["refusals"])
    return Spread(**(stored | {"bars": bars, "refusals": refusals, "notes": tuple(stored["notes"])}))


def _moves(stored: dict[str, Any]) -> Moves:
    return Moves(**(stored | {"most": tuple(Move(**each) for each in stored["most"])}))
