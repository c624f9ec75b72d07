"""What a change does to a set: shares before and after, how many calls move, who takes over whose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.models import Destination
from dispatcher.routing.destinations import LiveSet, state_of_word
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.memory import UnknownDestinationError
from dispatcher.routing.replay import Move, Replay, moves
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selection import Algorithm
from dispatcher.routing.weights import shares
from dispatcher.secrets import mask_weight
from efcp.charts.axes import ValueAxis, value_axis
from efcp.preview.distribution.counting import generated_calls
from efcp.preview.distribution.question import SelectArguments
from efcp.preview.sources import Edit, NoPreviewError, Source, SourceKind, set_preview
from efcp.proxies.selectors import WatchedProxy
from efcp.sip.uri import uri_key

CALLS = 10_000
SEED = 1
MAX_MOVES_SHOWN = 10
MAX_SHARES_SHOWN = 40
MAX_SETS = 10
MAX_COMPARED = 30
MAX_CHOSEN = 200
_NUMBERS = ("setid", "state", "probe_mode", "priority")
_TEXTS = ("destination", "socket", "weight")

Sides = tuple[LiveSet | None, LiveSet | None]
"""A set before and after the change; None is a set without destinations."""


class IncompleteFormError(ValueError):
    """The form's fields make no row yet."""


@dataclass(frozen=True, slots=True)
class ShareChange:
    """A destination's percentage of calls under the weighted algorithms; None where it is not in the set."""

    uri: str
    before: float | None
    after: float | None

    @property
    def changes(self) -> bool:
        """Whether it gets more or fewer calls."""
        return round(self.before or 0, 1) != round(self.after or 0, 1)


@dataclass(frozen=True, slots=True)
class Impact:
    """A change's impact on a set; `moved` of CALLS calls get another destination, by the Call-ID's hash."""

    setid: int
    shares: tuple[ShareChange, ...]
    moved: int
    moves: tuple[Move, ...]
    warnings: tuple[str, ...]

    @property
    def shown(self) -> tuple[ShareChange, ...]:
        """The destinations that the page has room for, those that change first."""
        return tuple(sorted(self.shares, key=lambda each: not each.changes)[:MAX_SHARES_SHOWN])

    @property
    def axis(self) -> ValueAxis:
        """The axis of the shares."""
        return value_axis(
            max((max(each.before or 0, each.after or 0) for each in self.shown), default=0.0), "%"
        )

    @property
    def not_shown(self) -> int:
        """How many destinations the page has no room for."""
        return max(0, len(self.shares) - MAX_SHARES_SHOWN)

    @property
    def moved_percent(self) -> float:
        """The percentage of the calls that move."""
        return 100 * self.moved / CALLS

    @property
    def is_none(self) -> bool:
        """Whether every call stays where it is."""
        return not self.moved and not any(each.changes for each in self.shares)


@dataclass(frozen=True, slots=True)
class ImpactReport:
    """What a fragment shows: its proxy or table, the sets that change, and what is unknown."""

    source: str
    impacts: tuple[Impact, ...]
    problems: tuple[str, ...] = ()
    further: int = 0


def of_edit(row_id: int | None, fields: Mapping[str, str], watched: Sequence[WatchedProxy]) -> ImpactReport:
    """The table with a row as the form has it, against the table as it is; `row_id` is None for a new row.

    Raises IncompleteFormError.
    """
    row = _row_from(row_id, fields)
    former = Destination.objects.filter(pk=row_id).values_list("setid", flat=True).first() if row_id else None
    sets = list(dict.fromkeys(setid for setid in (former, row.setid) if setid is not None))
    source = Source(SourceKind.TABLE, _reference(watched))

    def edit_of(setid: int) -> Edit:
        def edit(rows: list[DestinationRow]) -> list[DestinationRow]:
            if setid != row.setid:
                return [each for each in rows if each.id != row_id]
            if former != row.setid:
                return [*rows, row]
            return [row if each.id == row_id else each for each in rows]

        return edit

    return _report(
        source, sets, lambda setid: (_set_of(source, setid), _set_of(source, setid, edit_of(setid)))
    )


def of_deletion(row: Destination, watched: Sequence[WatchedProxy]) -> ImpactReport:
    """The table without a row, against the table as it is."""
    source = Source(SourceKind.TABLE, _reference(watched))

    def edit(rows: list[DestinationRow]) -> list[DestinationRow]:
        return [each for each in rows if each.id != row.pk]

    return _report(source, [row.setid], lambda setid: (_set_of(source, setid), _set_of(source, setid, edit)))


def of_state(rows: Sequence[Destination], word: str, watched: Sequence[WatchedProxy]) -> ImpactReport:
    """The memory of the first proxy that answers with other states, against it as it is."""
    state = state_of_word(word)
    proxy = _reference(watched)
    if state is None or proxy is None:
        return ImpactReport("", (), ("No proxy is responding.",) if state else ())
    source = Source(SourceKind.MEMORY, proxy)
    uris_of: dict[int, list[str]] = {}
    for row in rows[:MAX_CHOSEN]:
        uris_of.setdefault(row.setid, []).append(row.destination)

    def changed(setid: int) -> LiveSet | None:
        memory = set_preview(source, setid).memory
        for uri in uris_of[setid]:
            try:
                memory.set_state(setid, uri, state)
            except UnknownDestinationError:
                continue  # The page itself says that the proxy lacks it.
        return memory.sets.get(setid)

    return _report(source, list(uris_of), lambda setid: (_set_of(source, setid), changed(setid)))


def of_reload(sets: Sequence[int], watched: Sequence[WatchedProxy]) -> ImpactReport:
    """The memory of the first proxy that answers after a reload, against its memory as it is."""
    proxy = _reference(watched)
    if proxy is None:
        return ImpactReport("", (), ("No proxy is responding.",))
    memory, table = Source(SourceKind.MEMORY, proxy), Source(SourceKind.TABLE, proxy)
    note = f"{len(sets):,} sets change; the {MAX_COMPARED} with the most changes are compared."
    return _report(
        memory,
        sets[:MAX_COMPARED],
        lambda setid: (_set_of(memory, setid), _set_of(table, setid)),
        [note] if len(sets) > MAX_COMPARED else [],
    )


def _report(
    source: Source, sets: Sequence[int], sides_of: Callable[[int], Sides], problems: Sequence[str] = ()
) -> ImpactReport:
    """Compare each set's two sides; the sets whose calls move most come first."""
    impacts: list[Impact] = []
    problems = list(problems)
    for setid in sets:
        try:
            before, after = sides_of(setid)
        except LoadBrokenError as error:
            problems.append(f"Set {setid}: the reload would fail. {error}")
        except NoPreviewError as error:
            problems.append(f"Set {setid}: {error}")
        else:
            if before is not None or after is not None:
                impacts.append(impact_of(setid, before, after))
    changing = sorted((each for each in impacts if not each.is_none), key=lambda each: -each.moved)
    further = max(0, len(changing) - MAX_SETS)
    return ImpactReport(source.name, tuple(changing[:MAX_SETS]), tuple(problems), further)


def _set_of(source: Source, setid: int, edit: Edit | None = None) -> LiveSet | None:
    return set_preview(source, setid, edit).memory.sets.get(setid)


def _reference(watched: Sequence[WatchedProxy]) -> WatchedProxy | None:
    return next((each for each in watched if each.fresh), None)


def _row_from(row_id: int | None, fields: Mapping[str, str]) -> DestinationRow:
    try:
        numbers = {name: int(fields.get(name) or "0") for name in _NUMBERS}
    except ValueError as error:
        raise IncompleteFormError from error
    texts = {name: fields.get(name, "").strip() for name in _TEXTS}
    if not texts["destination"]:
        raise IncompleteFormError
    return DestinationRow(
        setid=numbers["setid"],
        destination=texts["destination"],
        socket=texts["socket"] or None,
        state=numbers["state"],
        probe_mode=numbers["probe_mode"],
        weight=mask_weight(texts["weight"]),
        priority=numbers["priority"],
        id=row_id,
    )


def impact_of(setid: int, before: LiveSet | None, after: LiveSet | None) -> Impact:
    """Compare a set with itself after the change; None is a set without destinations."""
    found = _moves(before, after)
    was, now = _percentages(before), _percentages(after)
    spelled = {
        uri_key(each.loaded.uri): each.loaded.uri
        for live in (before, after)
        for each in (live.destinations if live else ())
    }
    return Impact(
        setid=setid,
        shares=tuple(ShareChange(uri, was.get(key), now.get(key)) for key, uri in spelled.items()),
        moved=sum(each.calls for each in found),
        moves=tuple(found[:MAX_MOVES_SHOWN]),
        warnings=tuple(_warnings(before, after)),
    )


def _percentages(live: LiveSet | None) -> dict[str, float]:
    """The shares by URI key; a URI that is there twice gets the sum."""
    if live is None:
        return {}
    weights = [each.loaded.weight for each in live.destinations]
    effective = shares(weights, [each.active for each in live.destinations]).effective
    found: dict[str, float] = {}
    for each, share in zip(live.destinations, effective, strict=True):
        key = uri_key(each.loaded.uri)
        found[key] = found.get(key, 0.0) + float(100 * share)
    return found


def _moves(before: LiveSet | None, after: LiveSet | None) -> list[Move]:
    calls = generated_calls(SelectArguments(0, Algorithm.CALL_ID), CALLS, SEED)
    sides = [live or LiveSet(0, []) for live in (before, after)]
    was, now = (Replay(live, Algorithm.CALL_ID).choose(calls) for live in sides)
    uris = [[each.loaded.uri for each in live.destinations] for live in sides]
    return moves(was, now, *uris)


def _warnings(before: LiveSet | None, after: LiveSet | None) -> list[str]:
    """What is easily overlooked, in sentences."""
    active = [each.loaded.uri for each in after.destinations if each.active] if after else []
    if not active:
        return ["No active destination is left: ds_select_dst fails for every call."]
    found = []
    was_active = [each.loaded.uri for each in before.destinations if each.active] if before else []
    if len(set(active)) == 1 and len(was_active) > 1:
        found.append(f"{active[0]} takes all calls of the set.")
    if was_active and uri_key(was_active[0]) != uri_key(active[0]):
        found.append(f"With algorithm 8 (first entry), {active[0]} takes all calls of {was_active[0]}.")
    if after is not None and len(active) > 1:
        found += _round_robin_heirs(was_active, after)
    return found


def _round_robin_heirs(was_active: Sequence[str], after: LiveSet) -> list[str]:
    """Round robin gives the turns of an inactive destination to the next active one alone."""
    former = {uri_key(uri) for uri in was_active}
    members = after.destinations
    found = []
    for index, each in enumerate(members):
        if each.active or uri_key(each.loaded.uri) not in former:
            continue
        ring = ((index + step) % len(members) for step in range(1, len(members)))
        heir = next(members[place].loaded.uri for place in ring if members[place].active)
        found.append(f"With round robin (4), {heir} alone takes over the turns of {each.loaded.uri}.")
    return found[:MAX_MOVES_SHOWN]
