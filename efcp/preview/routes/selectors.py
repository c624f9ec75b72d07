"""The route map, which dialplan leads to which set, and the path of a number along it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db.models import Count, Q

from dialplan.dry_run import DryRun, PossibleOutcome, try_input
from dialplan.models import Rule
from dialplan.selectors import TooManyRulesError
from dialplan.selectors import names as dialplan_names
from dispatcher.models import Destination, InitialState
from dispatcher.selectors import set_names
from efcp.preview.forms import MAX_SET
from efcp.preview.models import DialplanTarget, TargetKind

MAX_ENTRIES = 2_000
"""Pairs of dialplan and attributes, and targets, that the map shows."""

MAX_STEPS = 5
"""Dialplans that a number goes through."""

DEFAULT_ALGORITHM = 0
DEFAULT_FLAGS = "f"

# OpenSIPS gives attributes no meaning, scripts do: `set=5`, `setid:5` and the bare number are common.
_NAMED = re.compile(
    r"(?:^|[;,&|\s])(?:ds_?)?set_?(?:id)?\s*[=:]\s*([0-9]{1,10})(?=$|[;,&|\s])", re.IGNORECASE
)
_BARE = re.compile(r"\s*([0-9]{1,10})\s*")


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """Where a translation leads. `by` is "administrator" or "attributes".

    `setid` is None where another dialplan comes next, or where the output is the set's number.
    """

    setid: int | None
    by: str
    algorithm: int = DEFAULT_ALGORITHM
    flags: str = DEFAULT_FLAGS
    route: str = ""
    next_dpid: int | None = None


@dataclass(frozen=True, slots=True)
class TargetSet:
    """A set on the map: its name, its rows, and how many of these are not inactive in the table."""

    id: int
    name: str
    rows: int
    selectable: int


@dataclass(frozen=True, slots=True)
class MapEntry:
    """Where the rules of a dialplan with these attributes lead; `target` None where that is not known.

    `stored` is the administrator's target for just these attributes.
    """

    dpid: int
    attributes: str
    rules: int
    target: ResolvedTarget | None
    stored: DialplanTarget | None
    set: TargetSet | None = None


def set_named_by(attributes: str) -> int | None:
    """The set that these attributes name; None where they name none, or more than one."""
    bare = _BARE.fullmatch(attributes)
    named = {bare[1]} if bare else set(_NAMED.findall(attributes))
    numbers = {int(each) for each in named}
    number = numbers.pop() if len(numbers) == 1 else None
    return number if number is not None and number <= MAX_SET else None


def resolve_target(dpid: int, attributes: str) -> ResolvedTarget | None:
    """The stored target of these attributes, else the set that they name, else the dialplan's own target."""
    stored = DialplanTarget.objects.filter(dpid=dpid, attributes__in=("", attributes))
    return _resolve(attributes, {each.attributes: each for each in stored})


def _resolve(attributes: str, targets: Mapping[str, DialplanTarget]) -> ResolvedTarget | None:
    target = targets.get(attributes)
    named = set_named_by(attributes)
    if target is None and named is not None:
        return ResolvedTarget(named, "attributes")
    target = target or targets.get("")
    if target is None:
        return None
    setid = target.setid if target.target == TargetKind.SET else None
    return ResolvedTarget(
        setid, "administrator", target.algorithm, target.flags, target.route, target.next_dpid
    )


def route_map() -> list[tuple[int, str, list[MapEntry]]]:
    """Every dialplan that has rules or targets: its number, name and entries. Five queries at any size."""
    grouped = Rule.objects.filter(disabled=0).values_list("dpid", "attrs").annotate(rules=Count("pk"))
    rules = {
        (dpid, attrs or ""): count for dpid, attrs, count in grouped.order_by("dpid", "attrs")[:MAX_ENTRIES]
    }
    targets: dict[int, dict[str, DialplanTarget]] = {}
    for target in DialplanTarget.objects.all()[:MAX_ENTRIES]:
        targets.setdefault(target.dpid, {})[target.attributes] = target
    keys = rules.keys() | {(dpid, attributes) for dpid, of_dpid in targets.items() for attributes in of_dpid}
    entries: dict[int, list[MapEntry]] = {}
    for dpid, attributes in sorted(keys):
        of_dpid = targets.get(dpid, {})
        entry = MapEntry(
            dpid,
            attributes,
            rules.get((dpid, attributes), 0),
            _resolve(attributes, of_dpid),
            of_dpid.get(attributes),
        )
        entries.setdefault(dpid, []).append(entry)
    sets = _sets(
        entry.target.setid for each in entries.values() for entry in each if entry.target is not None
    )
    names = dialplan_names()
    return [
        (dpid, names.get(dpid, ""), [_with_set(entry, sets) for entry in each])
        for dpid, each in entries.items()
    ]


def _sets(numbers: Iterable[int | None]) -> dict[int, TargetSet]:
    setids = {number for number in numbers if number is not None}
    counts = {
        setid: (rows, selectable)
        for setid, rows, selectable in Destination.objects.filter(setid__in=setids)
        .values_list("setid")
        .annotate(rows=Count("pk"), selectable=Count("pk", filter=~Q(state=InitialState.INACTIVE)))
    }
    names = set_names()
    return {each: TargetSet(each, names.get(each, ""), *counts.get(each, (0, 0))) for each in setids}


def _with_set(entry: MapEntry, sets: Mapping[int, TargetSet]) -> MapEntry:
    setid = entry.target.setid if entry.target else None
    return entry if setid is None else replace(entry, set=sets[setid])


@dataclass(frozen=True, slots=True)
class DialplanStep:
    """A dialplan, and its translation of the number.

    `branches` are the possible outcomes, where order or loading decides, each with its target.
    """

    dpid: int
    dry_run: DryRun
    target: ResolvedTarget | None = None
    branches: tuple[tuple[PossibleOutcome, ResolvedTarget | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """The dialplans that a number goes through; `problem` says why no set is reached.

    `number` is what a script holds in the end that assigns each output to its number: where the output is a
    set's number, what came to the last dialplan.
    """

    steps: tuple[DialplanStep, ...]
    number: str
    target: ResolvedTarget | None = None
    problem: str = ""

    @property
    def dry_run(self) -> DryRun:
        """The last translation."""
        return self.steps[-1].dry_run


def follow(dpid: int, number: str) -> Trace:
    """Translate `number` by the table as it is, and find the set that it leads to."""
    steps: list[DialplanStep] = []
    while True:
        step = _step(dpid, number)
        steps.append(step)
        if step.target is None:
            return Trace(tuple(steps), number, problem=_end(step))
        if step.target.next_dpid is None:
            return _arrived(tuple(steps), number, step.target)
        if len(steps) == MAX_STEPS:
            problem = f"Stopped after {MAX_STEPS} dialplans."
            return Trace(tuple(steps), number, problem=problem)
        dpid, number = step.target.next_dpid, step.dry_run.number


def _step(dpid: int, number: str) -> DialplanStep:
    try:
        dry_run = try_input(dpid, number)
    except TooManyRulesError as error:
        return DialplanStep(dpid, DryRun(number, str(error), is_certain=False))
    if dry_run.possible:
        return DialplanStep(
            dpid, dry_run, branches=tuple((each, _branch(dpid, each)) for each in dry_run.possible)
        )
    return DialplanStep(
        dpid, dry_run, resolve_target(dpid, dry_run.attributes) if dry_run.output is not None else None
    )


def _branch(dpid: int, outcome: PossibleOutcome) -> ResolvedTarget | None:
    leads_on = outcome.output is not None and outcome.is_known
    return resolve_target(dpid, outcome.attributes) if leads_on else None


def _end(step: DialplanStep) -> str:
    """Why the path ends here."""
    dry_run = step.dry_run
    if dry_run.possible:
        return dry_run.words
    if dry_run.output is None:
        return f"Ends here: {dry_run.words} What the script does next is unknown."
    named = f"the attributes “{dry_run.attributes}”" if dry_run.attributes else "no attributes"
    return f"Dialplan {step.dpid} with {named} is not mapped: add a mapping above."


def _arrived(steps: tuple[DialplanStep, ...], number: str, target: ResolvedTarget) -> Trace:
    dry_run = steps[-1].dry_run
    if target.setid is not None:
        return Trace(steps, dry_run.number, target)
    output = dry_run.output or ""
    if not (output.isascii() and output.isdigit() and len(output) <= 10 and int(output) <= MAX_SET):
        problem = f"The output should be a set ID but is “{output}”."
        return Trace(steps, number, problem=problem)
    return Trace(steps, number, replace(target, setid=int(output)))
