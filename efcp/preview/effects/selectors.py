"""The two sides of a change: the set as it is, and as it would be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.models import Destination
from dispatcher.routing.live import LiveSet
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.memory import UnknownDestinationError
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.states import State, state_of_word
from dispatcher.secrets import mask_weight
from efcp.preview.effects.effect import Effect, effect
from efcp.preview.sources import Edit, NoPreviewError, Source, Which, set_preview
from efcp.proxies.selectors import WatchedProxy

MAX_SETS = 10
MAX_COMPARED = 30
MAX_CHOSEN = 200
_NUMBERS = ("setid", "state", "probe_mode", "priority")
_TEXTS = ("destination", "socket", "weight")


class NotTypedYetError(ValueError):
    """The form holds what is no row yet."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a fragment shows: by which proxy or table, the sets that change, and what could not be told."""

    source: str
    effects: tuple[Effect, ...]
    problems: tuple[str, ...] = ()
    further: int = 0


def of_edit(row_id: int | None, typed: Mapping[str, str], watched: Sequence[WatchedProxy]) -> Told:
    """The table with a row as it is typed, against the table as it is; `row_id` is None for a new row.

    Raises NotTypedYetError while a number is none.
    """
    row = _typed_row(row_id, typed)
    former = Destination.objects.filter(pk=row_id).values_list("setid", flat=True).first() if row_id else None
    sets = list(dict.fromkeys(setid for setid in (former, row.setid) if setid is not None))

    def edited(rows: list[DestinationRow], setid: int) -> list[DestinationRow]:
        if setid != row.setid:
            return [each for each in rows if each.id != row_id]
        if former != row.setid:
            return [*rows, row]
        return [row if each.id == row_id else each for each in rows]

    return _told(_table(watched), sets, lambda setid: lambda rows: edited(rows, setid))


def of_deletion(row: Destination, watched: Sequence[WatchedProxy]) -> Told:
    """The table without a row, against the table as it is."""
    return _told(
        _table(watched), [row.setid], lambda _setid: lambda rows: [each for each in rows if each.id != row.pk]
    )


def of_state(rows: Sequence[Destination], word: str, watched: Sequence[WatchedProxy]) -> Told:
    """A proxy's memory with other states, against it as it is; the first proxy that answers counts."""
    state = state_of_word(word)
    proxy = _reference(watched)
    if state is None or proxy is None:
        return Told("", (), ("No proxy answers whose memory could be shown.",) if state else ())
    source = Source(Which.MEMORY, proxy)
    by_set: dict[int, list[str]] = {}
    for row in rows[:MAX_CHOSEN]:
        by_set.setdefault(row.setid, []).append(row.destination)
    sides: list[tuple[int, LiveSet | None, LiveSet | None]] = []
    problems: list[str] = []
    for setid, uris in by_set.items():
        try:
            sides.append((setid, _set_of(source, setid), _with_states(source, setid, uris, state)))
        except (NoPreviewError, LoadBrokenError) as error:
            problems.append(f"Set {setid}: {error}")
    return _ranked(source, sides, problems)


def of_reload(sets: Sequence[int], watched: Sequence[WatchedProxy]) -> Told:
    """A proxy's memory after a reload, against its memory as it is, for these sets."""
    proxy = _reference(watched)
    if proxy is None:
        return Told("", (), ("No proxy answers whose memory could be compared.",))
    memory, table = Source(Which.MEMORY, proxy), Source(Which.TABLE, proxy)
    sides: list[tuple[int, LiveSet | None, LiveSet | None]] = []
    problems: list[str] = []
    if len(sets) > MAX_COMPARED:
        problems.append(
            f"Of {len(sets)} sets that change, the {MAX_COMPARED} with most changes are compared."
        )
    for setid in sets[:MAX_COMPARED]:
        try:
            sides.append((setid, _set_of(memory, setid), _set_of(table, setid)))
        except (NoPreviewError, LoadBrokenError) as error:
            problems.append(f"Set {setid}: {error}")
    return _ranked(memory, sides, problems)


def _told(source: Source, sets: Sequence[int], edit_of: Callable[[int], Edit]) -> Told:
    sides: list[tuple[int, LiveSet | None, LiveSet | None]] = []
    problems: list[str] = []
    for setid in sets:
        try:
            sides.append((setid, _set_of(source, setid), _set_of(source, setid, edit_of(setid))))
        except LoadBrokenError as error:
            problems.append(f"Set {setid}: the whole reload would fail. {error}")
        except NoPreviewError as error:
            problems.append(str(error))
    return _ranked(source, sides, problems)


def _ranked(
    source: Source, sides: Sequence[tuple[int, LiveSet | None, LiveSet | None]], problems: Sequence[str]
) -> Told:
    """The sets that change, those with most calls that move first."""
    found = [effect(*side) for side in sides if side[1] is not None or side[2] is not None]
    changing = sorted((each for each in found if not each.is_none), key=lambda each: -each.moved)
    return Told(source.name, tuple(changing[:MAX_SETS]), tuple(problems), max(0, len(changing) - MAX_SETS))


def _set_of(source: Source, setid: int, edit: Edit | None = None) -> LiveSet | None:
    return set_preview(source, setid, edit).memory.sets.get(setid)


def _with_states(source: Source, setid: int, uris: Sequence[str], state: State) -> LiveSet | None:
    memory = set_preview(source, setid).memory
    for uri in uris:
        try:
            memory.set_state(setid, uri, state)
        except UnknownDestinationError:
            continue  # The page itself says that the proxy does not hold it.
    return memory.sets.get(setid)


def _reference(watched: Sequence[WatchedProxy]) -> WatchedProxy | None:
    return next((each for each in watched if each.fresh), None)


def _table(watched: Sequence[WatchedProxy]) -> Source:
    return Source(Which.TABLE, _reference(watched))


def _typed_row(row_id: int | None, typed: Mapping[str, str]) -> DestinationRow:
    try:
        numbers = {name: int(typed.get(name) or "0") for name in _NUMBERS}
    except ValueError as error:
        raise NotTypedYetError from error
    texts = {name: typed.get(name, "").strip() for name in _TEXTS}
    if not texts["destination"]:
        raise NotTypedYetError
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
