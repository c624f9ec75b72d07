"""The same calls under each algorithm, side by side, and what that says of dispatcher or load balancer."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.routing.live import LiveSet
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.replay import Replay
from dispatcher.routing.selection import Algorithm
from dispatcher.routing.weights import shares
from efcp.preview.algorithms.simulation import SLICES, Evenness, Indices, balanced, evenness
from efcp.preview.algorithms.traffic import Traffic
from efcp.preview.sources import NoPreviewError, Source, set_preview
from efcp.preview.spread.generated import generated_calls
from efcp.preview.spread.question import ALGORITHMS, Question

MAX_DESTINATIONS = 200
LOAD_BALANCER = "load_balancer · least relative load"
WIDTH, HEIGHT = 240, 40
MOST_DRAWN = 3.0
"""Multiples of the fair part beyond which the picture is cut."""

MAX_NOTES = 5
CLEARLY = 0.1
"""A tenth of the fair part: less is no reason to keep dialogs."""

_COMPARED = (
    Algorithm.CALL_ID,
    Algorithm.FROM_URI,
    Algorithm.TO_URI,
    Algorithm.REQUEST_URI,
    Algorithm.ROUND_ROBIN,
    Algorithm.AUTH_USER,
    Algorithm.RANDOM,
    Algorithm.HASH_VARIABLE,
    Algorithm.FIRST,
)


@dataclass(frozen=True, slots=True)
class Result:
    """One algorithm's evenness, with the band between least and most loaded as the points of a polygon."""

    name: str
    evenness: Evenness
    band: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the page shows; with a `problem` there is nothing to compare."""

    source: str
    uris: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    words: tuple[str, ...] = ()
    problem: str = ""

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        """For each destination its calls, algorithm by algorithm."""
        return [
            (uri, [each.evenness.calls[index] for each in self.results])
            for index, uri in enumerate(self.uris)
        ]


def compare(source: Source, setid: int, traffic: Traffic, capacity: int, seed: int) -> Comparison:
    """Send the same calls by each algorithm; `capacity` is how many calls a weight of 1 stands for."""
    try:
        preview = set_preview(source, setid)
    except (NoPreviewError, LoadBrokenError) as error:
        return Comparison(source.name, problem=str(error))
    live = preview.memory.sets.get(setid)
    problem = _problem(live, setid, traffic)
    if live is None or problem:
        return Comparison(source.name, problem=problem)
    weights = [each.loaded.weight for each in live.destinations]
    active = [each.active for each in live.destinations]
    wanted = [float(share) for share in shares(weights, active).effective]
    found = [
        _result(
            ALGORITHMS[algorithm], evenness(traffic, _chosen(live, algorithm, len(traffic), seed), wanted)
        )
        for algorithm in _COMPARED
    ]
    by_load = balanced(traffic, [weight * capacity for weight in weights], active)
    found.append(_result(LOAD_BALANCER, evenness(traffic, by_load, wanted)))
    uris = tuple(each.loaded.uri for each in live.destinations)
    return Comparison(source.name, uris, tuple(found), (*_words(found, traffic), *preview.notes[:MAX_NOTES]))


def _problem(live: LiveSet | None, setid: int, traffic: Traffic) -> str:
    if live is None:
        return f"Set {setid} has no destination there."
    if not live.calls.count:
        return f"No destination of set {setid} is active."
    if len(live.destinations) > MAX_DESTINATIONS:
        return f"Set {setid} has more than {MAX_DESTINATIONS} destinations, too many for a table."
    return "" if len(traffic) else "There is no call to send."


def _chosen(live: LiveSet, algorithm: Algorithm, count: int, seed: int) -> Indices:
    calls = generated_calls(Question(live.setid, algorithm), count, seed)
    # A hash of random keys is as good a random number as any.
    return Replay(live, Algorithm.CALL_ID if algorithm is Algorithm.RANDOM else algorithm).choose(calls)


def _result(name: str, found: Evenness) -> Result:
    return Result(name, found, _band(found.lows, found.highs))


def _band(lows: Sequence[float], highs: Sequence[float]) -> str:
    """The polygon's points: along the most loaded to the right, along the least loaded back."""
    step = WIDTH / max(1, SLICES - 1)

    def point(index: int, load: float) -> str:
        return f"{index * step:.1f},{HEIGHT * (1 - min(load, MOST_DRAWN) / MOST_DRAWN):.1f}"

    there = [point(index, load) for index, load in enumerate(highs)]
    back = [point(index, load) for index, load in enumerate(lows)]
    return " ".join([*there, *reversed(back)])


def _words(found: Sequence[Result], traffic: Traffic) -> list[str]:
    """The guide's question, answered by these calls."""
    balancer = found[-1].evenness
    best = min(found[:-1], key=lambda each: each.evenness.worst)
    gain = best.evenness.worst - balancer.worst
    told = [
        f"Of the dispatcher's algorithms {best.name} is the evenest here: its busiest destination carries"
        f" {_percent(best.evenness.worst)} of its fair part on average, under load_balancer"
        f" {_percent(balancer.worst)}."
    ]
    if balancer.lost:
        told.append(
            f"load_balancer refuses {balancer.lost} calls, since every destination is at its capacity then;"
            " the dispatcher knows no capacity and sends them all the same."
        )
    if gain < CLEARLY:
        told.append(
            "That is no reason for the load balancer: the dispatcher spreads these calls as well, and keeps"
            " no dialogs."
        )
    else:
        told.append(
            "These calls speak for the load balancer, where every call can be kept as a dialog: it counts the"
            " calls under way, and the dispatcher only those that begin."
        )
    if traffic.variation > 1:
        told.append("The durations differ much, so that who begins as many calls does not carry as many.")
    return told


def _percent(load: float) -> str:
    return f"{100 * load:.0f} %"
