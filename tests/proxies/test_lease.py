"""Which of several watchers leads."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from efcp.proxies import leader
from efcp.proxies.leader import Lease
from efcp.proxies.models import WatcherHeartbeat
from tests.proxies.mi_server import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that run out soon, in the proportions of the real ones."""
    monkeypatch.setattr(leader, "RENEW_EVERY_S", 0.05)
    monkeypatch.setattr(leader, "BELIEVED_FOR_S", 1.6)
    monkeypatch.setattr(leader, "LEASE_S", 2.0)


def test_the_first_one_leads_and_goes_on_leading(db: None) -> None:
    first = Lease()
    first.turn()
    first.turn()
    assert first.is_ours
    row = WatcherHeartbeat.objects.get()
    assert (row.holder, row.beats) == (first.holder, 2)


def test_a_second_one_waits_while_the_first_lives(db: None) -> None:
    first, second = Lease(), Lease()
    for _ in range(3):
        first.turn()
        second.turn()
    assert (first.is_ours, second.is_ours) == (True, False)


def test_a_lease_that_was_given_up_is_taken_at_once(db: None) -> None:
    WatcherHeartbeat.objects.create(
        pk=1, holder="", started_at="2026-03-01T12:00Z", beat_at="2026-03-01T12:00Z"
    )
    second = Lease()
    second.turn()
    assert second.is_ours


def test_one_whose_holder_is_gone_is_taken_over_after_a_while(db: None) -> None:
    first, second = Lease(), Lease()
    first.turn()
    second.turn()
    assert not second.is_ours

    def takes_over() -> bool:
        second.turn()
        return second.is_ours

    assert wait_until(takes_over)
    first.turn()
    assert not first.is_ours


def test_a_holder_that_could_not_renew_stops_believing_in_its_lease(db: None) -> None:
    first = Lease()
    first.turn()
    assert wait_until(lambda: not first.is_ours)


def test_a_watcher_that_is_stuck_does_not_renew(db: None) -> None:
    wells = [True]
    first = Lease(lambda: wells[0])
    first.turn()
    wells[0] = False
    first.turn()
    assert WatcherHeartbeat.objects.get().beats == 1


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    """An event that ends every lease of the test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.django_db(transaction=True)
def test_of_many_that_begin_at_once_one_leads_and_its_end_lets_another(stopping: threading.Event) -> None:
    leases = [Lease() for _ in range(4)]
    ends = [threading.Event() for _ in leases]
    threads = [
        threading.Thread(target=each.keep, args=(end,)) for each, end in zip(leases, ends, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        assert wait_until(lambda: sum(each.is_ours for each in leases) == 1)
        (leader,) = (number for number, each in enumerate(leases) if each.is_ours)
        ends[leader].set()
        assert wait_until(
            lambda: sum(each.is_ours for number, each in enumerate(leases) if number != leader) == 1
        )
        assert not leases[leader].is_ours
    finally:
        for end in ends:
            end.set()
        for thread in threads:
            thread.join()


@pytest.mark.django_db(transaction=True)
def test_two_that_see_the_same_holder_gone_do_not_both_lead() -> None:
    gone, *others = (Lease() for _ in range(5))
    gone.turn()
    for each in others:
        each.turn()

    def turn(each: Lease) -> None:
        try:
            each.turn()
        finally:
            connection.close()

    def somebody_leads() -> bool:
        with ThreadPoolExecutor(len(others)) as pool:
            list(pool.map(turn, others))
        return any(each.is_ours for each in others)

    assert wait_until(somebody_leads)
    assert sum(each.is_ours for each in others) == 1
