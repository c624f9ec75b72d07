"""Count which destination each of many calls gets, by several sources at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.destinations import LiveDestination
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.replay import NOWHERE, Calls, Hashes, Keys, Move, Replay, call_hashes, moves
from dispatcher.routing.selection import Algorithm, Refusal, SelectFlag
from dispatcher.routing.weights import shares
from efcp.charts.axes import ValueAxis, value_axis
from efcp.preview.distribution.question import FIELD_OF, URIS, WEIGHTED_BY_HASH, KeyField, SelectArguments
from efcp.preview.sources import NoPreviewError, Source, SourceKind, set_preview
from efcp.sip.uri import uri_key

MAX_DESTINATIONS_SHOWN = 200
MAX_MOVES_SHOWN = 20

Chosen = NDArray[np.int32]
"""The index of the destination that each call gets, or NOWHERE."""

_DOMAIN = b"example.org"
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_DIGITS = _HEX[:10]
_CALL_ID_LETTERS = 16
_NUMBER_DIGITS = 7


@dataclass(frozen=True, slots=True)
class DestinationCount:
    """How many of `total` calls one destination of the set got.

    `by_weight` is its share were every destination active, `expected` its share given the states, for an
    evenly distributed hash; None where the algorithm does not go by that.
    """

    uri: str
    state: str
    weight: int
    calls: int
    total: int
    by_weight: float | None
    expected: float | None

    @property
    def percent(self) -> float:
        """The percentage of the calls."""
        return 100 * self.calls / self.total if self.total else 0.0

    @property
    def weight_percent(self) -> float | None:
        """The percentage by weight."""
        return None if self.by_weight is None else 100 * self.by_weight

    @property
    def expected_percent(self) -> float | None:
        """The percentage by weight and state."""
        return None if self.expected is None else 100 * self.expected

    @property
    def differs_by_state(self) -> bool:
        """Whether the states change the share that the weights give."""
        return None not in {self.by_weight, self.expected} and self.by_weight != self.expected


@dataclass(frozen=True, slots=True)
class Distribution:
    """The calls per destination of the set as the source `name` has it; `problem` says why there are none.

    `refusals` are pairs of how many calls got no destination, and why.
    """

    name: str
    bars: tuple[DestinationCount, ...] = ()
    total: int = 0
    refusals: tuple[tuple[int, str], ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[DestinationCount, ...]:
        """The destinations that a page has room for, in the set's order."""
        return self.bars[:MAX_DESTINATIONS_SHOWN]

    @property
    def not_shown(self) -> int:
        """How many destinations a page leaves out."""
        return max(0, len(self.bars) - MAX_DESTINATIONS_SHOWN)


@dataclass(frozen=True, slots=True)
class MovedCalls:
    """How many of `total` calls the source `after` sends elsewhere than `before`, and the largest moves."""

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
class CountResult:
    """The distribution by each source, and the moves from the first source to each other one."""

    distributions: tuple[Distribution, ...]
    moves: tuple[MovedCalls, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values to store."""
        return {
            "spreads": [asdict(each) for each in self.distributions],
            "moves": [asdict(each) for each in self.moves],
        }

    @property
    def axis(self) -> ValueAxis:
        """The axis of all bars, so that sources can be compared."""
        shown = [bar for each in self.distributions for bar in each.shown]
        return value_axis(
            max((max(bar.percent, bar.weight_percent or 0.0) for bar in shown), default=0.0), "%"
        )

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "CountResult":
        """What `as_json` stored."""
        return cls(
            distributions=tuple(_distribution(each) for each in stored["spreads"]),
            moves=tuple(_moved_calls(each) for each in stored["moves"]),
        )


def _distribution(stored: dict[str, Any]) -> Distribution:
    # Results that version 0.1 stored have other names, and an object for each refusal.
    former = {"asked": "by_weight", "foretold": "expected"}
    bars = tuple(
        DestinationCount(**{former.get(name, name): value for name, value in each.items()})
        for each in stored["bars"]
    )
    refusals = tuple(
        (each["calls"], each["why"]) if isinstance(each, dict) else tuple(each) for each in stored["refusals"]
    )
    return Distribution(**(stored | {"bars": bars, "refusals": refusals, "notes": tuple(stored["notes"])}))


def _moved_calls(stored: dict[str, Any]) -> MovedCalls:
    return MovedCalls(**(stored | {"most": tuple(Move(**each) for each in stored["most"])}))


class CallCounter:
    """Counts calls, added in batches, over a set as each of several sources has it."""

    def __init__(self, sources: Sequence[Source], question: SelectArguments) -> None:
        if question.edit is not None:
            # The table with the unsaved edit, as the proxy of the first source would load it.
            sources = [*sources, Source(SourceKind.TABLE, sources[0].proxy, question.edit)]
        self._tallies = [_Tally(source, question) for source in sources]
        self._moves = [_MoveTally(self._tallies[0], other) for other in self._tallies[1:]]

    def add(self, calls: Calls, broken: NDArray[np.bool_] | None = None) -> None:
        """Replay the calls in order; those marked in `broken` are left out."""
        hashes = call_hashes(calls) if any(tally.needs_hashes for tally in self._tallies) else None
        chosen = [tally.add(calls, hashes, broken) for tally in self._tallies]
        for each, other in zip(self._moves, chosen[1:], strict=True):
            each.add(chosen[0], other)

    def result(self) -> CountResult:
        """The counts so far. Moves are left out where neither source has the set."""
        return CountResult(
            distributions=tuple(tally.distribution() for tally in self._tallies),
            moves=tuple(each.result() for each in self._moves if each.has_destinations),
        )


class _Tally:
    """The count by one source."""

    def __init__(self, source: Source, question: SelectArguments) -> None:
        self.name = source.name
        self.destinations: Sequence[LiveDestination] = ()
        self._question = question
        self._replay: Replay | None = None
        self._notes: tuple[str, ...] = ()
        self._problem = self._load(source)
        self._calls = np.zeros(len(self.destinations), np.int64)
        self._total = 0

    def _load(self, source: Source) -> str:
        """Load the set; return why no call gets a destination, or "" if some do."""
        setid = self._question.setid
        try:
            preview = set_preview(source, setid)
        except NoPreviewError as error:
            return str(error)
        except LoadBrokenError as error:
            return f"A reload would fail: {error}"
        self._notes = preview.notes
        live = preview.memory.sets.get(setid)
        if live is None:
            return f"Set {setid} has no destinations there: ds_select_dst fails."
        self.destinations = live.destinations
        if not live.calls.count:
            return f"No destination in set {setid} is active: ds_select_dst fails for every call."
        # A random number and the hash of a random key fall alike on the weights.
        is_random = self._question.algorithm is Algorithm.RANDOM
        algorithm = Algorithm.CALL_ID if is_random else self._question.algorithm
        self._replay = Replay(live, algorithm, self._question.flags)
        return ""

    @property
    def needs_hashes(self) -> bool:
        """Whether calls are selected by the hash of their keys."""
        return self._replay is not None and self._replay.is_hashed

    def add(self, calls: Calls, hashes: Hashes | None, broken: NDArray[np.bool_] | None) -> Chosen:
        """What each call gets that is not broken."""
        if self._replay is None:
            chosen = np.full(len(calls), NOWHERE, np.int32)
        else:
            chosen = self._replay.choose(calls, hashes)
        if broken is not None:
            chosen = chosen[~broken]
        self._total += len(chosen)
        # An extra place in front counts NOWHERE, which saves a copy without it.
        self._calls += np.bincount(chosen + 1, minlength=len(self._calls) + 1)[1:]
        return chosen

    def distribution(self) -> Distribution:
        """The counts so far."""
        refused = self._total - int(self._calls.sum())
        by_weight, expected = _expected_shares(self.destinations, self._question)
        return Distribution(
            name=self.name,
            bars=tuple(
                DestinationCount(
                    uri=each.loaded.uri,
                    state=each.health.state.name.lower(),
                    weight=each.loaded.weight,
                    calls=int(self._calls[index]),
                    total=self._total,
                    by_weight=by_weight[index],
                    expected=expected[index],
                )
                for index, each in enumerate(self.destinations)
            ),
            total=self._total,
            refusals=((refused, Refusal.NO_KEY.value),) if refused and not self._problem else (),
            problem=self._problem,
            notes=self._notes,
        )


class _MoveTally:
    """The calls that `after` sends elsewhere than `before`; URIs are compared without regard to case."""

    def __init__(self, before: _Tally, after: _Tally) -> None:
        self._names = before.name, after.name
        self._keys = [[uri_key(each.loaded.uri) for each in tally.destinations] for tally in (before, after)]
        both = [*after.destinations, *before.destinations]
        self._uris = {uri_key(each.loaded.uri): each.loaded.uri for each in both}
        self._pairs: Counter[tuple[str | None, str | None]] = Counter()
        self._total = 0

    @property
    def has_destinations(self) -> bool:
        """Whether either source has the set at all."""
        return bool(self._uris)

    def add(self, before: Chosen, after: Chosen) -> None:
        """Count calls by what each source chose for them."""
        self._total += len(before)
        for move in moves(before, after, *self._keys):
            self._pairs[move.before, move.after] += move.calls

    def result(self) -> MovedCalls:
        """The moves so far."""
        most = tuple(
            Move(before and self._uris[before], after and self._uris[after], calls)
            for (before, after), calls in self._pairs.most_common(MAX_MOVES_SHOWN)
        )
        return MovedCalls(*self._names, total=self._total, moved=self._pairs.total(), most=most)


def _expected_shares(
    destinations: Sequence[LiveDestination], question: SelectArguments
) -> tuple[list[float | None], list[float | None]]:
    """The shares by weight, and by weight and state; the default destination has none by weight."""
    count = len(destinations)
    nothing: list[float | None] = [None] * count
    if question.algorithm is Algorithm.FIRST:
        return nothing, nothing
    has_default = SelectFlag.LAST_IS_DEFAULT in question.flags and count > 1
    members = destinations[:-1] if has_default else destinations
    found = shares([each.loaded.weight for each in members], [each.active for each in members])
    by_weight: list[float | None] = [float(each) for each in found.by_weight]
    expected: list[float | None] = [float(each) for each in found.effective]
    if has_default:
        by_weight.append(0.0)
        expected.append(0.0 if any(each.active for each in members) else 1.0)
    return by_weight, expected if question.algorithm in WEIGHTED_BY_HASH else nothing


def generated_calls(question: SelectArguments, count: int, seed: int) -> Calls:
    """The keys of `count` random calls that the algorithm hashes; the same seed gives the same calls.

    Call-IDs are 64 random bits in hexadecimal, callers and callees random numbers of seven digits in the
    domain example.org; the caller is auth user and custom key as well. Algorithm 6 gets random keys too.
    """
    dice = np.random.default_rng(seed)
    field = FIELD_OF.get(question.algorithm, KeyField.CALL_ID)
    if field is KeyField.CALL_ID:
        return Calls(_random_keys(dice, count, _HEX, _CALL_ID_LETTERS, after=b"@" + _DOMAIN))
    area = b"+4930" if field not in {KeyField.TO_URI, KeyField.REQUEST_URI} else b"+4989"
    numbers = _random_keys(dice, count, _DIGITS, _NUMBER_DIGITS, before=area)
    if field not in URIS:
        return Calls(numbers)
    host = b"" if SelectFlag.USER_ONLY in question.flags else _DOMAIN
    return Calls(numbers, _random_keys(dice, count, _DIGITS, 0, before=host))


def _random_keys(
    dice: np.random.Generator,
    count: int,
    letters: NDArray[np.uint8],
    length: int,
    before: bytes = b"",
    after: bytes = b"",
) -> Keys:
    """Keys of `length` random letters each, between the texts `before` and `after`."""
    width = len(before) + length + len(after)
    rows = np.empty((count, width), np.uint8)
    rows[:, : len(before)] = np.frombuffer(before, np.uint8)
    rows[:, len(before) : len(before) + length] = letters[dice.integers(0, len(letters), (count, length))]
    rows[:, len(before) + length :] = np.frombuffer(after, np.uint8)
    return Keys(rows.reshape(-1), np.arange(count + 1, dtype=np.int64) * width)
