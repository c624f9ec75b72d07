"""One call, worked out and explained in words and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from dispatcher.routing.destinations import DestinationState, LiveSet, LoadedDestination
from dispatcher.routing.hashing import Request
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.memory import FailoverList, ProxyMemory, UnknownDestinationError
from dispatcher.routing.probing import ProbingSettings
from dispatcher.routing.selecting import SelectOptions
from dispatcher.routing.selection import Algorithm, Basis, NoSelection, Pick, Refusal, SelectFlag, Selection
from efcp.charts.axes import Tick, span_axis
from efcp.preview.sources import NoPreviewError, Source, set_preview
from efcp.script.script_routes import THE_GUIDES, Handling

WIDTH = 100
"""Places are in per cent."""

"""Of the bar, in its own units."""

MAX_LISTED = 200
MAX_LABELLED = 12
_RAND_BITS = 31
_MARKS = {"p": DestinationState.PROBING, "i": DestinationState.INACTIVE}
_HASHED_URIS: dict[int, str] = {
    Algorithm.FROM_URI: "From URI",
    Algorithm.TO_URI: "To URI",
    Algorithm.REQUEST_URI: "request URI",
}


@dataclass(frozen=True, slots=True)
class CallQuestion:
    """The arguments of ds_select_dst, the call, and how many of the first gateways fail.

    `handling` is what the script does on a failure, None where it arms no failure route.
    """

    setid: int
    algorithm: int
    flags: SelectFlag
    max_results: int
    request: Request
    measures: tuple[int, ...] = ()
    seed: int = 1
    failures: int = 0
    threshold: int = 1
    handling: Handling | None = THE_GUIDES


@dataclass(frozen=True, slots=True)
class WeightSpan:
    """A destination's part of the bar of weights, from `x` on; `odd` ones are drawn in a second tone.

    `number` is its place in the set, from 1; `share` is in percent; `hit` is where the hash points.
    """

    number: int
    uri: str
    x: float
    width: float
    odd: bool
    share: float
    hit: bool


@dataclass(frozen=True, slots=True)
class WeightBar:
    """The running weights as one bar, and the place `at` that the hash means."""

    title: str
    spans: tuple[WeightSpan, ...]
    at: float
    point: int
    total: int

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """The ticks of the running weights."""
        return span_axis(self.total, "").ticks

    @property
    def labelled(self) -> tuple[WeightSpan, ...]:
        """The spans that the legend has room for, and the one that is hit."""
        first = self.spans[:MAX_LABELLED]
        return first + tuple(span for span in self.spans[MAX_LABELLED:] if span.hit)

    @property
    def not_labelled(self) -> int:
        """How many the page has no room for."""
        return len(self.spans) - len(self.labelled)


@dataclass(frozen=True, slots=True)
class SetMember:
    """A destination of the set and its part in this call."""

    number: int
    destination: LoadedDestination
    state: str
    part: str
    """"chosen", "failover", "not used" or empty."""
    words: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: where the call was sent, its outcome, and what the failure route did."""

    next_hop: str
    socket: str
    outcome: str
    failed: bool
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateAfter:
    """A destination's state after the call."""

    uri: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CallExplanation:
    """What the page shows; with a `problem` no destination is selected, though `members` may be known.

    `is_unknown` where nothing is known of the set.
    """

    source: str
    notes: tuple[str, ...]
    problem: str = ""
    keys: tuple[str, ...] = ()
    hash: int = 0
    story: tuple[str, ...] = ()
    bars: tuple[WeightBar, ...] = ()
    chosen: LoadedDestination | None = None
    failover: tuple[LoadedDestination, ...] = ()
    members: tuple[SetMember, ...] = ()
    steps: tuple[Attempt, ...] = ()
    states_after: tuple[StateAfter, ...] = ()
    is_unknown: bool = False

    @property
    def shown_members(self) -> tuple[SetMember, ...]:
        """The members that the page has room for."""
        return self.members[:MAX_LISTED]

    @property
    def shown_failover(self) -> tuple[LoadedDestination, ...]:
        """The next destinations in order that the page has room for."""
        return self.failover[:MAX_LABELLED]

    @property
    def failover_not_shown(self) -> int:
        """How many the page has no room for."""
        return max(0, len(self.failover) - MAX_LABELLED)

    @property
    def not_shown(self) -> int:
        """How many the page has no room for."""
        return max(0, len(self.members) - MAX_LISTED)


def explain(source: Source, question: CallQuestion) -> CallExplanation:
    """Select as the proxy would, with the set as `source` has it."""
    try:
        preview = set_preview(source, question.setid)
    except NoPreviewError as error:
        return CallExplanation(source.name, (), problem=str(error), is_unknown=True)
    except LoadBrokenError as error:
        return CallExplanation(source.name, (), problem=f"The reload would fail: {error}", is_unknown=True)
    notes = preview.notes
    memory = preview.memory
    memory.settings = ProbingSettings(threshold=question.threshold)
    live = memory.sets.get(question.setid)
    if live is None:
        return CallExplanation(
            source.name, notes, problem=f"Set {question.setid} has no destinations: ds_select_dst fails."
        )
    route = FailoverList()
    selection = memory.select(
        question.setid, question.algorithm, question.request, _options(question, live), route
    )
    if isinstance(selection, NoSelection):
        members = tuple(_member(live, index, "", "") for index in range(len(live.destinations)))
        return CallExplanation(source.name, notes, problem=_refused(selection), members=members)
    # The bars are drawn before the walk changes any state.
    bars = tuple(_bars(live, selection))
    members = _members(live, selection)
    before = [each.health.state for each in live.destinations]
    steps = tuple(_walk(memory, route, selection, question))
    return CallExplanation(
        source=source.name,
        notes=notes,
        keys=tuple(_readable(key) for key in selection.keys),
        hash=selection.hash,
        story=tuple(_story(live, selection, question)),
        bars=bars,
        chosen=selection.destination,
        failover=tuple(selection.destinations[index] for index in selection.failover),
        members=members,
        steps=steps,
        states_after=tuple(_changed(live, before)),
    )


def _refused(refused: NoSelection) -> str:
    """Why ds_select_dst fails, in words."""
    if refused.refusal is Refusal.BAD_URI:
        part = _HASHED_URIS.get(refused.algorithm, "URI")
        return f"The proxy can't parse the {part}: {refused.text} ds_select_dst fails."
    return f"{refused.text} ds_select_dst fails."


def _options(question: CallQuestion, live: LiveSet) -> SelectOptions:
    dice = Random(question.seed)  # noqa: S311 - repeatable, not secret
    numbers = {
        id(each.loaded): measure for each, measure in zip(live.destinations, question.measures, strict=False)
    }

    def measure(destination: LoadedDestination) -> int:
        return numbers.get(id(destination), 0)

    return SelectOptions(
        flags=question.flags,
        max_results=question.max_results,
        load=measure,
        score=measure,
        random=lambda: dice.getrandbits(_RAND_BITS),
    )


def _readable(key: bytes) -> str:
    """A key for people: bytes that are no printable ASCII as \\x.."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in key)


def _story(live: LiveSet, selection: Selection, question: CallQuestion) -> list[str]:
    """The choice in sentences, in its order."""
    known = question.algorithm in set(Algorithm)
    sentences = (
        []
        if known
        else [f"Unknown algorithm {question.algorithm}: the proxy uses the first entry, as with 8."]
    )
    if selection.keys or selection.hash:
        drawn = question.algorithm == Algorithm.RANDOM
        sentences.append(f"{'Random number' if drawn else 'Hash'}: {selection.hash}.")
    if question.algorithm == Algorithm.AUTH_USER and not selection.keys:
        sentences.append("The request has no auth user to hash: the last used destination is kept.")
    if selection.candidate.basis is Basis.TURN:
        sentences.append("The last used destination is unknown here: assuming the first call after a reload.")
    if selection.measures:
        sentences.append(_measured(live, selection))
    sentences.append(_picked("Candidate:", live, selection.candidate))
    if selection.chosen != selection.candidate:
        state = live.destinations[selection.candidate.index].health.state.name.lower()
        sentences.append(f"The candidate is {state}, so another destination takes the call.")
        sentences.append(_picked("Selected:", live, selection.chosen))
    return sentences


def _measured(live: LiveSet, selection: Selection) -> str:
    """What 9 or 10 sorted by: the panel can't know it, so the question gives it."""
    asks = "the load" if selection.algorithm == Algorithm.LOAD else "the route's score"
    given = ", ".join(
        f"{live.destinations[index].loaded.uri}: {value}"
        for index, value in selection.measures[:MAX_LABELLED]
    )
    more = len(selection.measures) - MAX_LABELLED
    return f"The proxy needs {asks}, given here as {given}{f' and {more} more' if more > 0 else ''}."


def _picked(subject: str, live: LiveSet, pick: Pick) -> str:
    uri = live.destinations[pick.index].loaded.uri
    sentence = f"{subject} number {pick.index + 1}, {uri}, by {pick.basis.value}"
    return sentence + (f": {pick.point} of {pick.total}." if pick.point is not None else ".")


def _bars(live: LiveSet, selection: Selection) -> list[WeightBar]:
    """The candidate's place among all; where states decided, also the chosen one's among the active."""
    bars = []
    candidate, chosen = selection.candidate, selection.chosen
    if candidate.point is not None:
        everyone = range(len(live.destinations))
        bars.append(_bar("All destinations", live, candidate, everyone, live.sums))
    if chosen != candidate and chosen.point is not None:
        active = [index for index, each in enumerate(live.destinations) if each.active]
        bars.append(_bar("Active destinations", live, chosen, active, live.calls.sums))
    return bars


def _bar(title: str, live: LiveSet, pick: Pick, indices: Sequence[int], sums: Sequence[int]) -> WeightBar:
    """Draw the parts: equal ones by position, else those that the running sums mean.

    Sums of 16 bits may fall: a destination whose sum is not above all those before it has no part.
    """
    total, point = pick.total or 1, pick.point or 0
    by_position = pick.basis is Basis.POSITION
    spans: list[WeightSpan] = []
    reached = 0
    for place, index in enumerate(indices):
        end = min(place + 1 if by_position else sums[index], total)
        if end > reached:
            spans.append(
                WeightSpan(
                    number=index + 1,
                    uri=live.destinations[index].loaded.uri,
                    x=WIDTH * reached / total,
                    width=WIDTH * (end - reached) / total,
                    odd=bool(place % 2),
                    share=100 * (end - reached) / total,
                    hit=index == pick.index,
                )
            )
            reached = end
    return WeightBar(title, tuple(spans), WIDTH * (point + 0.5) / total, point, total)


def _members(live: LiveSet, selection: Selection) -> tuple[SetMember, ...]:
    parts = {selection.chosen.index: ("chosen", "takes the call")}
    for place, index in enumerate(selection.failover, 1):
        parts.setdefault(index, ("failover", f"failover after {place} failure{'s' if place > 1 else ''}"))
    for each in selection.passed_over:
        parts.setdefault(each.index, ("not used", each.why.value))
    return tuple(_member(live, index, *parts.get(index, ("", ""))) for index in range(len(live.destinations)))


def _member(live: LiveSet, index: int, part: str, words: str) -> SetMember:
    each = live.destinations[index]
    return SetMember(index + 1, each.loaded, each.health.state.name.lower(), part, words)


def _walk(
    memory: ProxyMemory, route: FailoverList, selection: Selection, question: CallQuestion
) -> list[Attempt]:
    """What the script's failure route does on each 5xx or local 408, up to the end of its tries."""
    if not question.failures:
        return []
    steps: list[Attempt] = []
    hop: tuple[str, str | None] | None = (selection.destination.next_hop, selection.destination.socket)
    while hop is not None:
        failed = len(steps) < question.failures
        if not failed:
            steps.append(Attempt(hop[0], hop[1] or "", "answers", False, ()))
            break
        current, hop, then = hop, *_failure(memory, route, question.handling, len(steps))
        steps.append(Attempt(current[0], current[1] or "", "fails (5xx, or the proxy's own 408)", True, then))
    return steps


def _failure(
    memory: ProxyMemory, route: FailoverList, handling: Handling | None, earlier: int
) -> tuple[tuple[str, str | None] | None, tuple[str, ...]]:
    """Where the call goes next, and what the failure route did, after `earlier` failures."""
    if handling is None:
        return None, ("No failure route is armed: the caller gets this reply",)
    if earlier and not handling.armed_again:
        return None, (f"{handling.route} is not armed again: the caller gets this reply",)
    done = _marked(memory, route, handling.mark)
    last = f"the caller gets {handling.last_code}" if handling.last_code else "the caller gets this reply"
    if not handling.tries_next:
        return None, (*done, f"No failover: {last}")
    following = route.next_hop()
    if following is None:
        return None, (*done, f"ds_next_dst() has no more destinations: {last}")
    return following, (*done, f"ds_next_dst(): {following[0]}")


def _marked(memory: ProxyMemory, route: FailoverList, mark: str) -> tuple[str, ...]:
    """What ds_mark_dst did; nothing where the script does not call it."""
    if not mark:
        return ()
    call = f'ds_mark_dst("{mark}")'
    try:
        changes = memory.mark(route, _MARKS[mark])
    except UnknownDestinationError:
        return (f"{call} finds no destination with that address: nothing is marked",)
    marked = "; ".join(f"{each.before.name.lower()} to {each.after.name.lower()}" for each in changes)
    return (f"{call}: {marked or 'one failure counted'}",)


def _changed(live: LiveSet, before: Sequence[DestinationState]) -> list[StateAfter]:
    return [
        StateAfter(each.loaded.uri, former.name.lower(), each.health.state.name.lower())
        for each, former in zip(live.destinations, before, strict=True)
        if each.health.state is not former
    ]
