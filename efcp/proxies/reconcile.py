"""One visit to a proxy, reasoned out: stored state, list and reports give a plan. Pure: no Django, no I/O.

`read` finds who answered and what is new in its reports; `reconcile` compares that with the stored
destinations and gives the `Plan`: rows to write, history, gaps, causes. `storing` applies it.

The list is the truth. Reports date and explain what lists differ in, and show what came and went between two
lists. A report contradicted by two consecutive lists is dropped.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import NamedTuple

from efcp.proxies.flag_reports import (
    FLAG_REPORTS_KEPT,
    LOAD_REPORTS_KEPT,
    PROBE_ANSWERED,
    PROBE_FAILED,
    FlagReport,
    ReportCursor,
    Transition,
    Unread,
    flag_reports,
    transitions,
    unread,
)
from efcp.proxies.load_reports import LoadReports, completed_at
from efcp.proxies.memory import (
    DispatcherReports,
    Identity,
    MemoryDestination,
    MemoryDiff,
    MemoryList,
    Probes,
    Snapshot,
    StoredDestination,
    difference,
)

FIRST_HITS_PACE = timedelta(seconds=30)
"""How often first hits are stored: they change with every call."""

FIRST_HITS_PACE_OF_ONE = timedelta(seconds=0.3)
"""The pace for each destination of a proxy: those of 1,000 are stored every five minutes."""

CONTINUOUS_FOR = timedelta(seconds=10)
"""Beside three of the proxy's intervals, how far apart two lists may be for a change to be dated exactly."""

SAME_START = timedelta(seconds=5)
"""How far apart two readings of one start may lie: both are computed from an uptime in whole seconds."""

CLOCKS_APART = timedelta(seconds=5)
"""How far a proxy's clock may be off for its reports to date a change exactly."""

RESTARTED = "restarted"
"""Instead of a cursor: the rings were restarted, which empty ones do not show."""

LOST = "The proxy restarted, or its report buffer overflowed."
NOT_COVERED = "The watcher was not running, and the proxy has no reports for this time."

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[int, str]
"""Set and URI key: all that a report names of a destination."""

Since = Mapping[Identity, tuple[datetime, bool]]
"""When a destination's state began, and whether that is exact."""


class Cause(StrEnum):
    """Why a destination changed, as far as the proxy reports it."""

    PROBING = "probing"
    MI = "mi"
    SCRIPT = "script"
    REPLICATION = "replication"
    RELOAD = "reload"
    UNKNOWN = ""


_CAUSES = {
    PROBE_FAILED: Cause.PROBING,
    PROBE_ANSWERED: Cause.PROBING,
    "MI command": Cause.MI,
    "script function ds_mark()": Cause.SCRIPT,
    "replicated info": Cause.REPLICATION,
}


@dataclass(frozen=True, slots=True)
class ProxyIdentity:
    """What a proxy says of itself: its version, when it started, and its own text of that moment.

    `up_since_text` is in the proxy's own zone and to the second: it changes with a restart and only then,
    while `up_since`, computed from its uptime, may be a second off. `version` is None where it was not asked
    for.
    """

    version: str | None
    up_since: datetime
    up_since_text: str


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """What a proxy answered in one visit: its list with its reports, its identity, its reports of loads.

    `identity` is None where it refuses to give it; `loads` by module, of those requested and given.
    """

    snapshot: Snapshot
    identity: ProxyIdentity | None = None
    loads: Mapping[str, LoadReports] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContactState:
    """What is stored of a proxy beside its destinations: the columns of ProxyContact, named as there."""

    attempted_at: datetime | None = None
    answered_at: datetime | None = None
    requested_at: datetime | None = None
    known_since: datetime | None = None
    failing_since: datetime | None = None
    outcome: str = ""
    error: str = ""
    version: str = ""
    up_since: datetime | None = None
    up_since_text: str = ""
    stranger_start: str = ""
    mixed_at: datetime | None = None
    probes_reported_at: datetime | None = None
    probes_read_at: datetime | None = None
    probes_all: bool = False
    modes_digest: str = ""
    round_trip_ms: float | None = None
    interval_s: float = 2.0
    sets_digest: str = ""
    destination_count: int = 0
    hits_stored_at: datetime | None = None
    calls_since: datetime | None = None
    with_details: bool = True
    reports_requested_at: datetime | None = None
    flags_cursor: str = ""
    loads_cursor: str = ""
    late_reports: tuple[FlagReport, ...] = ()


class Continuity(Enum):
    """Whether an answer comes from the same run of the same proxy, by its reported start."""

    SAME = "same"
    RESTARTED = "restarted"
    STRANGER = "stranger"
    """A proxy that started earlier than the known one: two answer at one address."""


class StoreOutcome(Enum):
    """The outcome of storing an answer."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    """An answer to a later request is stored already."""
    PROXY_CHANGED = "proxy changed"
    """The proxy was deleted, or has another address or partition than the one that was asked."""
    STRANGER = "stranger"
    """Another proxy answered."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The time between two lists. `begin` is None before the first one.

    `exact` is whether they are so close that a change between them can be dated by the later one.
    """

    begin: datetime | None
    end: datetime
    exact: bool

    def clamped(self, moment: datetime) -> datetime:
        """`moment` by the proxy's clock, put into the interval: the clocks may differ."""
        return min(self.end, max(moment, self.begin or moment))


@dataclass(frozen=True, slots=True)
class NewReports:
    """What is new in the reports.

    `late` were read with the former list, which did not show them yet; `reloaded`: they show a load.
    `reaches`: they reach back to what was read before. `lost`: they do not, though something was.
    """

    new: Sequence[FlagReport] = ()
    late: Sequence[FlagReport] = ()
    reloaded: bool = False
    reaches: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says before any destination is compared.

    `contact` is what will be stored of the proxy, `interval` the time since the stored list. `outcome` is
    STORED where destinations have to be compared. `failed_probes` are the destinations whose probe failed
    since their last load: whether one of them is not marked for probing has to be looked up.
    """

    continuity: Continuity
    outcome: StoreOutcome
    contact: ContactState
    interval: Interval
    reports: NewReports
    answered_probes: Mapping[Key, datetime]
    failed_probes: frozenset[Key]


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The stored rows that a reading needs: destinations and sets (content by id) where these are compared.

    `unmarked` are those of the reading's failed probes that were loaded with probe mode 0.
    """

    destinations: Mapping[Identity, StoredDestination] = field(default_factory=dict)
    sets: Mapping[int, str] = field(default_factory=dict)
    unmarked: frozenset[Key] = frozenset()


class HistoryEntry(NamedTuple):
    """A destination's change; states as in the history, empty before it came and after it went."""

    destination: MemoryDestination
    before: str
    after: str
    cause: Cause
    at: datetime
    at_is_exact: bool


class NewRow(NamedTuple):
    """A row to insert: a destination, since when it is in its state, and what is known of its probes."""

    destination: MemoryDestination
    since: datetime
    since_is_exact: bool
    probes: Probes
    first_hits: int | None = 0


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What is written of destinations and sets: `since` is of rows that stay otherwise as they are."""

    delete: tuple[int, ...]
    insert: tuple[NewRow, ...]
    since: Since
    sets_gone: tuple[int, ...]
    sets_new: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Gap:
    """A time whose changes are not known, and why."""

    begin: datetime
    end: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one visit writes.

    `rows` is None where the list is the stored one; `first_hits` is whether the counters are due.
    With `started_at` the proxy started since: no state is older, those of `flagged_since` no older than that,
    and what was known of probes is forgotten. `reloaded`: what is always probed has to be learnt again.
    """

    outcome: StoreOutcome
    contact: ContactState
    rows: RowChanges | None = None
    first_hits: bool = False
    history: tuple[HistoryEntry, ...] = ()
    gap: Gap | None = None
    started_at: datetime | None = None
    flagged_since: Mapping[Key, datetime] = field(default_factory=dict)
    reloaded: bool = False
    answered_probes: Mapping[Key, datetime] = field(default_factory=dict)
    failed_probes: frozenset[Key] = frozenset()


def read(contact: ContactState, answer: ProxyAnswer, now: datetime) -> Reading:
    """Who answered, and what is new in its reports; `now` is the panel's clock."""
    snapshot = answer.snapshot
    continuity, contact = _identify(contact, answer.identity, now)
    interval = _interval(contact, snapshot.requested_at)
    if continuity is Continuity.STRANGER:
        return Reading(continuity, StoreOutcome.STRANGER, contact, interval, NewReports(), {}, frozenset())
    if contact.requested_at is not None and snapshot.requested_at < contact.requested_at <= now:
        # An answer "of the future" is from before the clock was set back, and counts as older.
        outcome, reports = StoreOutcome.OUTDATED, NewReports()
    else:
        reports, contact = _take(contact, snapshot.reports)
        differs = snapshot.digest != contact.sets_digest or contact.requested_at is None
        is_news = differs or reports.new or reports.late
        outcome = StoreOutcome.STORED if is_news else StoreOutcome.UNCHANGED
    if continuity is Continuity.RESTARTED:
        contact = replace(
            contact, probes_reported_at=None, probes_read_at=None, probes_all=False, modes_digest=""
        )
    if outcome is StoreOutcome.OUTDATED and continuity is not Continuity.RESTARTED:
        return Reading(continuity, outcome, contact, interval, reports, {}, frozenset())
    return Reading(continuity, outcome, *_probes(contact, snapshot.reports, interval, reports))


def reconcile(reading: Reading, answer: ProxyAnswer, stored: StoredRows) -> Plan:
    """What to write, so that what is stored becomes what the proxy holds, with its history."""
    snapshot, contact = answer.snapshot, reading.contact
    if stored.unmarked and reading.continuity is not Continuity.RESTARTED:
        contact = replace(contact, probes_all=True)
    plan = Plan(reading.outcome, contact)
    if reading.continuity is Continuity.STRANGER:
        return plan
    if reading.outcome is not StoreOutcome.OUTDATED:
        plan = _reconcile_list(plan, reading, snapshot, stored)
    plan = replace(
        plan,
        reloaded=reading.reports.reloaded or reading.continuity is Continuity.RESTARTED,
        answered_probes=reading.answered_probes,
        failed_probes=reading.failed_probes,
    )
    if reading.continuity is not Continuity.RESTARTED:
        return plan
    return replace(
        plan,
        started_at=contact.up_since,
        flagged_since={
            key: min(snapshot.requested_at, at) for key, at in _last_flags(snapshot.reports).items()
        },
    )


def _reconcile_list(plan: Plan, reading: Reading, snapshot: Snapshot, stored: StoredRows) -> Plan:
    """The rows, the history and the gap; the contact as it is after a good answer."""
    interval, reports = reading.interval, reading.reports
    contact = _after_good_answer(plan.contact, snapshot)
    gap = None
    if interval.begin is not None and (reports.lost or not (interval.exact or reports.reaches)):
        gap = Gap(interval.begin, interval.end, LOST if reports.lost else NOT_COVERED)
    found = MemoryDiff((), (), ())
    if reading.outcome is not StoreOutcome.UNCHANGED:
        found = difference(stored.destinations, snapshot.memory.destinations)
    due = bool(found.appeared) or _first_hits_are_due(contact, reading, snapshot)
    contact = _with_first_hits(contact, snapshot) if due else contact
    plan = replace(plan, first_hits=due)
    if reading.outcome is StoreOutcome.UNCHANGED:
        return replace(plan, contact=contact, gap=gap)
    history: tuple[HistoryEntry, ...] = ()
    late: tuple[FlagReport, ...] = ()
    if interval.begin is None:
        # A proxy's first list is no change: nobody knows what was before.
        since: Since = {each.identity: (interval.end, False) for each in found.appeared}
    else:
        history, late = _history(found, snapshot.memory, reports, interval)
        since = {each.destination.identity: (each.at, each.at_is_exact) for each in history}
    is_new = interval.begin is not None and found.appeared
    contact = replace(
        contact,
        late_reports=late,
        modes_digest="" if is_new else contact.modes_digest,
    )
    rows = _row_changes(found, since, snapshot.memory, stored.sets, is_first=interval.begin is None)
    return replace(plan, contact=contact, gap=gap, rows=rows, history=history)


def _first_hits_are_due(contact: ContactState, reading: Reading, snapshot: Snapshot) -> bool:
    """By their pace, and once a load or a restart has set the counters to 0."""
    pace = max(FIRST_HITS_PACE, len(snapshot.memory.destinations) * FIRST_HITS_PACE_OF_ONE)
    return (
        contact.hits_stored_at is None
        or snapshot.requested_at - contact.hits_stored_at >= pace
        or reading.reports.reloaded
        or reading.continuity is Continuity.RESTARTED
    )


def _with_first_hits(contact: ContactState, snapshot: Snapshot) -> ContactState:
    are_listed = any(hits is not None for hits in snapshot.memory.first_hits)
    calls_since = (contact.calls_since or snapshot.requested_at) if are_listed else None
    return replace(contact, hits_stored_at=snapshot.requested_at, calls_since=calls_since)


def _identify(
    contact: ContactState, identity: ProxyIdentity | None, now: datetime
) -> tuple[Continuity, ContactState]:
    """Compare the answer's start with the known one. A restart never starts earlier: that is another proxy.

    If it answers twice in a row, it has taken the address over for good.
    """
    if identity is None:
        return Continuity.SAME, contact
    start = identity.up_since_text
    known = replace(
        contact, stranger_start="", version=contact.version if identity.version is None else identity.version
    )
    if contact.up_since_text == start:
        return Continuity.SAME, known
    known = replace(known, up_since=identity.up_since, up_since_text=start)
    if not contact.up_since_text:
        return Continuity.SAME, known
    is_earlier = contact.up_since is not None and identity.up_since < contact.up_since - SAME_START
    if is_earlier and contact.stranger_start != start:
        return Continuity.STRANGER, replace(contact, stranger_start=start, mixed_at=now)
    return Continuity.RESTARTED, replace(known, flags_cursor=RESTARTED)


def _interval(contact: ContactState, requested_at: datetime) -> Interval:
    begin = contact.requested_at
    longest = CONTINUOUS_FOR + 3 * timedelta(seconds=contact.interval_s)
    return Interval(begin, requested_at, begin is not None and requested_at - begin <= longest)


def _take(contact: ContactState, reports: DispatcherReports | None) -> tuple[NewReports, ContactState]:
    """Read on from the contact's cursors, and move them.

    Reports requested before those of the cursors are not new.
    """
    if reports is None or (
        contact.reports_requested_at is not None and reports.requested_at < contact.reports_requested_at
    ):
        return NewReports(), contact
    former = ReportCursor.parse(contact.flags_cursor)
    if contact.flags_cursor == RESTARTED:
        ring = reports.flags.reports if reports.flags else ()
        flags = Unread(ring, ReportCursor.of(ring), lost=True)
    else:
        flags = unread(reports.flags, former, FLAG_REPORTS_KEPT)
    loads = unread(reports.loads, ReportCursor.parse(contact.loads_cursor), LOAD_REPORTS_KEPT)
    new = NewReports(
        new=flag_reports(flags.reports),
        late=contact.late_reports,
        reloaded=completed_at(loads.reports) is not None,
        reaches=former is not None and not flags.lost,
        lost=flags.lost,
    )
    return new, replace(
        contact,
        reports_requested_at=reports.requested_at,
        flags_cursor=str(flags.cursor),
        loads_cursor=str(loads.cursor),
        late_reports=(),
    )


def _probes(
    contact: ContactState, reports: DispatcherReports | None, interval: Interval, new: NewReports
) -> tuple[ContactState, Interval, NewReports, Mapping[Key, datetime], frozenset[Key]]:
    """What the reports say of probes since they were read last, those of that very second once more."""
    if reports is None or reports.flags is None or not reports.flags.reports:
        return contact, interval, new, {}, frozenset()
    read_at = contact.probes_read_at or _LONG_AGO
    loaded_at = completed_at(reports.loads.reports if reports.loads else ()) or _LONG_AGO
    answered: dict[Key, datetime] = {}
    failed: set[Key] = set()
    answered_at = contact.probes_reported_at
    for each in flag_reports(reports.flags.reports):
        if each.reason not in {PROBE_ANSWERED, PROBE_FAILED} or each.at < read_at:
            continue
        at = min(each.at, reports.requested_at)
        answered_at = max(answered_at or at, at)
        if each.reason == PROBE_ANSWERED:
            answered[each.setid, each.uri_key] = at
        elif each.at >= loaded_at:
            failed.add((each.setid, each.uri_key))
    read_to = min(reports.flags.reports[-1].at, reports.requested_at)
    contact = replace(contact, probes_reported_at=answered_at, probes_read_at=read_to)
    return contact, interval, new, answered, frozenset(failed)


def _last_flags(reports: DispatcherReports | None) -> dict[Key, datetime]:
    """When the last flag of each destination is reported to have changed."""
    ring = reports.flags.reports if reports and reports.flags else ()
    return {(each.setid, each.uri_key): each.at for each in flag_reports(ring)}


def _after_good_answer(contact: ContactState, snapshot: Snapshot) -> ContactState:
    return replace(
        contact,
        attempted_at=snapshot.requested_at,
        requested_at=snapshot.requested_at,
        known_since=contact.known_since or snapshot.requested_at,
        answered_at=snapshot.requested_at + timedelta(seconds=snapshot.round_trip_s),
        failing_since=None,
        outcome="answered",
        error="",
        round_trip_ms=snapshot.round_trip_s * 1000,
        sets_digest=snapshot.digest,
        destination_count=len(snapshot.memory.destinations),
        with_details=snapshot.memory.with_details,
    )


def _row_changes(
    found: MemoryDiff, since: Since, memory: MemoryList, sets: Mapping[int, str], *, is_first: bool
) -> RowChanges:
    """Rows that differ are deleted and inserted again, so that one INSERT serves both databases.

    Counters stand at 0 after a load; those of a proxy's first list were counted before anybody looked.
    """
    listed = dict(zip((each.identity for each in memory.destinations), memory.first_hits, strict=True))
    insert = [
        NewRow(each, *since[each.identity], Probes(), listed[each.identity] if is_first else 0)
        for each in found.appeared
    ]
    for before, now in found.changed:
        began = since.get(now.identity, (before.since, before.since_is_exact))
        insert.append(NewRow(now, *began, before.probes, before.first_hits))
    written = {row.destination.identity for row in insert}
    contents = memory.contents()
    new = {setid: content for setid, content in contents.items() if sets.get(setid) != content}
    vanished = {each.destination.identity for each in found.vanished}
    return RowChanges(
        delete=tuple(each.row_id for each in (*found.vanished, *(before for before, _ in found.changed))),
        insert=tuple(insert),
        since={key: began for key, began in since.items() if key not in written | vanished},
        sets_gone=(*new, *(sets.keys() - contents.keys())),
        sets_new=new,
    )


def _history(
    found: MemoryDiff, memory: MemoryList, reports: NewReports, interval: Interval
) -> tuple[tuple[HistoryEntry, ...], tuple[FlagReport, ...]]:
    """The changes between two lists, oldest first for each destination, and the reports newer than the list.

    `found` leads to `memory`. A report names no occurrence: it counts for the first destination of its set
    and URI, the one that the proxy changes.
    """
    unexplained = Cause.RELOAD if reports.reloaded else Cause.UNKNOWN
    end, exact = interval.end, interval.exact
    changes = [HistoryEntry(each, "", each.state, unexplained, end, exact) for each in found.appeared]
    changes += [
        HistoryEntry(gone.destination, gone.destination.state, "", unexplained, end, exact)
        for gone in found.vanished
    ]
    late: list[FlagReport] = []
    for before, now, new, late_reports in _to_explain(found, memory, reports):
        path = transitions(before, now.state, [*late_reports, *new])
        changes.extend(_entry(now, step, interval, unexplained) for step in path.steps)
        # What was late already gets no third chance.
        late.extend(new[max(0, path.used - len(late_reports)) :])
    return tuple(changes), tuple(late)


def _to_explain(
    found: MemoryDiff, memory: MemoryList, reports: NewReports
) -> Iterator[tuple[str, MemoryDestination, Sequence[FlagReport], Sequence[FlagReport]]]:
    """What changed its state, or is reported to have done so: the state before, new and late reports."""
    new, late = _by_destination(reports.new), _by_destination(reports.late)
    explained: set[Identity] = {each.identity for each in found.appeared}
    for stored, now in found.changed:
        explained.add(now.identity)
        new_here, late_here = new.get(now.identity, ()), late.get(now.identity, ())
        if stored.destination.state != now.state or new_here or late_here:
            yield stored.destination.state, now, new_here, late_here
    if not (new or late):
        return
    for each in memory.destinations:
        new_here, late_here = new.get(each.identity, ()), late.get(each.identity, ())
        if (new_here or late_here) and each.identity not in explained:
            yield each.state, each, new_here, late_here


def _by_destination(reports: Iterable[FlagReport]) -> Mapping[Identity, Sequence[FlagReport]]:
    found: dict[Identity, list[FlagReport]] = defaultdict(list)
    for each in reports:
        found[each.setid, each.uri_key, 0].append(each)
    return dict(found)


def _entry(
    destination: MemoryDestination, step: Transition, interval: Interval, unexplained: Cause
) -> HistoryEntry:
    if step.at is None:
        return HistoryEntry(destination, step.before, step.after, unexplained, interval.end, interval.exact)
    cause = _CAUSES.get(step.reason, Cause.UNKNOWN)
    at = interval.clamped(step.at)
    # A clock that is wrong, or in another zone, dates nothing: the lists alone do.
    is_exact = interval.exact or abs(at - step.at) <= CLOCKS_APART
    return HistoryEntry(destination, step.before, step.after, cause, at, is_exact)
