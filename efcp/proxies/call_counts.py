"""Calls per destination over time, out of the counters of first choices that proxies list.

A count is stored with the counter that it was read from, in the transaction that holds the proxy's lock:
no reading is counted twice, however many watchers there are. A reload or a restart sets a proxy's counters
to 0: then each counter counts from 0, and the calls between the last reading and the reload are lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from efcp.proxies.memory import Identity, MemoryList
from efcp.proxies.models import CallCount, KnownDestination

SLOT = timedelta(minutes=15)
SLOTS_OF_AN_HOUR = 4
QUARTERS_KEPT_FOR = timedelta(days=2)
"""Older counts are kept by the hour."""

KEPT_FOR = timedelta(days=31)
MAX_COUNTS = 2_000_000
"""Rows of all proxies; the oldest are deleted."""

COUNTER_RANGE = 2**16
"""A counter is an unsigned short (chosen_count in dispatch.h, 3.4 to 4.0): it goes on at 0 after 65,535."""

MOST_CALLS = 2**32 - 1
"""Calls between two readings of a counter: more is a broken reply. Sums stay within 64 bits."""

MERGED_AT_ONCE = 8_000
WRITTEN_AT_ONCE = 300
"""Counters: SQLite takes 1,000 parameters."""

SetCalls = Mapping[int, Mapping[tuple[str, int], int]]
"""By set, then by URI key and occurrence: the calls."""


def slot_of(moment: datetime) -> int:
    """The number of the quarter of an hour, counted from 1970."""
    return int(moment.timestamp() // SLOT.total_seconds())


class CounterReading(NamedTuple):
    """What was counted between two readings of a proxy's counters, and the rows whose counter differs."""

    calls: SetCalls
    changed: list[tuple[int | None, int]]
    """Counter and row id."""


def read_counters(stored: Iterable[tuple[int, Identity, int | None]], memory: MemoryList) -> CounterReading:
    """Compare the stored counters (row id, identity, counter) with those of the list."""
    now = dict(zip((each.identity for each in memory.destinations), memory.first_hits, strict=True))
    pairs = [
        (row_id, identity, before, now[identity]) for row_id, identity, before in stored if identity in now
    ]
    is_reset = _is_reset(
        [(before, counter) for *_, before, counter in pairs if before and counter is not None]
    )
    calls: dict[int, dict[tuple[str, int], int]] = defaultdict(dict)
    for _row_id, (setid, key, occurrence), before, counter in pairs:
        if counter is not None and before is not None:
            grown = counter - before if counter >= before else counter - before + COUNTER_RANGE
            count = min(counter if is_reset else grown, MOST_CALLS)
            if count:
                calls[setid][key, occurrence] = count
    changed = [(counter, row_id) for row_id, _identity, before, counter in pairs if counter != before]
    return CounterReading(calls, changed)


def _is_reset(pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether a load set the counters (before, now) to 0; before is not 0.

    A counter that is lower has overflowed instead if it was so high that less than half of its range lies
    between, while another one did not become lower.
    """
    lower = [(before, now) for before, now in pairs if now < before]
    overflowed = all(now - before + COUNTER_RANGE < COUNTER_RANGE // 2 for before, now in lower)
    return bool(lower) and not (overflowed and len(lower) < len(pairs))


def store_counters(proxy_id: int, memory: MemoryList, read_at: datetime) -> None:
    """Store the counters of the list, and what was counted since they were read last."""
    known = KnownDestination.objects.filter(proxy_id=proxy_id, partition=memory.partition)
    columns = known.values_list("pk", "setid", "uri_key", "occurrence", "first_hits").iterator()
    reading = read_counters(
        ((row_id, (setid, key, which), hits) for row_id, setid, key, which, hits in columns), memory
    )
    for begin in range(0, len(reading.changed), WRITTEN_AT_ONCE):
        _write_counters(reading.changed[begin : begin + WRITTEN_AT_ONCE])
    _add_calls(proxy_id, memory.partition, slot_of(read_at), reading.calls)


def _write_counters(changed: list[tuple[int | None, int]]) -> None:
    """One statement for all these rows: one for each takes five times as long."""
    cases = " ".join(["WHEN %s THEN %s"] * len(changed))
    marks = ", ".join(["%s"] * len(changed))
    values = [value for counter, row_id in changed for value in (row_id, counter)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {KnownDestination._meta.db_table} SET first_hits = CASE id {cases} END"  # noqa: S608
            f" WHERE id IN ({marks})",
            [*values, *(row_id for _counter, row_id in changed)],
        )


def prune_counts(now: datetime) -> int:
    """Put old counts together by the hour, and delete those that are too old or too many."""
    merged = 0
    quarters = CallCount.objects.filter(is_hour=False, slot__lt=slot_of(now - QUARTERS_KEPT_FOR))
    while rows := list(quarters.order_by("slot", "pk")[:MERGED_AT_ONCE]):
        with transaction.atomic():
            by_hour: dict[tuple[int, str, int], list[CallCount]] = defaultdict(list)
            for row in rows:
                hour = row.slot - row.slot % SLOTS_OF_AN_HOUR
                by_hour[row.proxy_id, row.partition, hour].append(row)
            for (proxy_id, partition, hour), group in by_hour.items():
                calls: dict[int, Counter[tuple[str, int]]] = defaultdict(Counter)
                for row in group:
                    calls[row.setid].update(row.by_destination())
                _add_calls(proxy_id, partition, hour, calls, is_hour=True)
            CallCount.objects.filter(pk__in=[row.pk for row in rows]).delete()
        merged += len(rows)
    deleted, _models = CallCount.objects.filter(slot__lt=slot_of(now - KEPT_FOR)).delete()
    beyond = CallCount.objects.order_by("-slot").values_list("slot", flat=True)[MAX_COUNTS:].first()
    if beyond is not None:
        deleted += CallCount.objects.filter(slot__lte=beyond).delete()[0]
    return merged + deleted


def _add_calls(proxy_id: int, partition: str, slot: int, calls: SetCalls, *, is_hour: bool = False) -> None:
    """Add calls to what the slot has of their sets."""
    if not calls:
        return
    mine = CallCount.objects.filter(proxy_id=proxy_id, partition=partition, slot=slot, is_hour=is_hour)
    stored = {row.setid: row for row in mine.filter(setid__in=list(calls))}
    for setid, row in stored.items():
        row.set_calls(Counter(row.by_destination()) + Counter(calls[setid]))
    CallCount.objects.bulk_update(stored.values(), ["calls", "total"], batch_size=200)
    new = []
    for setid, counts in calls.items():
        if setid not in stored:
            row = CallCount(proxy_id=proxy_id, partition=partition, setid=setid, slot=slot, is_hour=is_hour)
            row.set_calls(counts)
            new.append(row)
    CallCount.objects.bulk_create(new, batch_size=200)
