"""Availability as bars: of a destination, of a set, and of all sets, by what the watcher stored.

A number of queries that grows neither with proxies nor with destinations; of more changes than are read,
the older time is shown as unknown.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from django.db.models import Count
from django.utils import timezone

from dispatcher.selectors import set_names
from efcp.charts.axes import Tick, time_axis
from efcp.charts.drawings import Pill, pill
from efcp.clock import moment_text
from efcp.operations.history.timeline import (
    ABSENT,
    IMPAIRED,
    OUT,
    UNKNOWN,
    Period,
    Segment,
    Timeline,
    TimelineChange,
    TimelineGap,
    TimelinePart,
    active_share,
    available,
    parts,
    set_timeline,
    timeline,
    together,
)
from efcp.proxies.models import HistoryGap, KnownDestination, KnownSet, StateChange
from efcp.proxies.selectors import PAIRS_AT_ONCE, WatchedProxy

MAX_CHANGES = 10_000
"""Of all proxies in a period; of more, the newest count."""

MAX_GAPS = 500
MAX_DESTINATIONS = 100
"""Of a set, shown one by one: those that changed come first."""

MAX_SETS = 60
MAX_ROWS_IN_SIGHT = 13
TOO_MANY = "More happened than is read."
COUNTS = {Period.DAY: 48, Period.WEEK: 56, Period.MONTH: 60}
"""How many bars a period has: half an hour, three hours, half a day each."""

_LOOKS = {UNKNOWN: "unknown"}
_ORDER = ("active", IMPAIRED, "probing", "down", "inactive", OUT, ABSENT, UNKNOWN)
_WORDS = {
    "active": "active",
    IMPAIRED: "some destinations take no calls",
    OUT: "no destination takes calls",
    "down": "inactive or probing",
    ABSENT: "not in memory",
    UNKNOWN: "unknown",
}

Identity = tuple[int, int, str, int]
"""Proxy id, set, URI key, occurrence."""

SetChanges = Mapping[tuple[str, int], Sequence[TimelineChange]]
"""Of one set on one proxy, by URI key and occurrence."""


@dataclass(frozen=True, slots=True)
class AvailabilityRow:
    """The bars of one thing, and its availability for people."""

    name: str
    pills: tuple[Pill, ...]
    share: float | None
    setid: int = 0

    @property
    def text(self) -> str:
        """The percentage, never rounded up to 100."""
        return percentage(self.share)

    @property
    def worst_first(self) -> tuple[float, int, str]:
        """What rows are sorted by: the least available ones first, unknown ones last."""
        return (101.0 if self.share is None else self.share, self.setid, self.name)


@dataclass(frozen=True, slots=True)
class SetAvailability:
    """The page of a set: proxies, and the destinations that changed or are first of the set."""

    setid: int
    name: str
    period: Period
    ticks: tuple[Tick, ...]
    rows: tuple[AvailabilityRow, ...]
    destinations: tuple[AvailabilityRow, ...]
    further: int

    @property
    def first_rows(self) -> tuple[AvailabilityRow, ...]:
        """The rows that are in sight: all proxies together, and the least available ones."""
        return self.rows[:MAX_ROWS_IN_SIGHT]

    @property
    def further_rows(self) -> tuple[AvailabilityRow, ...]:
        """The other proxies."""
        return self.rows[MAX_ROWS_IN_SIGHT:]


def percentage(share: float | None) -> str:
    """A percentage for people, never rounded up to 100."""
    if share is None:
        return "unknown"
    return "100 %" if share == 100 else f"{min(share, 99.99):.2f} %"


def pills_of(cut: Sequence[TimelinePart]) -> tuple[Pill, ...]:
    """The parts of a line as they are drawn, best at the bottom."""
    return tuple(_pill(index, len(cut), each) for index, each in enumerate(cut))


def period_ticks(begin: datetime, end: datetime) -> tuple[Tick, ...]:
    """The ticks of a period on the user's clock."""
    return time_axis(begin, end, timezone.get_current_timezone()).ticks


def set_availability(setid: int, period: Period, watched: Sequence[WatchedProxy]) -> SetAvailability:
    """What a set was on each of these proxies, and what its destinations were on all of them together."""
    end = timezone.now()
    past = StoredPast.read(watched, end - period.value, end, [setid])
    count = COUNTS[period]
    by_proxy = [(each, parts(past.line_of_set(each, setid), count)) for each in watched]
    rows = [_row(each.proxy.name, cut) for each, cut in by_proxy]
    if len(rows) >= MAX_ROWS_IN_SIGHT:
        rows.sort(key=attrgetter("worst_first"))
    if len(rows) > 1:
        rows.insert(0, _row("All proxies", together([cut for _each, cut in by_proxy])))
    destinations = past.destinations(setid, count)
    return SetAvailability(
        setid=setid,
        name=set_names().get(setid, ""),
        period=period,
        ticks=period_ticks(past.begin, end),
        rows=tuple(rows),
        destinations=destinations[:MAX_DESTINATIONS],
        further=max(0, len(destinations) - MAX_DESTINATIONS),
    )


@dataclass(frozen=True, slots=True)
class LastDay:
    """The last 24 hours of sets, the least available first."""

    rows: tuple[AvailabilityRow, ...]
    ticks: tuple[Tick, ...]


def last_day(watched: Sequence[WatchedProxy]) -> LastDay:
    """The last 24 hours of at most MAX_SETS sets: those that changed, and the first others."""
    end = timezone.now()
    begin = end - Period.DAY.value
    of_proxies = StateChange.objects.filter(proxy__in=[each.proxy.pk for each in watched], at__gte=begin)
    changed = of_proxies.values("setid").annotate(count=Count("pk")).order_by("-count", "setid")
    setids = [each["setid"] for each in changed[:MAX_SETS]]
    listed = KnownSet.objects.filter(proxy__in=[each.proxy.pk for each in watched]).exclude(setid__in=setids)
    setids += listed.order_by("setid").values_list("setid", flat=True).distinct()[: MAX_SETS - len(setids)]
    past = StoredPast.read(watched, begin, end, setids)
    names = set_names()
    found = []
    for setid in setids:
        cut = together([parts(past.line_of_set(each, setid), COUNTS[Period.DAY]) for each in watched])
        label = f"{setid} · {names[setid]}" if names.get(setid) else str(setid)
        found.append(_row(label, cut, setid))
    found.sort(key=attrgetter("worst_first"))
    return LastDay(tuple(found), period_ticks(begin, end))


@dataclass(frozen=True, slots=True)
class StoredPast:
    """What is stored of some sets on some proxies since `begin`, oldest first."""

    begin: datetime
    end: datetime
    watched: Sequence[WatchedProxy]
    changes: Mapping[tuple[int, int], SetChanges]
    now: Mapping[Identity, str]
    counts: Mapping[tuple[int, int], Mapping[str, int]]
    gaps: Mapping[int, Sequence[TimelineGap]]
    uris: Mapping[str, str]

    @classmethod
    def read(
        cls, watched: Sequence[WatchedProxy], begin: datetime, end: datetime, setids: Sequence[int]
    ) -> "StoredPast":
        """Read it; `counts` are of (proxy id, set) by state, `now` the states of what changed."""
        partitions = {each.proxy.pk: each.proxy.partition for each in watched}
        rows = StateChange.objects.filter(proxy__in=partitions, setid__in=setids, at__gte=begin)
        newest = list(rows.order_by("-at", "-pk")[: MAX_CHANGES + 1])
        changes: dict[tuple[int, int], dict[tuple[str, int], list[TimelineChange]]] = defaultdict(dict)
        uris = {}
        for one in reversed(newest):
            if partitions[one.proxy_id] == one.partition:
                of_set, identity = changes[one.proxy_id, one.setid], (one.uri_key, one.occurrence)
                change = TimelineChange(one.at, one.state_before, one.state_after)
                of_set.setdefault(identity, []).append(change)
                uris[one.uri_key] = one.uri
        read_from = newest[-1].at if len(newest) > MAX_CHANGES else begin
        return cls(
            begin=begin,
            end=end,
            watched=watched,
            changes=changes,
            now=_states_of(uris, partitions, setids),
            counts=_counts(partitions, setids),
            gaps=stored_gaps(partitions, begin, read_from),
            uris=uris,
        )

    def line_of_set(self, each: WatchedProxy, setid: int) -> Timeline:
        """What the set was on one proxy."""
        place = (each.proxy.pk, setid)
        until = known_until(each, self.begin, self.end)
        line = set_timeline(
            self.begin,
            until,
            each.contact.known_since,
            self.counts.get(place, {}),
            [
                (changes, self.now.get((*place, *identity)))
                for identity, changes in self.changes.get(place, {}).items()
            ],
            self.gaps.get(each.proxy.pk, ()),
        )
        return up_to(line, self.end)

    def destinations(self, setid: int, count: int) -> tuple[AvailabilityRow, ...]:
        """Those that changed, the least available first, on all proxies that hold them together."""
        lines: dict[tuple[str, int], list[tuple[TimelinePart, ...]]] = defaultdict(list)
        for each in self.watched:
            place = (each.proxy.pk, setid)
            until = known_until(each, self.begin, self.end)
            for identity, changes in self.changes.get(place, {}).items():
                line = timeline(
                    self.begin,
                    until,
                    each.contact.known_since,
                    changes,
                    None,
                    self.now.get((*place, *identity)),
                    self.gaps.get(each.proxy.pk, ()),
                )
                lines[identity].append(parts(up_to(line, self.end), count))
        rows = []
        for (uri_key, _occurrence), cuts in lines.items():
            cut = together(cuts)
            rows.append(AvailabilityRow(self.uris[uri_key], pills_of(cut), active_share(cut)))
        return tuple(sorted(rows, key=attrgetter("worst_first")))


def known_until(each: WatchedProxy, begin: datetime, end: datetime) -> datetime:
    """Up to when a proxy's states are known: a silent one's up to its last answer only."""
    return end if each.fresh or each.answered_at is None else max(begin, min(end, each.answered_at))


def up_to(line: Timeline, end: datetime) -> Timeline:
    """The line, unknown from its end up to `end`."""
    silence = (Segment(UNKNOWN, line.end, end),) if end > line.end else ()
    return Timeline(line.begin, end, line.segments + silence)


def stored_gaps(
    partitions: Mapping[int, str], begin: datetime, read_from: datetime
) -> dict[int, list[TimelineGap]]:
    """By proxy, oldest first; what was before `read_from` is one gap, since not all changes were read."""
    rows = HistoryGap.objects.filter(proxy__in=partitions, end__gte=begin).order_by("-end")
    newest = list(rows[: MAX_GAPS + 1])
    if len(newest) > MAX_GAPS:
        read_from = max(read_from, newest.pop().end)
    found: dict[int, list[TimelineGap]] = defaultdict(list)
    if read_from > begin:
        for proxy_id in partitions:
            found[proxy_id].append(TimelineGap(begin, read_from, TOO_MANY))
    for one in reversed(newest):
        if partitions[one.proxy_id] == one.partition:
            found[one.proxy_id].append(TimelineGap(one.begin, one.end, one.why))
    return found


def _states_of(
    keys: Iterable[str], partitions: Mapping[int, str], setids: Sequence[int]
) -> dict[Identity, str]:
    requested = sorted(keys)
    found = {}
    for start in range(0, len(requested), PAIRS_AT_ONCE):
        rows = KnownDestination.objects.filter(
            proxy__in=partitions, setid__in=setids, uri_key__in=requested[start : start + PAIRS_AT_ONCE]
        ).values_list("proxy_id", "partition", "setid", "uri_key", "occurrence", "state")
        for proxy_id, partition, setid, key, occurrence, state in rows:
            if partitions[proxy_id] == partition:
                found[proxy_id, setid, key, occurrence] = state
    return found


def _counts(partitions: Mapping[int, str], setids: Sequence[int]) -> dict[tuple[int, int], Counter[str]]:
    rows = KnownDestination.objects.filter(proxy__in=partitions, setid__in=setids)
    found: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    grouped = (
        rows.values_list("proxy_id", "partition", "setid", "state").annotate(count=Count("pk")).order_by()
    )
    for proxy_id, partition, setid, state, count in grouped:
        if partitions[proxy_id] == partition:
            found[proxy_id, setid][state] += count
    return found


def _row(name: str, cut: Sequence[TimelinePart], setid: int = 0) -> AvailabilityRow:
    return AvailabilityRow(name, pills_of(cut), available(cut), setid)


def _pill(index: int, count: int, part: TimelinePart) -> Pill:
    total = sum(part.lengths.values(), timedelta())
    shares = [(state, part.lengths[state] / total) for state in _ORDER if part.lengths.get(state)]
    words = ", ".join(_share_words(state, share) for state, share in shares)
    begin, end = (moment_text(each, seconds=False) for each in (part.begin, part.end))
    return pill(
        index,
        count,
        f"{begin} to {end}: {words}",
        [(_LOOKS.get(state, state), share) for state, share in shares],
    )


def _share_words(state: str, share: float) -> str:
    word = _WORDS.get(state, state)
    return word if share == 1 else f"{word} {min(max(100 * share, 0.01), 99.99):.2f} %"
