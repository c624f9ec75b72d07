"""What pages read of proxies: contact, freshness, live states, and what "all proxies" means."""

from datetime import datetime, timedelta

import pytest
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from efcp.proxies import visits
from efcp.proxies.context import proxy_dots
from efcp.proxies.models import KnownDestination, Proxy, TryOutcome, WatcherHeartbeat
from efcp.proxies.reconcile import StoreOutcome
from efcp.proxies.selectors import (
    Freshness,
    live_states,
    proxies_for_all,
    state_changes,
    watched_proxies,
    watcher_is_silent,
)
from tests.factories import ProxyFactory
from tests.proxies.conftest import START, Store
from tests.proxies.mi_server import FakeMi, listed


def beat(at: datetime) -> None:
    """Have a watcher live at that moment."""
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": START, "beat_at": at})


def freshness_after(seconds: float) -> Freshness:
    """How fresh the only proxy is `seconds` after START, while the watcher lives."""
    now = START + timedelta(seconds=seconds)
    beat(now)
    return watched_proxies(now=now)[0].freshness


def test_a_proxy_that_just_answered_is_live(store: Store) -> None:
    store()
    assert freshness_after(5) is Freshness.LIVE


def test_a_proxy_is_silent_ten_seconds_and_its_interval_after_its_last_answer(
    store: Store, proxy: Proxy
) -> None:
    store()
    visits.store_pace(proxy, 20.0, None)
    assert freshness_after(29) is Freshness.LIVE
    assert freshness_after(31) is Freshness.SILENT


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (TryOutcome.REFUSED, "refuses the connection"),
        (TryOutcome.CLOSED, "closes the connection without a reply"),
        (TryOutcome.TOO_SLOW, "does not respond in time"),
        (TryOutcome.UNUSABLE, "returns no usable reply"),
    ],
)
def test_a_failed_try_counts_at_once_however_young_the_last_good_answer_is(
    store: Store, proxy: Proxy, outcome: TryOutcome, words: str
) -> None:
    store()
    visits.store_failure(proxy, "It broke.", START + timedelta(seconds=2), outcome)
    assert freshness_after(2.1) is Freshness.SILENT
    [watched] = watched_proxies(now=START + timedelta(seconds=2.1))
    assert (watched.words, watched.silent_since) == (words, START + timedelta(seconds=2))


def test_a_good_answer_ends_a_silence_at_once(store: Store, proxy: Proxy) -> None:
    store()
    visits.store_failure(proxy, "It broke.", START + timedelta(seconds=2), TryOutcome.REFUSED)
    store(4)
    assert freshness_after(4.1) is Freshness.LIVE
    assert proxy.contact.outcome == TryOutcome.ANSWERED


def test_an_answer_of_the_future_is_not_live_for_good(store: Store, proxy: Proxy) -> None:
    store(3600)
    assert freshness_after(1) is Freshness.SILENT


def test_a_clock_that_was_set_back_does_not_stop_the_watching(store: Store, proxy: Proxy, mi: FakeMi) -> None:
    far = (timezone.now() - START).total_seconds() + 3600
    store(far)
    mi.sets = {1: [listed("sip:a")]}
    assert store(far - 3000).outcome is StoreOutcome.STORED


def test_a_proxy_that_was_never_reached_is_distinguished(proxy: Proxy) -> None:
    visits.store_failure(proxy, "Too slow.", START)
    assert freshness_after(1) is Freshness.NEVER_ANSWERED


def test_without_the_watcher_nothing_old_is_called_silent(store: Store) -> None:
    store()
    beat(START)
    assert watched_proxies(now=START + timedelta(seconds=60))[0].freshness is Freshness.UNWATCHED


def test_the_watcher_is_silent_when_its_heart_stands_still(db: None) -> None:
    assert watcher_is_silent(START)
    beat(START)
    assert not watcher_is_silent(START + timedelta(seconds=10))
    assert watcher_is_silent(START + timedelta(seconds=20))


def test_proxies_with_their_contact_are_one_query(
    store: Store, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    store()
    ProxyFactory.create(name="edge-2", mi_url="http://h/mi")
    with django_assert_num_queries(1):
        names = [each.proxy.name for each in watched_proxies() if each.contact.interval_s]
    assert names == ["edge-1", "edge-2"]


def test_live_states_of_many_destinations_are_one_query(
    mi: FakeMi, store: Store, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mi.sets = {
        1: [listed("sip:A"), listed("sip:a", "Probing"), listed("sip:b")],
        2: [listed("sip:b", "Inactive")],
    }
    store()
    with django_assert_num_queries(1):
        found = live_states([(1, "sip:a"), (2, "sip:b"), (3, "sip:a")])
    states = {
        pair: [each.state for each in known]
        for pair, by_proxy in found.items()
        for known in by_proxy.values()
    }
    assert states == {(1, "sip:a"): ["active", "probing"], (2, "sip:b"): ["inactive"]}


def test_states_of_disabled_proxies_and_former_partitions_are_not_live(
    mi: FakeMi, store: Store, proxy: Proxy
) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    KnownDestination.objects.update(partition="former")
    assert live_states([(1, "sip:a")]) == {}
    KnownDestination.objects.update(partition="default")
    Proxy.objects.update(enabled=False)
    assert live_states([(1, "sip:a")]) == {}


def test_nothing_requested_is_no_query(django_assert_num_queries: DjangoAssertNumQueries, db: None) -> None:
    with django_assert_num_queries(0):
        assert live_states([]) == {}


def test_changes_are_listed_from_the_newest(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    for seconds, state in ((2, "Probing"), (4, "Inactive")):
        mi.sets[1][0]["state"] = state
        store(seconds)
    assert [each.state_after for each in state_changes(1, "sip:a")] == ["inactive", "probing"]


@pytest.mark.parametrize(("part_of_all", "names"), [(True, ["edge", "sandbox"]), (False, ["edge"])])
def test_the_sandbox_is_part_of_all_proxies_in_the_trial_only(
    db: None, settings: Settings, part_of_all: bool, names: list[str]
) -> None:
    settings.SANDBOX_IS_PART_OF_ALL = part_of_all
    ProxyFactory.create(name="edge", mi_url="http://h/mi")
    ProxyFactory.create(name="off", mi_url="http://h/mi", enabled=False)
    ProxyFactory.create(name="sandbox", mi_url="http://h/mi", is_sandbox=True)
    assert [proxy.name for proxy in proxies_for_all()] == names


def dots() -> str:
    """The top bar's dots as text."""
    template = engines["django"].from_string("{% include 'proxies/dots.html' %}")
    return " ".join(template.render(proxy_dots(RequestFactory().get("/"))).split())


def test_the_top_bar_makes_no_query_unless_it_is_shown(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        proxy_dots(RequestFactory().get("/"))
    with django_assert_num_queries(1):
        dots()


def test_the_top_bar_states_that_a_proxy_does_not_answer(store: Store, proxy: Proxy) -> None:
    store()
    visits.store_failure(proxy, "Too slow.", START + timedelta(seconds=2))
    ProxyFactory.create(name="<b>new", mi_url="http://h/mi")
    shown = dots()
    assert "edge-1" in shown
    assert "&lt;b&gt;new" in shown
    assert "<b>" not in shown
