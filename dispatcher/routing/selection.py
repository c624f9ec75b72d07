"""The arguments of ds_select_dst, and its result with the reasons."""

from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum, auto

from dispatcher.routing.destinations import LoadedDestination

DEFAULT_MAX_RESULTS = 1000
"""`max_results` where the script names none."""


class Algorithm(IntEnum):
    """The algorithms of ds_select_dst; any other number is taken as the first entry."""

    CALL_ID = 0
    FROM_URI = 1
    TO_URI = 2
    REQUEST_URI = 3
    ROUND_ROBIN = 4
    AUTH_USER = 5
    RANDOM = 6
    HASH_VARIABLE = 7
    FIRST = 8
    LOAD = 9
    SCORE = 10


class SelectFlag(Flag):
    """The flags of ds_select_dst."""

    NONE = 0
    FAILOVER = auto()
    """f: keep the other destinations for ds_next_dst."""
    USER_ONLY = auto()
    """u: hash the user part of a URI only."""
    LAST_IS_DEFAULT = auto()
    """d: the last destination is for when no other is left."""
    APPEND = auto()
    """a: keep what an earlier selection of the same call left for failover."""


class Refusal(Enum):
    """Why there is no selection."""

    NO_SUCH_SET = "no such set"
    NONE_ACTIVE = "no destination in the set is active"
    ONLY_DEFAULT_ACTIVE = "only the default could be selected"
    NO_KEY = "the request has nothing to hash"
    BAD_URI = "the proxy can't parse the URI to hash"
    NO_ROUTE = "algo_route names no route"


class Basis(Enum):
    """What a pick went by."""

    WEIGHTS = "weights"
    POSITION = "position (all weights are 0)"
    TURN = "round robin"
    FIRST = "first entry"
    NEXT = "next active destination"
    DEFAULT = "default (no other is active)"
    ORDER = "lowest value"


@dataclass(frozen=True, slots=True)
class Pick:
    """One step of a choice: the destination at `index`, and by what.

    Where a hash decided, `point` is its remainder by `total`: a place among the running weights, or an index.
    """

    index: int
    basis: Basis
    point: int | None = None
    total: int | None = None


class Why(Enum):
    """Why a destination was passed over."""

    INACTIVE = "inactive"
    PROBING = "probing"
    BEYOND_MAXIMUM = "beyond max_results"
    NO_FAILOVER = "failover is off (no flag f)"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A destination that gets no part in the call."""

    index: int
    why: Why


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice and how it came about. All indices count in the set's order.

    `keys` are the bytes that were hashed, `hash` their hash (0: none). `candidate` is the first pick, before
    states counted; `chosen` the one that takes the call. `failover` are the destinations that follow when it
    fails, in order. `measures` are the values that algorithms 9 and 10 sorted by.
    """

    setid: int
    algorithm: int
    keys: tuple[bytes, ...]
    hash: int
    candidate: Pick
    chosen: Pick
    failover: tuple[int, ...]
    passed_over: tuple[PassedOver, ...]
    destinations: tuple[LoadedDestination, ...] = field(repr=False)
    measures: tuple[tuple[int, int], ...] = ()

    @property
    def destination(self) -> LoadedDestination:
        """The chosen destination."""
        return self.destinations[self.chosen.index]


@dataclass(frozen=True, slots=True)
class NoSelection:
    """The selection fails: why, and a text with the particulars for people."""

    setid: int
    algorithm: int
    refusal: Refusal
    text: str


def parse_flags(text: str) -> SelectFlag:
    """The flags in `text`, letters of either case and spaces; raise ValueError for any other character."""
    meanings = {
        "f": SelectFlag.FAILOVER,
        "u": SelectFlag.USER_ONLY,
        "d": SelectFlag.LAST_IS_DEFAULT,
        "a": SelectFlag.APPEND,
        " ": SelectFlag.NONE,
    }
    flags = SelectFlag.NONE
    for letter in text.lower():
        if letter not in meanings:
            raise ValueError(f"{letter!r} is not a ds_select_dst flag")
        flags |= meanings[letter]
    return flags
