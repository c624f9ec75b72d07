"""Counting which destination each of many calls gets, by several sources at once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.live import LiveDestination, LiveSet
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.requests import Request
from dispatcher.routing.selecting import SelectOptions, select
from dispatcher.routing.selection import Algorithm, SelectFlag, Selection
from dispatcher.routing.weights import shares
from efcp.preview.sources import Source, TooManyRowsError, set_preview
from efcp.preview.spread.bars import MOVES_SHOWN, Bar, Counted, Move, Moves, Refused, Spread
from efcp.preview.spread.question import WEIGHTED_BY_HASH, Question
from efcp.sip.uri import uri_key

_RAND_BITS = 31
"""What C's rand() gives."""

NOWHERE = -1
"""In the place of a destination's index: the call gets none."""


class Counting:
    """The count of calls, which come in portions, over a set as each of some sources has it."""

    def __init__(self, sources: Sequence[Source], question: Question) -> None:
        self._tallies = [_Tally(source, question) for source in sources]
        self._moves = [_Moves(self._tallies[0], other) for other in self._tallies[1:]]

    def add(self, calls: Sequence[Request]) -> None:
        """Send the calls one after the other."""
        chosen = [tally.add(calls) for tally in self._tallies]
        for moves, other in zip(self._moves, chosen[1:], strict=True):
            moves.add(chosen[0], other)

    def counted(self) -> Counted:
        """What has come of the calls so far."""
        return Counted(
            spreads=tuple(tally.spread() for tally in self._tallies),
            moves=tuple(moves.found() for moves in self._moves if moves.can_be_told),
        )


class _Tally:
    """The count by one source."""

    def __init__(self, source: Source, question: Question) -> None:
        self.name = source.name
        self.destinations: Sequence[LiveDestination] = ()
        self._question = question
        self._live: LiveSet | None = None
        self._notes: tuple[str, ...] = ()
        self._problem = self._load(source)
        self._refusals: Counter[str] = Counter()
        self._calls = np.zeros(len(self.destinations), np.int64)
        self._total = 0
        dice = Random(0)  # noqa: S311 - repeatable, not secret
        self._options = SelectOptions(flags=question.flags, random=lambda: dice.getrandbits(_RAND_BITS))

    def _load(self, source: Source) -> str:
        """Load the set; return why no call gets a destination of it, if so."""
        setid = self._question.setid
        try:
            preview = set_preview(source, setid)
        except TooManyRowsError as error:
            return str(error)
        except LoadBrokenError as error:
            return f"A reload would fail as a whole: {error}"
        self._environment = preview.memory.environment
        self._notes = tuple(dict.fromkeys(each.text for each in preview.findings))
        live = preview.memory.sets.get(setid)
        if live is None:
            return f"Set {setid} has no destination there: ds_select_dst fails."
        self.destinations = live.destinations
        if not live.calls.count:
            return f"No destination of set {setid} is active: ds_select_dst fails for every call."
        self._live = live
        return ""

    def add(self, calls: Sequence[Request]) -> NDArray[np.int32]:
        """The index of the destination that each call gets, or NOWHERE."""
        chosen = np.fromiter(self._chosen(calls), np.int32, len(calls))
        self._total += len(calls)
        self._calls += np.bincount(chosen[chosen >= 0], minlength=len(self._calls))
        return chosen

    def _chosen(self, calls: Sequence[Request]) -> Iterator[int]:
        for call in calls:
            if self._live is None:
                yield NOWHERE
                continue
            selection = select(self._live, self._question.algorithm, call, self._environment, self._options)
            if isinstance(selection, Selection):
                yield selection.chosen.index
            else:
                self._refusals[selection.refusal.value] += 1
                yield NOWHERE

    def spread(self) -> Spread:
        """What has come of the calls so far."""
        return Spread(
            name=self.name,
            bars=tuple(self._bars()),
            total=self._total,
            refusals=tuple(Refused(calls, why) for why, calls in self._refusals.most_common()),
            problem=self._problem,
            notes=self._notes,
        )

    def _bars(self) -> Iterator[Bar]:
        asked, foretold = _asked(self.destinations, self._question)
        for index, each in enumerate(self.destinations):
            yield Bar(
                uri=each.loaded.uri,
                state=each.health.state.name.lower(),
                weight=each.loaded.weight,
                calls=int(self._calls[index]),
                total=self._total,
                asked=asked[index],
                foretold=foretold[index],
            )


class _Moves:
    """The calls that go elsewhere by `after` than by `before`.

    A destination is the same by both where its URI is, in either case, and so is its place among its likes.
    """

    def __init__(self, before: _Tally, after: _Tally) -> None:
        self._before, self._after = before, after
        self._names: list[str] = [""]
        identities: dict[tuple[str, int], int] = {}
        self._ids_before = self._identify(before.destinations, identities)
        self._ids_after = self._identify(after.destinations, identities)
        self._pairs: Counter[int] = Counter()
        self._total = 0

    @property
    def can_be_told(self) -> bool:
        """Whether either source has the set at all."""
        return bool(self._before.destinations or self._after.destinations)

    def _identify(
        self, destinations: Sequence[LiveDestination], known: dict[tuple[str, int], int]
    ) -> NDArray[np.int64]:
        """A number for each destination, the same one for the same; at the end 0 for NOWHERE."""
        seen: Counter[str] = Counter()
        ids = []
        for each in destinations:
            key = uri_key(each.loaded.uri)
            seen[key] += 1
            number = known.setdefault((key, seen[key]), len(known) + 1)
            if number == len(self._names):
                self._names.append(each.loaded.uri)
            ids.append(number)
        return np.array([*ids, 0], np.int64)

    def add(self, before: NDArray[np.int32], after: NDArray[np.int32]) -> None:
        """Count calls by what each source chose for them."""
        self._total += len(before)
        left, right = self._ids_before[before], self._ids_after[after]
        differ = left != right
        pairs, calls = np.unique(left[differ] * len(self._names) + right[differ], return_counts=True)
        self._pairs.update(dict(zip(pairs.tolist(), calls.tolist(), strict=True)))

    def found(self) -> Moves:
        """The moves so far."""
        most = self._pairs.most_common(MOVES_SHOWN)
        return Moves(
            before=self._before.name,
            after=self._after.name,
            total=self._total,
            moved=self._pairs.total(),
            most=tuple(
                Move(self._names[pair // len(self._names)], self._names[pair % len(self._names)], calls)
                for pair, calls in most
            ),
        )


def _asked(
    destinations: Sequence[LiveDestination], question: Question
) -> tuple[list[float | None], list[float | None]]:
    """What weights ask for, and what states make of it; the default takes no part."""
    count = len(destinations)
    nothing: list[float | None] = [None] * count
    if question.algorithm is Algorithm.FIRST:
        return nothing, nothing
    has_default = SelectFlag.LAST_IS_DEFAULT in question.flags and count > 1
    taking_part = destinations[:-1] if has_default else destinations
    found = shares([each.loaded.weight for each in taking_part], [each.active for each in taking_part])
    asked: list[float | None] = [float(each) for each in found.asked]
    foretold: list[float | None] = [float(each) for each in found.effective]
    if has_default:
        asked.append(0.0)
        foretold.append(0.0 if any(each.active for each in taking_part) else 1.0)
    return asked, foretold if question.algorithm in WEIGHTED_BY_HASH else nothing
