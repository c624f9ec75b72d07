"""Calls counted out of the counters of first choices: each once, whatever is read, by whom and when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.proxies.call_counts import KEPT_FOR, QUARTERS_KEPT_FOR, prune_counts, read_counters, slot_of
from efcp.proxies.memory import Identity, MemoryDestination, MemoryList
from efcp.proxies.models import CallCount, KnownDestination, Proxy, ProxyContact
from tests.proxies.mi_server import FakeMi, listed

Store = Callable[..., object]


def memory(counters: list[int]) -> MemoryList:
    """A list of one set with these counters."""
    destinations = tuple(
        MemoryDestination(1, f"sip:{place}", 0, f"sip:{place}", place, "active", "", "", 1, 0, "", ())
        for place in range(len(counters))
    )
    return MemoryList("default", destinations, tuple(counters), with_details=True)


EVENT = st.one_of(st.integers(0, 2), st.sampled_from(["read", "reload"]))


@given(st.lists(EVENT, max_size=40))
def test_no_call_is_counted_twice_and_all_are_without_a_reload(events: list[int | str]) -> None:
    counters, stored, calls, counted = [5, 0, 9], [5, 0, 9], [0, 0, 0], [0, 0, 0]
    is_reloaded = False
    for event in [*events, "read"]:
        if isinstance(event, int):
            counters[event] += 1
            calls[event] += 1
        elif event == "reload":
            counters, is_reloaded = [0, 0, 0], True
        else:
            rows: list[tuple[int, Identity, int | None]] = [
                (row, (1, f"sip:{row}", 0), count) for row, count in enumerate(stored)
            ]
            reading = read_counters(rows, memory(counters))
            for (key, _occurrence), count in reading.calls.get(1, {}).items():
                counted[int(key.removeprefix("sip:"))] += count
            stored = list(counters)
            assert all(found <= real for found, real in zip(counted, calls, strict=True))
    if not is_reloaded:
        assert counted == calls


@pytest.mark.parametrize(
    ("stored", "listed_now", "expected"),
    [
        pytest.param([65_530, 10], [4, 12], {"sip:0": 10, "sip:1": 2}, id="overflow of 16 bits"),
        pytest.param([65_530, 50_000], [3, 2], {"sip:0": 3, "sip:1": 2}, id="load"),
        pytest.param([900, 3], [2, 5], {"sip:0": 2, "sip:1": 5}, id="load, and a busy one"),
        pytest.param([65_530], [4], {"sip:0": 4}, id="one alone counts as loaded"),
    ],
)
def test_a_counter_that_overflows_is_no_load(
    stored: list[int], listed_now: list[int], expected: dict[str, int]
) -> None:
    rows = [(row, (1, f"sip:{row}", 0), count) for row, count in enumerate(stored)]
    counted = read_counters(rows, memory(listed_now)).calls[1]
    assert {key: count for (key, _occurrence), count in counted.items()} == expected


def calls() -> dict[str, int]:
    """The calls stored by URI key."""
    found: dict[str, int] = {}
    for row in CallCount.objects.all():
        assert row.total == sum(row.by_destination().values())
        for (key, _occurrence), count in row.by_destination().items():
            found[key] = found.get(key, 0) + count
    return found


def test_calls_are_counted_from_the_first_list_on(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a", hits=100), listed("sip:b")]}
    store()
    assert calls() == {}
    mi.sets = {1: [listed("sip:a", hits=103), listed("sip:b", hits=1)]}
    store(30)
    store(30)
    assert calls() == {"sip:a": 3, "sip:b": 1}
    mi.sets = {1: [listed("sip:a", "Probing", hits=104), listed("sip:b", hits=3)]}
    store(45)
    store(60)
    assert calls() == {"sip:a": 4, "sip:b": 3}


def test_a_reload_sets_every_counter_to_zero(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a", hits=10), listed("sip:b", hits=1)]}
    store()
    mi.sets = {1: [listed("sip:a", hits=2), listed("sip:b", hits=1), listed("sip:c", hits=4)]}
    store(10)
    assert calls() == {"sip:a": 2, "sip:b": 1, "sip:c": 4}


def test_an_older_answer_counts_nothing(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a", hits=10)]}
    store()
    mi.sets = {1: [listed("sip:a", hits=15)]}
    store(60)
    mi.sets = {1: [listed("sip:a", hits=12)]}
    store(30)
    assert calls() == {"sip:a": 5}
    assert KnownDestination.objects.get().first_hits == 15


def test_a_proxy_that_lists_no_counter_is_known_to(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    del mi.sets[1][0]["first_hit_counter"]
    store()
    store(60)
    assert KnownDestination.objects.get().first_hits is None
    assert ProxyContact.objects.get().calls_since is None
    assert calls() == {}


def test_a_large_table_is_counted_less_often(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed(f"sip:{number}") for number in range(1000)]}
    store()
    mi.sets[1][3]["first_hit_counter"] = 7
    store(299)
    assert calls() == {}
    store(300)
    assert calls() == {"sip:3": 7}


@pytest.mark.django_db
def test_old_counts_are_kept_by_the_hour_and_then_deleted(proxy: Proxy) -> None:
    now = datetime(2026, 11, 28, 12, 20, tzinfo=UTC)
    old = slot_of(now - QUARTERS_KEPT_FOR - timedelta(hours=2))
    for slot in (*range(old, old + 4), slot_of(now), slot_of(now - KEPT_FOR - timedelta(hours=1))):
        row = CallCount(proxy=proxy, partition="default", setid=1, slot=slot)
        row.set_calls({("sip:a", 0): 2, (f"sip:{slot}", 0): 1})
        row.save()
    prune_counts(now)
    hours = list(CallCount.objects.filter(is_hour=True).order_by("slot"))
    assert all(row.slot % 4 == 0 for row in hours)
    assert sum(row.total for row in hours) == 12
    assert CallCount.objects.get(is_hour=False).slot == slot_of(now)
    assert prune_counts(now) == 0
