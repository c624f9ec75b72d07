"""Following a number: translations, leads, set, destination. Each dead end is told where it is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dialplan.selectors import TooManyRulesError
from dialplan.trying import PossibleOutcome, Tried, try_input
from efcp.preview.routes.selectors import Leading, leading_of

MAX_STEPS = 5
"""Dialplans that a number goes through, one after the other."""

_LARGEST_SET = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Branching:
    """A possible outcome, and where it leads: None where that is not known."""

    outcome: PossibleOutcome
    leading: Leading | None


@dataclass(frozen=True, slots=True)
class Step:
    """A dialplan, and what it makes of the number that comes to it; `branches` where chance decides."""

    dpid: int
    tried: Tried
    leading: Leading | None = None
    branches: tuple[Branching, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """The dialplans that a number goes through; `problem` says where it ends before a set is known.

    `number` is what a script has in the end, that sets its number to each output: where the output is a set's
    number, it is what came to the last dialplan.
    """

    steps: tuple[Step, ...]
    number: str
    leading: Leading | None = None
    problem: str = ""

    @property
    def tried(self) -> Tried:
        """The last translation."""
        return self.steps[-1].tried


def follow(dpid: int, number: str) -> Trace:
    """Translate `number` by the table as it is, and find the set that it leads to."""
    steps: list[Step] = []
    while True:
        step = _step(dpid, number)
        steps.append(step)
        if step.leading is None:
            return Trace(tuple(steps), number, problem=_end(step))
        if step.leading.next_dpid is None:
            return _arrived(tuple(steps), number, step.leading)
        if len(steps) == MAX_STEPS:
            problem = f"It was followed through {MAX_STEPS} dialplans, and would go on."
            return Trace(tuple(steps), number, problem=problem)
        dpid, number = step.leading.next_dpid, step.tried.number


def _step(dpid: int, number: str) -> Step:
    try:
        tried = try_input(dpid, number)
    except TooManyRulesError as error:
        return Step(dpid, Tried(number, str(error), is_certain=False))
    if tried.possible:
        return Step(dpid, tried, branches=tuple(_branches(dpid, tried)))
    leading = leading_of(dpid, tried.attributes) if tried.output is not None else None
    return Step(dpid, tried, leading)


def _branches(dpid: int, tried: Tried) -> Iterator[Branching]:
    for outcome in tried.possible:
        leads_on = outcome.output is not None and outcome.is_known
        yield Branching(outcome, leading_of(dpid, outcome.attributes) if leads_on else None)


def _end(step: Step) -> str:
    """Why it does not go on from here."""
    tried = step.tried
    if tried.possible:
        return tried.words
    if tried.output is None:
        return f"It ends here: {tried.words} What the script does then is not known."
    named = f"the attributes “{tried.attributes}”" if tried.attributes else "no attributes"
    return f"It is not known where dialplan {step.dpid} leads with {named}: tell it above."


def _arrived(steps: tuple[Step, ...], number: str, leading: Leading) -> Trace:
    tried = steps[-1].tried
    if leading.setid is not None:
        return Trace(steps, tried.number, leading)
    output = tried.output or ""
    if not (output.isascii() and output.isdigit() and len(output) <= 10 and int(output) <= _LARGEST_SET):
        problem = f"The output should be a set's number, and is “{output}”."
        return Trace(steps, number, problem=problem)
    return Trace(steps, number, replace(leading, setid=int(output)))
