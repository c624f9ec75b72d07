"""Replay many calls at once through the algorithms that hash, and round robin.

Equal to `selecting`, call by call, but without reasons: only the index chosen. States do not change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.destinations import LiveSet
from dispatcher.routing.selection import Algorithm, SelectFlag

_COUNTER = 1 << 16

NOWHERE = -1
"""Instead of a destination's index: the proxy refuses to select."""

HASHED = frozenset(
    {
        Algorithm.CALL_ID,
        Algorithm.FROM_URI,
        Algorithm.TO_URI,
        Algorithm.REQUEST_URI,
        Algorithm.AUTH_USER,
        Algorithm.HASH_VARIABLE,
    }
)
"""The algorithms whose keys are needed."""

_BATCH = 16_384
_WORD = 4
_SIGNS = np.uint32(0x00808080)
Hashes = NDArray[np.uint32]
_Indices = NDArray[np.int32]


@dataclass(slots=True)
class Rotation:
    """Whose turn it is; `size` members take part, without the default (the last one).

    `turns` is how often in a row each was chosen.
    """

    weights: tuple[int, ...]
    active: tuple[bool, ...]
    size: int
    has_default: bool
    last: int
    turns: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, live: LiveSet, *, with_default: bool) -> "Rotation":
        """Go on where `live` stands."""
        count = len(live.destinations)
        return cls(
            weights=tuple(each.loaded.weight for each in live.destinations),
            active=tuple(each.active for each in live.destinations),
            size=count - 1 if with_default and count > 1 else count,
            has_default=with_default,
            last=live.last,
            turns=[each.turns for each in live.destinations],
        )

    def default(self) -> int:
        """The default's index if it is there and active, else -1."""
        index = len(self.active) - 1
        return index if self.has_default and self.active[index] else -1

    def first(self) -> int:
        """Who gets every call of the algorithms that take the first entry."""
        return self._active_from(0)

    def after_last(self) -> int:
        """Who gets a call without a key."""
        return self._active_from(self.last)

    def turns_of(self, count: int) -> NDArray[np.int32]:
        """Who gets the next `count` calls, one after the other; at least one destination is active.

        A destination keeps its turn for a run of calls; once the whole state has come back, the runs repeat.
        """
        chosen: list[int] = []
        lengths: list[int] = []
        reached: dict[tuple[int, ...], int] = {}
        done = 0
        while done < count:
            index = self._next()
            length = self._run(index, count - done)
            chosen.append(index)
            lengths.append(length)
            done += length
            if index != chosen[0]:
                continue
            state = tuple(self.turns)
            if state in reached:
                return self._repeated(_expanded(chosen, lengths), done - reached[state], count - done)
            reached[state] = done
        return _expanded(chosen, lengths)

    def _next(self) -> int:
        """Whose turn is the next call."""
        if self.turns[self.last] < self.weights[self.last]:
            return self._active_from(self.last)
        self.turns[self.last] = 0
        return self._active_from((self.last + 1) % self.size)

    def _run(self, index: int, most: int) -> int:
        """Give `index` its calls in a row, at most `most`; return how many."""
        self.last = index
        length = min(most, max(1, self.weights[index] - self.turns[index]))
        self.turns[index] = (self.turns[index] + length) % _COUNTER
        return length

    def _repeated(self, so_far: NDArray[np.int32], lap: int, rest: int) -> NDArray[np.int32]:
        """The calls so far, and their last `lap` calls repeated for `rest` more.

        An incomplete last lap is walked, so that the state is right afterwards.
        """
        laps, remainder = divmod(rest, lap)
        one_lap = so_far[len(so_far) - lap :]
        return np.concatenate([so_far, np.tile(one_lap, laps), self._walked(remainder)])

    def _walked(self, count: int) -> NDArray[np.int32]:
        chosen: list[int] = []
        lengths: list[int] = []
        done = 0
        while done < count:
            chosen.append(self._next())
            lengths.append(self._run(chosen[-1], count - done))
            done += lengths[-1]
        return _expanded(chosen, lengths)

    def _active_from(self, index: int) -> int:
        """`index`, or the next active one in the ring, or else the default; -1 where that is inactive too."""
        if self.active[index]:
            return index
        candidate = (index + 1) % self.size
        while candidate != index:
            if self.active[candidate]:
                return candidate
            candidate = (candidate + 1) % self.size
        return self.default()


def _expanded(chosen: list[int], lengths: list[int]) -> NDArray[np.int32]:
    return np.repeat(np.array(chosen, np.int32), np.array(lengths, np.int64))


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys packed one after the other: number i is `data[offsets[i]:offsets[i + 1]]`, of uint8 and int64."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> "Keys":
        """Pack `keys`."""
        parts = list(keys)
        lengths = np.fromiter((len(part) for part in parts), np.int64, len(parts))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return cls(np.frombuffer(b"".join(parts), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True)
class Calls:
    """The keys of N calls: one each, or two for a URI (`requests.uri_keys`).

    `missing` marks the calls that have no key to hash: without a digest user under algorithm 5, an empty
    variable under 7, a URI that the proxy does not parse. The placeholder of their key is not read.
    """

    first: Keys
    second: Keys | None = None
    missing: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.first)


def hashes_of(first: Keys, second: Keys | None = None) -> Hashes:
    """`hashing.hash_of` for each key, or pair of keys."""
    total = _sums_of_words(first)
    if second is not None:
        total += _sums_of_words(second)
    total += (total >> np.uint32(11)) + (total >> np.uint32(13)) + (total >> np.uint32(23))
    total[total == 0] = 1
    return total


def call_hashes(calls: Calls) -> Hashes:
    """The hash of each call's key or keys, in batches that fit the processor's cache."""
    found = np.empty(len(calls), np.uint32)
    for begin in range(0, len(calls), _BATCH):
        end = min(begin + _BATCH, len(calls))
        second = None if calls.second is None else _slice(calls.second, begin, end)
        found[begin:end] = hashes_of(_slice(calls.first, begin, end), second)
    return found


class Replay:
    """Calls through one set by one algorithm, in batches; the last used destination is kept in between.

    Takes the weights, states and pointers of `live` as they are, and leaves `live` alone. Raises ValueError
    for an algorithm that is neither hashed nor round robin nor the first one (8).
    """

    def __init__(self, live: LiveSet, algorithm: int, flags: SelectFlag = SelectFlag.NONE) -> None:
        if algorithm not in HASHED | {Algorithm.ROUND_ROBIN, Algorithm.FIRST}:
            raise ValueError(f"algorithm {algorithm} can't be replayed from keys")
        self._algorithm = algorithm
        self._none_active = not live.calls.count
        self._rotation = Rotation.of(live, with_default=SelectFlag.LAST_IS_DEFAULT in flags)
        self._by_weight = _Places.over_all(live, self._rotation.size)
        self._by_weight_of_active = _Places.over_active(live, self._rotation)
        self._active = np.array(self._rotation.active, np.bool_)

    @property
    def is_hashed(self) -> bool:
        """Whether it selects by the hash of a call's keys."""
        return self._algorithm in HASHED

    def choose(self, calls: Calls, hashes: Hashes | None = None) -> _Indices:
        """The index of the destination that each call gets, or NOWHERE.

        `hashes` are those of the calls, where they are known already; only the hashed algorithms need them.
        """
        if not self.is_hashed:
            return self.choose_unkeyed(len(calls))
        if self._none_active:
            return np.full(len(calls), NOWHERE, np.int32)
        chosen = self._chosen(call_hashes(calls) if hashes is None else hashes)
        if calls.missing is not None and calls.missing.any():
            self._choose_without_key(chosen, calls.missing)
        self._remember(chosen)
        return chosen

    def choose_unkeyed(self, count: int) -> _Indices:
        """As `choose`, for round robin and the first one, which need no keys."""
        if self._none_active:
            return np.full(count, NOWHERE, np.int32)
        if self._algorithm == Algorithm.FIRST:
            return np.full(count, self._rotation.first(), np.int32)
        return self._rotation.turns_of(count)

    def _chosen(self, hashes: Hashes) -> _Indices:
        chosen = self._by_weight.at(hashes)
        inactive = np.flatnonzero(~self._active[chosen])
        if len(inactive):
            chosen[inactive] = self._by_weight_of_active.at(hashes[inactive])
        return chosen

    def _choose_without_key(self, chosen: _Indices, missing: NDArray[np.bool_]) -> None:
        """Algorithm 5 goes on with the last used one, which the call before has chosen; others refuse."""
        if self._algorithm != Algorithm.AUTH_USER:
            chosen[missing] = NOWHERE
            return
        with_key = np.where(missing, -1, np.arange(len(chosen)))
        before = np.maximum.accumulate(with_key)
        chosen[:] = np.where(before < 0, self._rotation.after_last(), chosen[before])

    def _remember(self, chosen: _Indices) -> None:
        keyed = np.flatnonzero(chosen != NOWHERE)
        if len(keyed):
            self._rotation.last = int(chosen[keyed[-1]])


@dataclass(frozen=True, slots=True)
class Move:
    """How many calls go to `after` and not to `before` any more; None is nowhere."""

    before: str | None
    after: str | None
    calls: int


def moves(
    before: _Indices, after: _Indices, uris_before: Sequence[str], uris_after: Sequence[str]
) -> list[Move]:
    """Who loses calls to whom between two replays of the same calls, the most first.

    A destination is the same in both where its URI is; compare the URIs' keys (`uri_key`) to be exact.
    """
    names: list[str | None] = [None, *dict.fromkeys([*uris_before, *uris_after])]
    number = {name: index for index, name in enumerate(names)}
    was = _renumbered(before, [number[uri] for uri in uris_before])
    now = _renumbered(after, [number[uri] for uri in uris_after])
    moved = was != now
    pairs, counts = np.unique(was[moved] * len(names) + now[moved], return_counts=True)
    found = [
        Move(names[pair // len(names)], names[pair % len(names)], count)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]
    return sorted(found, key=lambda move: -move.calls)


@dataclass(frozen=True, slots=True)
class _Places:
    """Whom a hash means: `table[hash % len(table)]`."""

    table: _Indices

    @classmethod
    def over_all(cls, live: LiveSet, size: int) -> "_Places":
        """By the weights of all that take part, whatever their state; by position where they sum to 0."""
        if not size or not live.sums[size - 1]:
            return cls(np.arange(max(size, 1), dtype=np.int32))
        return cls(_spans(live.sums[:size], range(size)))

    @classmethod
    def over_active(cls, live: LiveSet, rotation: Rotation) -> "_Places":
        """By the weights of the active ones; where none is, the default takes all, or nobody does."""
        active = [index for index in range(rotation.size) if rotation.active[index]]
        if not active:
            return cls(np.array([rotation.default()], np.int32))
        sums = live.calls.sums[: rotation.size]
        if not sums[-1]:
            return cls(np.array(active, np.int32))
        return cls(_spans([sums[index] for index in active], active, int(sums[-1])))

    def at(self, hashes: Hashes) -> _Indices:
        """The index that each hash means."""
        found: _Indices = self.table[hashes % np.uint32(len(self.table))]
        return found


def _spans(sums: Sequence[int], indices: Sequence[int], total: int | None = None) -> _Indices:
    """For each point below the total the first of `indices` whose running sum is above it.

    Sums of 16 bits may overflow and fall, so that only the highest so far finds anybody.
    """
    points = np.arange(sums[-1] if total is None else total)
    highest = np.maximum.accumulate(np.array(sums))
    return np.array(indices, np.int32)[np.searchsorted(highest, points, side="right")]


def _slice(keys: Keys, begin: int, end: int) -> Keys:
    return Keys(keys.data, keys.offsets[begin : end + 1])


def _sums_of_words(keys: Keys) -> Hashes:
    """The sum over the words of four bytes of each key, and the shorter one at its end."""
    starts = keys.offsets[:-1] - keys.offsets[0]
    lengths = np.diff(keys.offsets)
    words = _words_at_every_byte(keys.data[keys.offsets[0] : keys.offsets[-1]])
    # Longest first: those that still have a word are then always the front part.
    counts = lengths // _WORD
    order = np.argsort(-counts, kind="stable")
    places, remaining = starts[order], counts[order]
    total = np.zeros(len(order), np.uint32)
    having = len(order)
    for number in range(int(remaining[0]) if len(remaining) else 0):
        having = int(np.searchsorted(-remaining[:having], -number, side="left"))
        total[:having] += _mixed(words[places[:having] + _WORD * number])
    rest = lengths[order] % _WORD
    last = words[places + _WORD * remaining] >> (np.uint32(8) * (_WORD - rest).astype(np.uint32) % 32)
    total += np.where(rest > 0, _mixed(last), np.uint32(0))
    found = np.empty_like(total)
    found[order] = total
    return found


def _words_at_every_byte(data: NDArray[np.uint8]) -> Hashes:
    """The four bytes from each place on as one big-endian word; zeros follow the data."""
    padded = np.concatenate([data, np.zeros(_WORD, np.uint8)])
    overlapping = np.ndarray((len(data) + 1,), dtype=">u4", buffer=padded.data, strides=(1,))
    return overlapping.astype(np.uint32)


def _mixed(words: Hashes) -> Hashes:
    """Each byte counts as signed: of one above 127 the next higher place gets one less."""
    signed: Hashes = words - ((words & _SIGNS) << np.uint32(1))
    mixed: Hashes = signed ^ (signed >> np.uint32(3))
    return mixed


def _renumbered(chosen: _Indices, numbers: Sequence[int]) -> NDArray[np.int64]:
    """Each index by its number, NOWHERE as 0."""
    return np.array([*numbers, 0], np.int64)[chosen]
