"""What is stored of the time between two lists: causes, changes too short for a list, and gaps."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from efcp.proxies.models import HistoryGap, KnownDestination, StateChange
from efcp.proxies.reconcile import Cause, StoreOutcome
from efcp.proxies.visits import VisitResult
from tests.proxies.conftest import START, Store
from tests.proxies.mi_server import FakeMi, listed

FAILED, ANSWERED = "negative probing reply", "200 OK probing reply"


def at(seconds: float) -> datetime:
    """A moment after START."""
    return START + timedelta(seconds=seconds)


def changes() -> Iterable[tuple[str, str, str]]:
    """State before, state after and cause of each change, oldest first."""
    found = StateChange.objects.order_by("at", "pk")
    return list(found.values_list("state_before", "state_after", "cause"))


@pytest.fixture(autouse=True)
def known(mi: FakeMi, store: Store) -> None:
    """A proxy with reports, known with one active destination at START."""
    mi.reports = []
    mi.sets = {1: [listed("sip:a")]}
    store()


@pytest.mark.parametrize(
    ("state", "reason", "cause"),
    [
        ("Probing", FAILED, Cause.PROBING),
        ("Inactive", "MI command", Cause.MI),
        ("Probing", "script function ds_mark()", Cause.SCRIPT),
        ("Inactive", "replicated info", Cause.REPLICATION),
        ("Inactive", "something of a later release", Cause.UNKNOWN),
    ],
)
def test_the_cause_is_the_proxys_own_word(
    mi: FakeMi, store: Store, state: str, reason: str, cause: Cause
) -> None:
    mi.switch(at(1), "sip:a", "inactive", reason)
    mi.sets[1][0]["state"] = state
    store(2)
    assert changes() == [("active", state.lower(), cause)]
    assert StateChange.objects.get().at == at(1)
    assert KnownDestination.objects.get().since == at(1)


def test_a_change_without_a_report_has_no_cause(mi: FakeMi, store: Store) -> None:
    mi.sets[1][0]["state"] = "Inactive"
    store(2)
    assert changes() == [("active", "inactive", Cause.UNKNOWN)]
    assert StateChange.objects.get().at == at(2)


def test_what_came_with_a_load_is_recorded_as_a_reload(mi: FakeMi, store: Store) -> None:
    loaded = {
        "Timestamp": int(at(1).timestamp()),
        "Date": "x",
        "Log": "DB data loading successfully completed",
    }
    mi.loads = [loaded]
    mi.sets[1].append(listed("sip:b"))
    store(2)
    assert changes() == [("", "active", Cause.RELOAD)]


def test_a_change_between_two_lists_is_recovered_from_the_reports(mi: FakeMi, store: Store) -> None:
    mi.switch(at(1), "sip:a", "inactive", FAILED)
    mi.switch(at(2), "sip:A", "active", ANSWERED)
    assert store(4) == VisitResult(StoreOutcome.STORED, 2)
    assert changes() == [("active", "probing", Cause.PROBING), ("probing", "active", Cause.PROBING)]
    row = KnownDestination.objects.get()
    assert (row.state, row.since, row.since_is_exact) == ("active", at(2), True)


def test_no_report_counts_twice(mi: FakeMi, store: Store) -> None:
    mi.switch(at(1), "sip:a", "inactive", FAILED)
    mi.switch(at(2), "sip:a", "active", ANSWERED)
    store(4)
    assert store(6) == VisitResult(StoreOutcome.UNCHANGED, 0)
    mi.switch(at(7), "sip:a", "inactive", FAILED)
    mi.switch(at(7), "sip:a", "active", ANSWERED)
    assert store(8) == VisitResult(StoreOutcome.STORED, 2)


def test_a_report_newer_than_the_list_counts_with_the_next_list(mi: FakeMi, store: Store) -> None:
    mi.switch(at(3), "sip:a", "inactive", FAILED)
    store(2)
    assert changes() == []
    mi.sets[1][0]["state"] = "Probing"
    store(4)
    assert changes() == [("active", "probing", Cause.PROBING)]


def test_moments_of_a_proxy_whose_clock_is_wrong_are_put_between_the_lists(mi: FakeMi, store: Store) -> None:
    mi.switch(at(-7200), "sip:a", "inactive", FAILED)
    mi.sets[1][0]["state"] = "Probing"
    store(2)
    assert StateChange.objects.get().at == START


def test_a_long_silence_is_no_gap_where_the_reports_reach_back(mi: FakeMi, store: Store) -> None:
    mi.switch(at(1), "sip:a", "inactive", FAILED)
    mi.sets[1][0]["state"] = "Probing"
    store(2)
    mi.switch(at(900), "sip:a", "active", ANSWERED)
    mi.switch(at(1000), "sip:a", "inactive", FAILED)
    store(3600)
    assert not HistoryGap.objects.exists()
    assert [change.at for change in StateChange.objects.order_by("at")] == [at(1), at(900), at(1000)]


def test_a_long_silence_without_reports_is_a_gap(mi: FakeMi, store: Store) -> None:
    mi.reports = None
    store(3600)
    gap = HistoryGap.objects.get()
    assert (gap.begin, gap.end) == (at(0), at(3600))


def test_more_reports_than_the_ring_keeps_are_a_gap(mi: FakeMi, store: Store) -> None:
    for second in range(3):
        mi.switch(at(second), "sip:a", "inactive" if second % 2 else "active", FAILED)
    store(4)
    for second in range(5, 500):
        mi.switch(at(second), "sip:a", "inactive" if second % 2 else "active", FAILED)
    store(500)
    assert (HistoryGap.objects.get().begin, HistoryGap.objects.get().end) == (at(4), at(500))


def test_a_restart_is_a_gap_since_it_forgets_the_reports(mi: FakeMi, store: Store) -> None:
    mi.switch(at(1), "sip:a", "inactive", FAILED)
    mi.sets[1][0]["state"] = "Probing"
    store(2)
    mi.reports = []
    mi.sets[1][0]["state"] = "Active"
    store(4)
    assert HistoryGap.objects.count() == 1
    assert list(changes())[-1] == ("probing", "active", Cause.UNKNOWN)


def test_of_two_destinations_of_one_uri_the_first_has_the_reports(mi: FakeMi, store: Store) -> None:
    mi.sets[1].append(listed("sip:a"))
    store(1)
    mi.switch(at(2), "sip:a", "inactive", FAILED)
    mi.switch(at(3), "sip:a", "active", ANSWERED)
    store(4)
    flaps = StateChange.objects.exclude(state_before="")
    assert set(flaps.values_list("occurrence", flat=True)) == {0}
    assert flaps.count() == 2


def test_a_report_by_a_wrong_clock_dates_nothing_exactly(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a", "Probing")]}
    mi.switch(START + timedelta(hours=5), "sip:a", "inactive", "negative probing reply")
    store(600)
    [change] = StateChange.objects.all()
    assert (change.cause, change.at_is_exact) == ("probing", False)
    assert change.at == START + timedelta(seconds=600)
