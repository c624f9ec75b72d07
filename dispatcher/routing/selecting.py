"""A set sorted by load or by score, for algorithms 9 and 10 (dispatch.c: ds_pvar_algo, ds_route_algo)."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from dispatcher.routing.destinations import DestinationState, LiveSet, LoadedDestination
from dispatcher.routing.environment import Environment
from dispatcher.routing.hashing import Request, hash_of, uri_keys
from dispatcher.routing.selection import (
    DEFAULT_MAX_RESULTS,
    Algorithm,
    Basis,
    NoSelection,
    PassedOver,
    Pick,
    Refusal,
    SelectFlag,
    Selection,
    Why,
)
from efcp.sip.uri import UriError

Measure = Callable[[LoadedDestination], int]
"""The value that a destination is sorted by; the lowest comes first."""

_COUNTER = 1 << 16


@dataclass(frozen=True, slots=True)
class Ranking:
    """All indices of a set in order: those that could be ranked, then the rest, the default last.

    `ranked` is how many could be; `measures` are the requested values, by index.
    """

    order: list[int]
    ranked: int
    measures: tuple[tuple[int, int], ...]


def sorted_by_load(live: LiveSet, load: Measure, *, with_default: bool) -> Ranking:
    """Sort by `load`, equal ones in the set's order."""
    return _ranking(live, load, with_default=with_default, least=None)


def sorted_by_score(live: LiveSet, score: Measure, *, with_default: bool, negative_last: bool) -> Ranking:
    """Sort by `score`; `negative_last` puts those below 0 at the end, as later releases do."""
    return _ranking(live, score, with_default=with_default, least=0 if negative_last else None)


def _ranking(live: LiveSet, measure: Measure, *, with_default: bool, least: int | None) -> Ranking:
    count = len(live.destinations)
    default = [count - 1] if with_default else []
    ranked: list[int] = []
    values: list[int] = []
    rest: list[int] = []
    measures: list[tuple[int, int]] = []
    for index in range(count - len(default)):
        destination = live.destinations[index]
        if not destination.active:
            rest.append(index)
            continue
        value = measure(destination.loaded)
        measures.append((index, value))
        if least is not None and value < least:
            rest.append(index)
            continue
        place = bisect_right(values, value)
        values.insert(place, value)
        ranked.insert(place, index)
    # The loop fills the end of the list from behind.
    return Ranking([*ranked, *reversed(rest), *default], len(ranked), tuple(measures))


@dataclass(frozen=True, slots=True)
class SelectOptions:
    """The script's arguments and the module's parameters for a selection.

    `load` gives the value of the pvar_algo_pattern's variable for a destination (algorithm 9), `score` the
    return code of the algo_route (10); None where the parameter is not set. A route that returns 0 ends the
    script, on real proxies of all three releases, so that no call is sent. `random` is like C's rand().
    """

    flags: SelectFlag = SelectFlag.NONE
    max_results: int = DEFAULT_MAX_RESULTS
    load: Measure | None = None
    score: Measure | None = None
    random: Callable[[], int] | None = None


def select(
    live: LiveSet, algorithm: int, request: Request, environment: Environment, options: SelectOptions
) -> Selection | NoSelection:
    """Choose a destination of `live`, which remembers it as the last used one."""
    if not live.calls.count:
        return NoSelection(live.setid, algorithm, Refusal.NONE_ACTIVE, "No destination in the set is active.")
    return _Choice(live, algorithm, request, environment, options).choose()


@dataclass(slots=True)
class _Choice:
    """One choice under way."""

    live: LiveSet
    algorithm: int
    request: Request
    environment: Environment
    options: SelectOptions
    order: list[int] = field(default_factory=list)
    passed_over: dict[int, Why] = field(default_factory=dict)
    keys: tuple[bytes, ...] = ()
    hash: int = 0
    measures: tuple[tuple[int, int], ...] = ()

    @property
    def with_default(self) -> bool:
        return SelectFlag.LAST_IS_DEFAULT in self.options.flags

    @property
    def size(self) -> int:
        """How many destinations take part, the default aside."""
        count = len(self.live.destinations)
        return count - 1 if self.with_default and count > 1 else count

    def choose(self) -> Selection | NoSelection:
        candidate = self._candidate()
        if isinstance(candidate, NoSelection):
            return candidate
        chosen = candidate if candidate.basis is Basis.ORDER else self._active_instead_of(candidate)
        if chosen is None:
            return self._refused(Refusal.NONE_ACTIVE, "Only the default is left, and it is not active.")
        self._remember(chosen)
        failover = tuple(self._failover(chosen))
        return Selection(
            setid=self.live.setid,
            algorithm=self.algorithm,
            keys=self.keys,
            hash=self.hash,
            candidate=candidate,
            chosen=chosen,
            failover=failover,
            passed_over=tuple(PassedOver(index, why) for index, why in self.passed_over.items()),
            destinations=tuple(each.loaded for each in self.live.destinations),
            measures=self.measures,
        )

    def _refused(self, refusal: Refusal, text: str) -> NoSelection:
        return NoSelection(self.live.setid, self.algorithm, refusal, text)

    def _candidate(self) -> Pick | NoSelection:
        match self.algorithm:
            case Algorithm.ROUND_ROBIN:
                return self._in_turn()
            case Algorithm.RANDOM:
                if self.options.random is None:
                    raise ValueError("algorithm 6 needs a generator of random numbers")
                self.hash = self.options.random()
                return self._by_weight()
            case Algorithm.LOAD | Algorithm.SCORE:
                return self._sorted()
            case _ if self.algorithm in _KEYS:
                return self._hashed()
        return Pick(0, Basis.FIRST)

    def _hashed(self) -> Pick | NoSelection:
        try:
            keys = _KEYS[self.algorithm](self)
        except UriError as error:
            return self._refused(Refusal.BAD_URI, error.reason)
        if keys is None:
            if self.algorithm == Algorithm.AUTH_USER:
                return self._after_last()
            return self._refused(Refusal.NO_KEY, "hash_pvar is empty.")
        self.keys = keys
        self.hash = hash_of(*keys)
        return self._by_weight()

    def _in_turn(self) -> Pick:
        """Round robin: the last used one stays until it was chosen `weight` times in a row."""
        last = self.live.destinations[self.live.last]
        if last.turns < last.loaded.weight:
            return Pick(self.live.last, Basis.TURN)
        last.turns = 0
        return Pick((self.live.last + 1) % self.size, Basis.TURN)

    def _after_last(self) -> Pick:
        """Without a user to hash the last used destination is the candidate.

        The pointer is moved on before the choice, and put back to the chosen one after it: so a set that
        only such calls use stays where it is (recorded selections of algorithm 5).
        """
        pick = Pick(self.live.last, Basis.TURN)
        self.live.last = (self.live.last + 1) % self.size
        return pick

    def _by_weight(self) -> Pick:
        total = self.live.sums[self.size - 1]
        if not total:
            point = self.hash % self.size
            return Pick(point, Basis.POSITION, point, self.size)
        point = self.hash % total
        index = next(index for index in range(self.size) if point < self.live.sums[index])
        return Pick(index, Basis.WEIGHTS, point, total)

    def _sorted(self) -> Pick | NoSelection:
        if self.algorithm == Algorithm.LOAD:
            if self.options.load is None:
                # The proxy turns to algorithm 8 too late: the candidate is that of the hash 0.
                return self._by_weight()
            ranking = sorted_by_load(self.live, self.options.load, with_default=self.with_default)
        else:
            if self.options.score is None:
                return self._refused(Refusal.NO_ROUTE, "algo_route names no route.")
            ranking = sorted_by_score(
                self.live,
                self.options.score,
                with_default=self.with_default,
                negative_last=self.environment.release.ranks_negative_scores_last,
            )
        if not ranking.ranked:
            return self._refused(Refusal.ONLY_DEFAULT_ACTIVE, "Only the default is active.")
        self.order = ranking.order
        self.measures = ranking.measures
        return Pick(ranking.order[0], Basis.ORDER)

    def _active_instead_of(self, candidate: Pick) -> Pick | None:
        """The candidate if it is active, else the one that takes its calls; None where there is none."""
        if self._note_if_inactive(candidate.index):
            return candidate
        if self.hash:
            return self._by_weight_of_active() or self._default()
        index = (candidate.index + 1) % self.size
        while index != candidate.index:
            if self._note_if_inactive(index):
                return Pick(index, Basis.NEXT)
            index = (index + 1) % self.size
        return self._default()

    def _by_weight_of_active(self) -> Pick | None:
        live = self.live
        active = [index for index in range(self.size) if live.destinations[index].active]
        if not active:
            return None
        total = live.calls.sums[self.size - 1]
        if not total:
            point = self.hash % len(active)
            return Pick(active[point], Basis.POSITION, point, len(active))
        point = self.hash % total
        index = next(index for index in active if point < live.calls.sums[index])
        return Pick(index, Basis.WEIGHTS, point, total)

    def _default(self) -> Pick | None:
        index = len(self.live.destinations) - 1
        if self.with_default and self.live.destinations[index].active:
            return Pick(index, Basis.DEFAULT)
        return None

    def _note_if_inactive(self, index: int) -> bool:
        """Whether the destination is active; one that is not is noted as passed over."""
        health = self.live.destinations[index].health
        if health.active:
            return True
        self.passed_over[index] = Why.INACTIVE if health.state is DestinationState.INACTIVE else Why.PROBING
        return False

    def _remember(self, chosen: Pick) -> None:
        # Of a sorted set the proxy remembers the place in the order, which is always the first.
        self.live.last = 0 if self.order else chosen.index
        destination = self.live.destinations[chosen.index]
        destination.first_hits = (destination.first_hits + 1) % _COUNTER
        if self.algorithm == Algorithm.ROUND_ROBIN:
            destination.turns = (destination.turns + 1) % _COUNTER

    def _failover(self, chosen: Pick) -> list[int]:
        """The ring after the chosen one, active ones only; `max_results` cuts the far end.

        The maximum counts the chosen one, but neither the default nor, where the default itself was chosen,
        that (recorded selections with `max`).
        """
        count = len(self.live.destinations)
        default = count - 1 if self.with_default else None
        ring = self.order[1:] if self.order else [(chosen.index + step) % count for step in range(1, count)]
        others = [index for index in ring if index != default and self._note_if_inactive(index)]
        if SelectFlag.FAILOVER not in self.options.flags:
            self._pass_over_all(others, Why.NO_FAILOVER)
            return []
        eligible = sum(each.active for index, each in enumerate(self.live.destinations) if index != default)
        surplus = max(0, eligible - self.options.max_results)
        kept = others[: max(0, len(others) - surplus)]
        self._pass_over_all(others[len(kept) :], Why.BEYOND_MAXIMUM)
        place = 0 if self.order else chosen.index
        if default is not None and place != default:
            kept.append(default)
        return kept

    def _pass_over_all(self, indices: list[int], why: Why) -> None:
        self.passed_over.update(dict.fromkeys(indices, why))


def _call_id_keys(choice: _Choice) -> tuple[bytes, ...] | None:
    return (choice.request.call_id_key,)


def _uri_keys(uri_of: Callable[[Request], str]) -> Callable[[_Choice], tuple[bytes, ...] | None]:
    def keys(choice: _Choice) -> tuple[bytes, ...] | None:
        return uri_keys(
            uri_of(choice.request),
            choice.environment,
            user_only=SelectFlag.USER_ONLY in choice.options.flags,
        )

    return keys


def _auth_keys(choice: _Choice) -> tuple[bytes, ...] | None:
    key = choice.request.auth_key
    return None if key is None else (key,)


def _variable_keys(choice: _Choice) -> tuple[bytes, ...] | None:
    key = choice.request.hash_value_key
    return (key,) if key else None


_KEYS: dict[int, Callable[[_Choice], tuple[bytes, ...] | None]] = {
    Algorithm.CALL_ID: _call_id_keys,
    Algorithm.FROM_URI: _uri_keys(lambda request: request.from_uri),
    Algorithm.TO_URI: _uri_keys(lambda request: request.to_uri),
    Algorithm.REQUEST_URI: _uri_keys(lambda request: request.request_uri),
    Algorithm.AUTH_USER: _auth_keys,
    Algorithm.HASH_VARIABLE: _variable_keys,
}
