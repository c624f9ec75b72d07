"""The counts of sets: each names its proxies, the worst comes first, the unknown is separate."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, TryOutcome, WatcherHeartbeat
from efcp.proxies.selectors import watched_proxies
from efcp.proxies.set_counts import same_counts, set_counts
from tests.factories import ProxyFactory

MakeProxy = Callable[..., Proxy]


@pytest.fixture
def make(db: None) -> MakeProxy:
    """Return a function that stores a proxy whose set 1 is in these states; None: it never answered."""
    now = timezone.now()
    WatcherHeartbeat.objects.create(pk=1, started_at=now, beat_at=now)

    def make_proxy(name: str, states: str | None, *, silent: bool = False, probing: str = "all") -> Proxy:
        proxy = ProxyFactory.create(name=name, probing=probing)
        if states is None:
            return proxy
        failing_since, outcome = (now, TryOutcome.REFUSED) if silent else (None, TryOutcome.ANSWERED)
        ProxyContact.objects.create(
            proxy=proxy, answered_at=now - timedelta(seconds=2), failing_since=failing_since, outcome=outcome
        )
        for number, state in enumerate(states.split()):
            uri = f"sip:10.0.0.{number}"
            KnownDestination.objects.create(
                proxy=proxy,
                partition="default",
                setid=1,
                uri=uri,
                uri_key=uri,
                position=number,
                state=state,
                since=now,
                weight=2,
            )
        return proxy

    return make_proxy


def lines() -> list[str]:
    """The lines of set 1, the worst first."""
    return [each.words for each in same_counts(set_counts(watched_proxies(), [1])[1])]


def test_where_proxies_differ_the_worst_comes_first_and_each_is_named(make: MakeProxy) -> None:
    make("edge-1", "active active")
    make("edge-2", "inactive probing")
    make("edge-3", "active inactive")
    make("edge-4", "active active")
    assert lines() == [
        "No active destination on edge-2 (0 of 2)",
        "1 of 2 active on edge-3 (probed)",
        "2 of 2 active on edge-1, edge-4 (probed)",
    ]


def test_what_is_not_in_memory_is_not_shown_as_served(make: MakeProxy) -> None:
    make("edge-1", "")
    assert lines() == ["Not loaded on edge-1"]


def test_a_proxy_that_never_answered_is_unknown_and_a_silent_one_last_known(make: MakeProxy) -> None:
    make("edge-1", "active")
    make("edge-2", None)
    make("edge-3", "active", silent=True)
    make("edge-4", "", silent=True)
    assert lines() == [
        "Last known: not loaded on edge-4",
        "Unknown on edge-2",
        "Last known: 1 of 1 active on edge-3",
        "1 of 1 active on edge-1 (probed)",
    ]


def test_many_names_are_cut(make: MakeProxy) -> None:
    for number in range(5):
        make(f"edge-{number}", "active")
    assert lines() == ["1 of 1 active on edge-0, edge-1, edge-2 and 2 more (probed)"]


def test_it_is_one_query(make: MakeProxy, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make("edge-1", "active")
    watched = watched_proxies()
    with django_assert_num_queries(1):
        counts = set_counts(watched)
    assert [each.states["active"].weight for each in counts[1]] == [2]


def test_active_counts_by_whether_it_is_checked(make: MakeProxy) -> None:
    proxy = make("edge-1", "active active active inactive", probing="marked")
    KnownDestination.objects.filter(position=0).update(probe_mode=1)
    KnownDestination.objects.filter(position=1).update(probe_mode=0)
    assert lines() == ["3 of 4 active on edge-1 (1 probed, 1 not probed, 1 probing unknown)"]
    KnownDestination.objects.update(probe_mode=0)
    [on_proxy] = set_counts(watched_proxies(), [1])[1]
    assert (on_proxy.words, on_proxy.proxy) == ("3 of 4 (not probed)", proxy.name)


@pytest.mark.parametrize(
    ("probing", "chip"),
    [("all", "active"), ("none", "active chip-unchecked"), ("", "active chip-maybe-checked")],
)
def test_only_what_is_checked_is_plain_green(make: MakeProxy, probing: str, chip: str) -> None:
    make("edge-1", "active", probing=probing)
    [on_proxy] = set_counts(watched_proxies(), [1])[1]
    assert on_proxy.chip == chip
