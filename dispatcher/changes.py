"""What a reload would change: the whole table against what is known of each proxy's memory.

A table of 50,000 destinations has to be compared too, so rows are read as plain tuples, and only those that
are not equal at a glance go through the loader and the comparison column by column.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from dispatcher.change import SHOWN_AT_MOST, Change, Changes, IgnoredSocket, removers, writers
from dispatcher.drift import ColumnDifference, differing_columns, ignored_socket
from dispatcher.load_prediction import Loader, PredictedFinding, is_breaking, is_dropped, may_break_load
from dispatcher.loaded import Identity, LoadedByProxy, LoadedTable, Texts, loaded_by_proxy, separate_tables
from dispatcher.models import Destination
from dispatcher.name_changes import NameChanges, name_changes
from dispatcher.name_watch import NUMERIC_HOST
from dispatcher.routing.rows import COLUMNS, DestinationRow
from dispatcher.selectors import LIST_VERSION
from dispatcher.table_names import TableNames, look_up_names, stored_names
from efcp.database.versions import KEPT_FOR_S
from efcp.kept import KeptValues
from efcp.proxies.models import KnownDestination
from efcp.proxies.selectors import WatchedProxy
from efcp.releases import Release
from efcp.sip.uri import uri_key

SHOWN_SOCKETS = 10

_EMPTY = Value("", output_field=CharField())

_DESTINATION, _WEIGHT = COLUMNS.index("destination"), COLUMNS.index("weight")
_LISTED = slice(COLUMNS.index("destination"), COLUMNS.index("description") + 1)
"""The columns that ds_list shows, as they follow each other in a row of the table and in _MEMORY."""

_MEMORY = ("uri", "socket", "attrs", "weight", "priority", "description")
_WITHOUT_DETAILS = (None, None, None)
"""Weight, priority and description of a destination where ds_list was asked without `full`."""


def _known(identity: Identity, texts: Texts) -> KnownDestination:
    """A destination in a proxy's memory, of which _MEMORY was read as texts."""
    columns = dict(zip(_MEMORY, texts, strict=True))
    weight = columns.pop("weight")
    return KnownDestination(
        setid=identity[0],
        uri_key=identity[1],
        occurrence=identity[2],
        weight=None if weight is None else int(weight),
        **columns,
    )


@dataclass(frozen=True, slots=True)
class ProxyChanges:
    """What a reload would do to one proxy.

    Rows that it would drop are no additions: `warnings` names them, and those that it would load otherwise
    than written (the first SHOWN_AT_MOST; `warning_count` counts all). `breaking` rows fail its whole reload.
    Where `is_known` is False, its memory is unknown. `not_compared` is the reason why it is not compared with
    this table, `modes_unknown` why it is unknown which probe modes (and other columns that ds_list lacks) it
    loaded; both are empty otherwise. `names` are destinations whose names resolve to other addresses now,
    `unknown_names` counts those that could not be looked up.
    """

    watched: WatchedProxy
    is_known: bool
    added: Changes = field(default_factory=Changes)
    changed: Changes = field(default_factory=Changes)
    removed: Changes = field(default_factory=Changes)
    warnings: tuple[PredictedFinding, ...] = ()
    warning_count: int = 0
    breaking: PredictedFinding | None = None
    names: NameChanges = field(default_factory=NameChanges)
    unknown_names: int = 0
    not_compared: str = ""
    modes_unknown: str = ""
    ignored_sockets: tuple[IgnoredSocket, ...] = ()

    @property
    def is_compared(self) -> bool:
        """Whether its memory is known, and loaded from this table."""
        return self.is_known and not self.not_compared

    @property
    def count(self) -> int:
        """How many destinations a reload would change; names with other addresses are counted apart."""
        return self.added.count + self.changed.count + self.lost

    @property
    def lost(self) -> int:
        """How many destinations a reload would remove, those that it drops over their names among them."""
        return self.removed.count + self.names.dropped.count


@dataclass(frozen=True, slots=True)
class Pending:
    """How many destinations a reload would change on some answering proxy, and in which sets.

    `sets` begins with those of the most changes.
    """

    count: int
    sets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Compared:
    """Where table and memory differ, with every row and every destination that does."""

    added: list[tuple[Identity, DestinationRow]]
    changed: list[tuple[Identity, DestinationRow, tuple[ColumnDifference, ...]]]
    removed: list[tuple[Identity, str]]
    dropped: list[Identity]
    ignored_sockets: Counter[tuple[str, bool]]

    def identities(self) -> Iterator[Identity]:
        """Everything that a reload would change."""
        yield from (identity for identity, _row in self.added)
        yield from (identity for identity, _row, _differences in self.changed)
        yield from (identity for identity, _uri in self.removed)
        yield from self.dropped


_kept: KeptValues[Pending] = KeptValues(4)


def kept_changes(watched: Sequence[WatchedProxy]) -> Pending | None:
    """What `pending_changes` would say, where that is known without comparing."""
    version = LIST_VERSION.of(watched)
    return None if version is None else _kept.get(version)


def pending_changes(watched: Sequence[WatchedProxy]) -> Pending:
    """Count what a reload would change; a destination that differs on several proxies counts once.

    Compared only after a change, where `watched` come from `LIST_VERSION.watched`.
    """
    found = kept_changes(watched)
    if found is not None:
        return found
    found = _pending_changes(watched)
    if (version := LIST_VERSION.of(watched)) is not None:
        _kept.keep(version, found, KEPT_FOR_S)
    return found


def _pending_changes(watched: Sequence[WatchedProxy]) -> Pending:
    rows = read_table()
    names = stored_names(_named_destinations())
    loaders = _loaders(watched, names)
    separate = separate_tables(watched)
    compared = [each for each in watched if each.fresh and each.proxy.pk not in separate]
    loaded = loaded_by_proxy(compared, rows)
    identities: set[Identity] = set()
    for each in compared:
        side = _Side(_memory(each), loaders[each.proxy.pk], loaded[each.proxy.pk])
        identities.update(_compared(rows, side, names.unresolved).identities())
    by_set = Counter(setid for setid, *_rest in identities)
    return Pending(len(identities), tuple(setid for setid, _count in by_set.most_common()))


def compare(watched: Sequence[WatchedProxy], names: TableNames | None = None) -> tuple[ProxyChanges, ...]:
    """What a reload would do to each of these proxies, by what is known of its memory.

    `names` are those of the table where they were looked up before; else that is done now.
    """
    rows = read_table()
    known = names_now() if names is None else names
    loaders = _loaders(watched, known)
    separate = separate_tables(watched)
    loaded = loaded_by_proxy(watched, rows)

    def changes_of(each: WatchedProxy) -> ProxyChanges:
        pk = each.proxy.pk
        if pk in separate:
            return ProxyChanges(each, is_known=True, not_compared=separate[pk])
        return _changes_of(each, rows, _Side(_memory(each), loaders[pk], loaded[pk]), known)

    found = [changes_of(each) for each in watched]
    authors = _authors(found)
    return tuple(_with_authors(changes, authors) for changes in found)


def names_now() -> TableNames:
    """The names of the table, looked up now (see dispatcher.table_names)."""
    return look_up_names(_named_destinations())


def losses(watched: Sequence[WatchedProxy]) -> dict[int, int]:
    """By proxy id, how many destinations that take calls a reload would drop, or may, over their names.

    Cheaper than `compare`: of the table only rows with names are read.
    """
    names = names_now()
    at_risk = names.unresolved | names.unknown
    if not at_risk:
        return {}
    rows = {identity: texts for identity, texts in read_table().items() if identity[1] in at_risk}
    return {each.proxy.pk: name_changes(each, rows, names).losses for each in watched}


def _named_destinations() -> Iterable[str]:
    texts = Destination.objects.exclude(destination__regex=NUMERIC_HOST)
    return texts.values_list("destination", flat=True).distinct()


def breaking_rows(watched: Sequence[WatchedProxy]) -> dict[int, PredictedFinding]:
    """By proxy id, the finding over which the proxy's whole reload would fail; most tables have none.

    Cheaper than `compare`: no memory is read, and of the table only what could be at fault.
    """
    separate = separate_tables(watched)
    loaders = _loaders([each for each in watched if each.proxy.pk not in separate])
    at_fault = Q(weight="") | Q(weight__regex="[^0-9]") | Q(destination__regex="^ *$")
    suspects = [DestinationRow(*texts) for texts in _rows().filter(at_fault).order_by("-priority", "id")]
    found = {pk: loader.breaks(suspects) for pk, loader in loaders.items()}
    return {pk: breaking for pk, breaking in found.items() if breaking is not None}


def _loaders(watched: Sequence[WatchedProxy], names: TableNames | None = None) -> dict[int, Loader]:
    """The loader of each proxy, by its id; proxies of one release share it."""
    by_release: dict[Release, Loader] = {}
    loaders = {}
    resolve = (names or TableNames()).resolve
    for each in watched:
        loader = Loader.of_version(each.contact.version, resolve)
        loaders[each.proxy.pk] = by_release.setdefault(loader.release, loader)
    return loaders


def _rows() -> QuerySet[Destination, Texts]:
    """The rows as tuples with DestinationRow's columns, NULL read as empty."""
    nullable = {field.name for field in Destination._meta.concrete_fields if field.null}
    return Destination.objects.values_list(
        *(Coalesce(name, _EMPTY) if name in nullable else name for name in COLUMNS)
    )


def read_table() -> dict[Identity, Texts]:
    """All rows by identity, in the proxy's order, as tuples with DestinationRow's columns."""
    rows: dict[Identity, Texts] = {}
    further: Counter[Identity] = Counter()
    for texts in _rows().order_by("-priority", "id"):
        setid, destination, *_rest = texts
        uri = destination.rstrip(" ")
        # Most URIs are in lower case already, and looking costs a tenth of translating.
        identity = (setid, uri if uri.islower() else uri_key(uri), 0)
        if identity in rows:
            further[identity] += 1
            identity = (*identity[:2], further[identity])
        rows[identity] = texts
    return rows


def _memory(each: WatchedProxy) -> dict[Identity, Texts]:
    """What a proxy holds, by identity, as tuples with _MEMORY's columns, the weight as text."""
    known = KnownDestination.objects.filter(proxy=each.proxy, partition=each.proxy.partition).values_list(
        "setid",
        "uri_key",
        "occurrence",
        *(Cast(name, CharField()) if name == "weight" else name for name in _MEMORY),
    )
    return {texts[:3]: texts[3:] for texts in known}


@dataclass(frozen=True, slots=True)
class _Side:
    """What the table is compared with: a proxy's memory, its loader, and the rows that it loaded."""

    memory: dict[Identity, Texts]
    loader: Loader
    loaded: LoadedByProxy


def _differ(table: Texts, loaded: Texts) -> bool:
    """Whether the listed columns of a row and of memory differ at a glance."""
    return table != loaded and (loaded[3:] != _WITHOUT_DETAILS or table[:3] != loaded[:3])


def _compared(rows: dict[Identity, Texts], side: _Side, unresolved: frozenset[str]) -> _Compared:
    """Where `rows` and the proxy differ; `unresolved` are the URI keys whose names do not resolve."""
    compared = _Compared([], [], [], [], Counter())
    memory, stale = side.memory, side.loaded.stale
    listeners = {texts[1] for texts in memory.values() if texts[1]}
    for identity, texts in rows.items():
        loaded = memory.get(identity)
        if loaded is not None and identity[1] in unresolved:
            compared.dropped.append(identity)
        elif loaded is None:
            row = DestinationRow(*texts)
            if not is_dropped(side.loader.findings(row)):
                compared.added.append((identity, row))
        elif identity in stale or _differ(texts[_LISTED], loaded):
            row = DestinationRow(*texts)
            _compare_row(compared, identity, row, _known(identity, loaded), side.loaded.table, listeners)
    compared.removed.extend(
        (identity, texts[0]) for identity, texts in memory.items() if identity not in rows
    )
    return compared


def _compare_row(
    compared: _Compared,
    identity: Identity,
    row: DestinationRow,
    known: KnownDestination,
    table: LoadedTable,
    listeners: Collection[str],
) -> None:
    loaded = table.columns_of(identity, row.id or 0)
    if differences := differing_columns(row, known, loaded, listeners):
        compared.changed.append((identity, row, differences))
    if socket := ignored_socket(row, known, loaded, listeners):
        compared.ignored_sockets[socket, loaded.socket == socket] += 1


def _suspects(rows: dict[Identity, Texts]) -> Iterator[DestinationRow]:
    """The rows over which a load may fail as a whole."""
    for texts in rows.values():
        if may_break_load(texts[_DESTINATION], texts[_WEIGHT]):
            yield DestinationRow(*texts)


def _changes_of(
    each: WatchedProxy, rows: dict[Identity, Texts], side: _Side, names: TableNames
) -> ProxyChanges:
    breaking = side.loader.breaks(_suspects(rows))
    if each.contact.requested_at is None:
        return ProxyChanges(each, is_known=False, breaking=breaking)
    compared = _compared(rows, side, names.unresolved)
    warnings = list(_warnings(rows, side, compared))
    return ProxyChanges(
        watched=each,
        is_known=True,
        added=Changes(
            len(compared.added),
            tuple(
                Change(row.id, row.setid, row.destination)
                for _identity, row in compared.added[:SHOWN_AT_MOST]
            ),
        ),
        changed=Changes(
            len(compared.changed),
            tuple(
                Change(row.id, row.setid, row.destination, differences)
                for _identity, row, differences in compared.changed[:SHOWN_AT_MOST]
            ),
        ),
        removed=Changes(
            len(compared.removed),
            tuple(Change(None, identity[0], uri) for identity, uri in compared.removed[:SHOWN_AT_MOST]),
        ),
        warnings=tuple(warnings[:SHOWN_AT_MOST]),
        warning_count=len(warnings),
        breaking=breaking,
        names=name_changes(each, rows, names),
        unknown_names=len(names.unknown),
        modes_unknown=side.loaded.table.why,
        ignored_sockets=tuple(
            IgnoredSocket(socket, count, known)
            for (socket, known), count in compared.ignored_sockets.most_common(SHOWN_SOCKETS)
        ),
    )


def _warnings(rows: dict[Identity, Texts], side: _Side, compared: _Compared) -> Iterator[PredictedFinding]:
    """The predictions about rows that are not loaded yet or were changed; what is loaded is known by now."""
    changed = {identity for identity, _row, _differences in compared.changed}
    for identity, texts in rows.items():
        if identity in side.memory and identity not in changed:
            continue
        yield from (each for each in side.loader.findings(DestinationRow(*texts)) if not is_breaking(each))


@dataclass(frozen=True, slots=True)
class _Authors:
    """Who wrote rows last, by row id, and who took destinations out of the table, by set and URI key."""

    of_rows: dict[int, str]
    of_removals: dict[tuple[int, str], str]


def _authors(found: Iterable[ProxyChanges]) -> _Authors:
    changes = list(found)
    written = {
        each.row_id for one in changes for each in (*one.added.shown, *one.changed.shown) if each.row_id
    }
    removed = {(each.setid, uri_key(each.uri)) for one in changes for each in one.removed.shown}
    return _Authors(writers(written), removers(removed))


def _with_authors(changes: ProxyChanges, authors: _Authors) -> ProxyChanges:
    def of_row(change: Change) -> Change:
        return replace(change, by=authors.of_rows.get(change.row_id or 0, ""))

    def of_removal(change: Change) -> Change:
        return replace(change, by=authors.of_removals.get((change.setid, uri_key(change.uri)), ""))

    return replace(
        changes,
        added=Changes(changes.added.count, tuple(map(of_row, changes.added.shown))),
        changed=Changes(changes.changed.count, tuple(map(of_row, changes.changed.shown))),
        removed=Changes(changes.removed.count, tuple(map(of_removal, changes.removed.shown))),
    )
