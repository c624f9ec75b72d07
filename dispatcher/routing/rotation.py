"""Round robin over many calls, and what other algorithms need of the pointer that all of them share."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.live import LiveSet

_COUNTER = 1 << 16


@dataclass(slots=True)
class Rotation:
    """Whose turn it is; `size` are those that take part, the default (the last one) aside.

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

        Whoever has the turn keeps it for a run of calls; once the whole state has come back, the runs repeat.
        """
        chosen: list[int] = []
        lengths: list[int] = []
        seen: dict[tuple[int, ...], int] = {}
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
            if state in seen:
                return self._repeated(_spread(chosen, lengths), done - seen[state], count - done)
            seen[state] = done
        return _spread(chosen, lengths)

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
        """What came so far, and its last `lap` calls again and again for `rest` more.

        The state is that of the lap's end; what is left of a lap is walked, so that it is right afterwards.
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
        return _spread(chosen, lengths)

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


def _spread(chosen: list[int], lengths: list[int]) -> NDArray[np.int32]:
    return np.repeat(np.array(chosen, np.int32), np.array(lengths, np.int64))
