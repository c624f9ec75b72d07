"""Counting which destination each of many calls gets."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from dispatcher.routing.environment import Environment
from dispatcher.routing.live import LiveDestination, LiveSet
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.requests import Request
from dispatcher.routing.selecting import SelectOptions, select
from dispatcher.routing.selection import Algorithm, SelectFlag, Selection
from dispatcher.routing.states import State
from dispatcher.routing.weights import shares
from efcp.preview.sources import Source, TooManyRowsError, set_preview
from efcp.preview.spread.question import WEIGHTED_BY_HASH, Question

BARS_SHOWN = 200
_RAND_BITS = 31
"""What C's rand() gives."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One destination of the set: what it got, and the part that the weights ask for.

    `asked` is the fraction were every destination active, `foretold` what the states make of it for a hash
    that spreads evenly; None where the algorithm does not go by that.
    """

    uri: str
    state: State
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
    def state_name(self) -> str:
        """The state as pages name it."""
        return self.state.name.lower()

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

    @property
    def asked_percent(self) -> float | None:
        """The percentage that the weights ask for."""
        return None if self.asked is None else 100 * self.asked

    @property
    def foretold_percent(self) -> float | None:
        """The percentage that weights and states together ask for."""
        return None if self.foretold is None else 100 * self.foretold


@dataclass(frozen=True, slots=True)
class Refused:
    """How many calls got no destination, and why."""

    calls: int
    why: str


@dataclass(frozen=True, slots=True)
class Spread:
    """How the calls spread over the set as one source has it; `problem` says why they don't."""

    source: Source
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


def spread(source: Source, question: Question, calls: Sequence[Request]) -> Spread:
    """Send the calls one after the other to the set as `source` has it."""
    try:
        preview = set_preview(source, question.setid)
    except TooManyRowsError as error:
        return Spread(source, problem=str(error))
    except LoadBrokenError as error:
        return Spread(source, problem=f"A reload would fail as a whole: {error}")
    live = preview.memory.sets.get(question.setid)
    if live is None:
        return Spread(source, problem=f"Set {question.setid} has no destination there: ds_select_dst fails.")
    if not live.calls.count:
        return Spread(
            source,
            bars=tuple(_bars(live, question, Counter(), 0)),
            problem=f"No destination of set {question.setid} is active: ds_select_dst fails for every call.",
        )
    chosen = Counter(_chosen(live, question, calls, preview.memory.environment))
    return Spread(
        source,
        bars=tuple(_bars(live, question, chosen, len(calls))),
        total=len(calls),
        refusals=tuple(Refused(calls, why) for why, calls in chosen.items() if isinstance(why, str)),
        notes=tuple(dict.fromkeys(each.text for each in preview.findings)),
    )


def _chosen(
    live: LiveSet, question: Question, calls: Sequence[Request], environment: Environment
) -> Iterator[int | str]:
    dice = Random(0)  # noqa: S311 - repeatable, not secret
    options = SelectOptions(flags=question.flags, random=lambda: dice.getrandbits(_RAND_BITS))
    for call in calls:
        selection = select(live, question.algorithm, call, environment, options)
        yield selection.chosen.index if isinstance(selection, Selection) else selection.refusal.value


def _bars(live: LiveSet, question: Question, chosen: Counter[int | str], total: int) -> Iterator[Bar]:
    asked, foretold = _asked(live.destinations, question)
    for index, each in enumerate(live.destinations):
        yield Bar(
            uri=each.loaded.uri,
            state=each.health.state,
            weight=each.loaded.weight,
            calls=chosen[index],
            total=total,
            asked=asked[index],
            foretold=foretold[index],
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
