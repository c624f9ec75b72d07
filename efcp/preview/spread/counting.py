"""Counting which destination each of many calls gets, by several sources at once."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.live import LiveDestination
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.replay import NOWHERE, Calls, Replay, moves
from dispatcher.routing.selection import Algorithm, Refusal, SelectFlag
from dispatcher.routing.weights import shares
from efcp.preview.sources import NoPreviewError, Source, Which, set_preview
from efcp.preview.spread.bars import MOVES_SHOWN, Bar, Counted, Move, Moves, Refused, Spread
from efcp.preview.spread.question import WEIGHTED_BY_HASH, Question
from efcp.sip.uri import uri_key

Chosen = NDArray[np.int32]
"""The index of the destination that each call gets, or NOWHERE."""


class Counting:
    """The count of calls, which come in portions, over a set as each of some sources has it."""

    def __init__(self, sources: Sequence[Source], question: Question) -> None:
        self._tallies = [_Tally(source, question) for source in _with_edit(sources, question)]
        self._moves = [_Moves(self._tallies[0], other) for other in self._tallies[1:]]

    def add(self, calls: Calls, broken: NDArray[np.bool_] | None = None) -> None:
        """Send the calls one after the other; those that are marked as broken are left out."""
        chosen = [tally.add(calls, broken) for tally in self._tallies]
        for each, other in zip(self._moves, chosen[1:], strict=True):
            each.add(chosen[0], other)

    def counted(self) -> Counted:
        """What has come of the calls so far."""
        return Counted(
            spreads=tuple(tally.spread() for tally in self._tallies),
            moves=tuple(each.found() for each in self._moves if each.can_be_told),
        )


def _with_edit(sources: Sequence[Source], question: Question) -> list[Source]:
    """The sources, and the table with the edit that is not saved, as the first of them would load it."""
    if question.edit is None:
        return list(sources)
    return [*sources, Source(Which.TABLE, sources[0].proxy, question.edit)]


class _Tally:
    """The count by one source."""

    def __init__(self, source: Source, question: Question) -> None:
        self.name = source.name
        self.destinations: Sequence[LiveDestination] = ()
        self._question = question
        self._replay: Replay | None = None
        self._notes: tuple[str, ...] = ()
        self._problem = self._load(source)
        self._calls = np.zeros(len(self.destinations), np.int64)
        self._total = 0

    def _load(self, source: Source) -> str:
        """Load the set; return why no call gets a destination of it, if so."""
        setid = self._question.setid
        try:
            preview = set_preview(source, setid)
        except NoPreviewError as error:
            return str(error)
        except LoadBrokenError as error:
            return f"A reload would fail as a whole: {error}"
        self._notes = preview.notes
        live = preview.memory.sets.get(setid)
        if live is None:
            return f"Set {setid} has no destination there: ds_select_dst fails."
        self.destinations = live.destinations
        if not live.calls.count:
            return f"No destination of set {setid} is active: ds_select_dst fails for every call."
        # A random number and the hash of a random key fall alike on the weights.
        of_random = self._question.algorithm is Algorithm.RANDOM
        algorithm = Algorithm.CALL_ID if of_random else self._question.algorithm
        self._replay = Replay(live, algorithm, self._question.flags)
        return ""

    def add(self, calls: Calls, broken: NDArray[np.bool_] | None) -> Chosen:
        """What each call gets that is not broken."""
        chosen = self._replay.choose(calls) if self._replay else np.full(len(calls), NOWHERE, np.int32)
        if broken is not None:
            chosen = chosen[~broken]
        self._total += len(chosen)
        # A place in front for NOWHERE, so that no copy has to be made without it.
        self._calls += np.bincount(chosen + 1, minlength=len(self._calls) + 1)[1:]
        return chosen

    def spread(self) -> Spread:
        """What has come of the calls so far."""
        refused = self._total - int(self._calls.sum())
        told = refused and not self._problem
        return Spread(
            name=self.name,
            bars=tuple(self._bars()),
            total=self._total,
            refusals=(Refused(refused, Refusal.NO_KEY.value),) if told else (),
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
    """The calls that go elsewhere by `after` than by `before`; the same URI in either case is the same."""

    def __init__(self, before: _Tally, after: _Tally) -> None:
        self._before, self._after = before, after
        self._keys_before, self._keys_after = _keys(before), _keys(after)
        self._uris = {uri_key(each.loaded.uri): each.loaded.uri for each in _both(before, after)}
        self._pairs: Counter[tuple[str | None, str | None]] = Counter()
        self._total = 0

    @property
    def can_be_told(self) -> bool:
        """Whether either source has the set at all."""
        return bool(self._uris)

    def add(self, before: Chosen, after: Chosen) -> None:
        """Count calls by what each source chose for them."""
        self._total += len(before)
        for move in moves(before, after, self._keys_before, self._keys_after):
            self._pairs[move.before, move.after] += move.calls

    def found(self) -> Moves:
        """The moves so far."""
        most = self._pairs.most_common(MOVES_SHOWN)
        return Moves(
            before=self._before.name,
            after=self._after.name,
            total=self._total,
            moved=self._pairs.total(),
            most=tuple(
                Move(self._shown(before), self._shown(after), calls) for (before, after), calls in most
            ),
        )

    def _shown(self, key: str | None) -> str:
        return "" if key is None else self._uris[key]


def _both(before: _Tally, after: _Tally) -> list[LiveDestination]:
    return [*after.destinations, *before.destinations]


def _keys(tally: _Tally) -> list[str]:
    return [uri_key(each.loaded.uri) for each in tally.destinations]


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
