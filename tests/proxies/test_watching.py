"""The watcher: against MI servers that answer, hang, vanish, come back, restart and answer too much."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction

from efcp.mi import Endpoint, MiClient
from efcp.proxies import visits
from efcp.proxies.models import (
    HistoryGap,
    KnownDestination,
    Proxy,
    ProxyContact,
    StateChange,
    TryOutcome,
    WatcherHeartbeat,
)
from efcp.proxies.polling import PollRequest
from efcp.proxies.reconcile import ProxyIdentity
from efcp.proxies.selectors import FRESH_FOR, watched_proxies
from efcp.proxies.watch import EventPlace, Watcher
from tests.factories import ProxyFactory
from tests.proxies.conftest import PATIENCE_S
from tests.proxies.mi_server import FakeMi, listed, wait_until


@contextmanager
def watching(
    interval_s: float = 0.1, events_at: EventPlace | None = None, limit_s: float = PATIENCE_S
) -> Iterator[None]:
    """Run the watcher in a thread with database connections of its own."""
    stopping = threading.Event()

    def run() -> None:
        try:
            Watcher(interval_s, stopping, events_at, limit_s).run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def state_of(uri: str) -> str | None:
    """The stored state of the destination, None while it is unknown."""
    return KnownDestination.objects.filter(uri=uri).values_list("state", flat=True).first()


def contact_of(proxy: Proxy) -> ProxyContact:
    """The stored contact, an empty one while there is none."""
    return ProxyContact.objects.filter(proxy=proxy).first() or ProxyContact()


def test_one_round_reads_version_start_and_destinations(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a", "Probing")]}
    results = Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    assert results["edge-1"].problem == ""
    contact = contact_of(proxy)
    assert (contact.version, contact.up_since_text) == ("3.4.18", "Mon Nov 23 09:38:34 2026")
    assert contact.up_since is not None
    assert state_of("sip:a") == "probing"


def test_the_command_prints_the_outcome_per_proxy(
    proxy: Proxy, mi: FakeMi, capsys: pytest.CaptureFixture[str]
) -> None:
    mi.refusal = "ERROR Unknown partition"
    call_command("watch", once=True)
    assert capsys.readouterr().out == "edge-1: The proxy refused: ERROR Unknown partition (500).\n"


def test_a_disabled_proxy_is_not_polled(proxy: Proxy, mi: FakeMi) -> None:
    Proxy.objects.update(enabled=False)
    assert Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once() == {}
    assert not mi.requests


def test_a_proxy_without_the_partition_is_reported(proxy: Proxy, mi: FakeMi) -> None:
    mi.partition = "other"
    results = Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    assert results["edge-1"].problem == "The proxy has no dispatcher partition “default”."


def test_an_unreadable_password_is_a_clear_state(proxy: Proxy, mi: FakeMi) -> None:
    Proxy.objects.update(mi_password_encrypted=b"of another key")
    Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    assert "can't be decrypted with EFCP_SECRET_KEY" in contact_of(proxy).error
    assert not mi.requests


def test_a_list_too_large_with_details_is_read_without_and_that_is_remembered(
    proxy: Proxy, mi: FakeMi
) -> None:
    mi.sets = {1: [listed("sip:a")]}
    mi.full_is_too_large = True
    Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    assert state_of("sip:a") == "active"
    assert not contact_of(proxy).with_details
    Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    assert (mi.requests["ds_list full"], mi.requests["ds_list"]) == (1, 2)


def test_the_full_list_is_retried_after_a_time(proxy: Proxy, mi: FakeMi) -> None:
    mi.full_is_too_large = True
    Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    ProxyContact.objects.update(plain_until=datetime(2026, 1, 1, tzinfo=UTC))
    mi.full_is_too_large = False
    Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    assert contact_of(proxy).with_details


def test_a_restart_is_detected_by_the_proxys_own_text(mi: FakeMi, proxy: Proxy) -> None:
    now = datetime.now(UTC)
    text = "Mon Nov 23 09:38:34 2026"
    poll = PollRequest("default")(MiClient(Endpoint.parse(mi.url), timeout=PATIENCE_S))

    def restarted(version: str | None, text: str) -> bool:
        return visits.visit(proxy, replace(poll, identity=ProxyIdentity(version, now, text))).restarted

    assert not restarted("3.4.18", text)
    assert not restarted(None, text)
    assert restarted("3.6.8", "Mon Nov 23 09:38:35 2026")
    assert contact_of(proxy).version == "3.6.8"


def test_no_state_lasts_since_before_a_restart(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a"), listed("sip:b")]}
    mi.up_s = 20_000
    watcher = Watcher(2.0, threading.Event(), limit_s=PATIENCE_S)
    watcher.poll_once()
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    KnownDestination.objects.update(since=long_ago)
    mi.up_since, mi.up_s = "Fri Nov 27 12:00:00 2026", 600
    switched_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
    mi.switch(switched_at, "sip:b", "active", "200 OK probing reply")
    assert watcher.poll_once()["edge-1"].restarted
    started_at = contact_of(proxy).up_since
    found = {each.uri: each.since for each in KnownDestination.objects.all()}
    assert found == {"sip:a": started_at, "sip:b": switched_at}


def test_two_proxies_at_one_address_are_reported_and_their_lists_kept_apart(mi: FakeMi, proxy: Proxy) -> None:
    watcher = Watcher(2.0, threading.Event(), limit_s=PATIENCE_S)
    mine = {1: [listed("sip:a")]}
    for _ in range(3):
        mi.sets, mi.up_since, mi.up_s = mine, "Fri Nov 27 12:00:00 2026", 60
        assert watcher.poll_once()["edge-1"].problem == ""
        mi.sets, mi.up_since, mi.up_s = {1: [listed("sip:a", "Probing")]}, "Thu Nov 26 12:00:00 2026", 90_000
        assert "A different proxy" in watcher.poll_once()["edge-1"].problem
    assert state_of("sip:a") == "active"
    assert not StateChange.objects.exists()
    [watched] = watched_proxies()
    assert (watched.fresh, watched.words) == (False, "answers for several proxies in turn")


def test_another_proxy_may_take_an_address_over(mi: FakeMi, proxy: Proxy) -> None:
    watcher = Watcher(2.0, threading.Event(), limit_s=PATIENCE_S)
    watcher.poll_once()
    mi.sets, mi.up_since, mi.up_s = {1: [listed("sip:a")]}, "Thu Nov 26 12:00:00 2026", 90_000
    assert watcher.poll_once()["edge-1"].problem
    assert watcher.poll_once()["edge-1"].restarted
    assert state_of("sip:a") == "active"


@pytest.mark.parametrize("up_s", [10**18 - 1, 0])
def test_a_start_that_can_t_be_meant_breaks_nothing(mi: FakeMi, proxy: Proxy, up_s: int) -> None:
    mi.up_s, mi.up_since = up_s, "x" * 300
    assert Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()["edge-1"].problem == ""


@pytest.mark.django_db(transaction=True)
def test_states_are_followed_and_the_watcher_shows_that_it_lives(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a")]}
    with watching():
        assert wait_until(lambda: state_of("sip:a") == "active")
        mi.sets = {1: [listed("sip:a", "Probing")]}
        assert wait_until(lambda: state_of("sip:a") == "probing")
    assert StateChange.objects.count() == 1
    assert WatcherHeartbeat.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_proxy_that_vanishes_and_returns_is_followed_again(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a")]}
    with watching():
        assert wait_until(lambda: state_of("sip:a") == "active")
        port = mi.stop()
        assert wait_until(lambda: contact_of(proxy).failing_since is not None)
        mi.sets = {1: [listed("sip:a", "Inactive")]}
        mi.up_since = "Mon Nov 23 10:00:00 2026"
        mi.start(port)
        assert wait_until(lambda: state_of("sip:a") == "inactive")
        assert wait_until(lambda: contact_of(proxy).up_since_text == mi.up_since)
    assert contact_of(proxy).failing_since is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("breaks", "outcome"),
    [
        ("stops", TryOutcome.REFUSED),
        ("closes", TryOutcome.CLOSED),
        ("hangs", TryOutcome.TOO_SLOW),
        ("refuses", TryOutcome.UNUSABLE),
    ],
)
def test_the_next_attempt_shows_that_a_proxy_is_gone(
    mi: FakeMi, proxy: Proxy, breaks: str, outcome: TryOutcome
) -> None:
    mi.sets = {1: [listed("sip:a")]}
    with watching(limit_s=3.0 if breaks == "hangs" else PATIENCE_S):
        assert wait_until(lambda: [each.fresh for each in watched_proxies()] == [True])
        if breaks == "stops":
            mi.stop()
        mi.closes, mi.hangs = breaks == "closes", breaks == "hangs"
        mi.refusal = "ERROR" if breaks == "refuses" else ""
        assert wait_until(lambda: contact_of(proxy).outcome == outcome)
        [watched] = watched_proxies()
        assert not watched.fresh
        # Far sooner than an answer's age alone would tell it.
        assert watched.answered_at is not None
        assert watched.now - watched.answered_at < FRESH_FOR
    if breaks == "stops":
        mi.start()


@pytest.mark.django_db(transaction=True)
def test_a_proxy_with_a_costly_list_is_known_to_be_gone_long_before_its_next_list(
    mi: FakeMi, proxy: Proxy
) -> None:
    # As it was left by a watcher that found one list to cost six seconds.
    visits.visit(proxy, PollRequest("default")(MiClient(Endpoint.parse(mi.url), timeout=PATIENCE_S)))
    visits.store_pace(proxy, 30.0, None)
    watcher = Watcher(0.1, threading.Event(), limit_s=PATIENCE_S)
    watcher._refresh()
    [watched] = watcher._watched.values()
    watched.due_at = time.monotonic() + 3600
    with ThreadPoolExecutor(1) as pool:
        watcher._ask_due(pool)
        watcher._store_next_answer()
        assert (mi.requests["uptime"], mi.requests["ds_list full"]) == (2, 1)
        assert contact_of(proxy).failing_since is None
        port = mi.stop()
        watched.pulse_at = 0.0
        watcher._ask_due(pool)
        watcher._store_next_answer()
    assert contact_of(proxy).outcome == TryOutcome.REFUSED
    # And the list is requested again at the ordinary pace.
    assert watched.due_at <= time.monotonic() + 0.1
    mi.start(port)


@pytest.mark.django_db(transaction=True)
def test_a_proxy_that_hangs_delays_the_others_by_nothing(
    mi: FakeMi, proxy: Proxy, make_mi: Callable[[], FakeMi]
) -> None:
    hanging = make_mi()
    hanging.hangs = True
    ProxyFactory.create(name="a-hanging", mi_url=hanging.url)
    with watching():
        assert wait_until(lambda: mi.requests["ds_list full"] >= 5, PATIENCE_S)
        # Its first call still waits.
        assert sum(hanging.requests.values()) <= 1
        hanging.ending.set()


@pytest.mark.django_db(transaction=True)
def test_a_proxy_added_or_edited_while_it_runs_is_picked_up(
    mi: FakeMi, proxy: Proxy, make_mi: Callable[[], FakeMi]
) -> None:
    other = make_mi()
    other.sets = {1: [listed("sip:other")]}
    with watching():
        assert wait_until(lambda: mi.requests["ds_list full"] >= 1)
        Proxy.objects.filter(pk=proxy.pk).update(mi_url=other.url)
        assert wait_until(lambda: state_of("sip:other") == "active")


@pytest.mark.django_db(transaction=True)
def test_a_deleted_proxy_is_left_alone_and_the_watcher_goes_on(
    mi: FakeMi, proxy: Proxy, make_mi: Callable[[], FakeMi]
) -> None:
    other = make_mi()
    ProxyFactory.create(name="edge-2", mi_url=other.url)
    with watching():
        assert wait_until(lambda: mi.requests["ds_list full"] >= 1)
        with transaction.atomic():
            Proxy.objects.select_for_update().get(pk=proxy.pk).delete()
        requests = other.requests["ds_list full"]
        assert wait_until(lambda: other.requests["ds_list full"] > requests + 3)


@pytest.mark.django_db(transaction=True)
def test_panel_and_watcher_storing_at_once_lose_nothing(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets = {1: [listed(f"sip:{number}") for number in range(50)]}

    def poll_again_and_again() -> None:
        try:
            for _ in range(10):
                Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        polling = [pool.submit(poll_again_and_again) for _ in range(4)]
        while not all(each.done() for each in polling):
            mi.sets[1][0]["state"] = "Probing" if mi.sets[1][0]["state"] == "Active" else "Active"
            time.sleep(0.01)
    for each in polling:
        each.result()
    Watcher(2.0, threading.Event(), limit_s=PATIENCE_S).poll_once()
    assert KnownDestination.objects.count() == 50
    assert state_of("sip:0") == mi.sets[1][0]["state"].lower()


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_a_database_that_cuts_every_connection_is_outlived_without_a_gap(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets, mi.reports = {1: [listed("sip:a")]}, []
    with watching():
        assert wait_until(lambda: state_of("sip:a") == "active")
        for state, status in (("Probing", "inactive"), ("Active", "active")):
            cut_all_connections_but_this()
            mi.sets = {1: [listed("sip:a", state)]}
            mi.switch(datetime.now(UTC), "sip:a", status, "MI command")
            assert wait_until(partial(is_in_state, "sip:a", state.lower()))
    changes = StateChange.objects.order_by("pk").values_list("state_after", "cause")
    assert list(changes) == [("probing", "mi"), ("active", "mi")]
    assert not HistoryGap.objects.exists()


def is_in_state(uri: str, state: str) -> bool:
    """Whether that is the stored state of the destination."""
    return state_of(uri) == state


def cut_all_connections_but_this() -> None:
    """As a restarted server does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID() AND user = SUBSTRING_INDEX(USER(), '@', 1)"
        )
        for (number,) in cursor.fetchall():
            with suppress(OperationalError):
                cursor.execute("KILL %s", [number])


def test_a_restart_leaves_a_gap_also_where_no_report_was_ever_given(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets, mi.reports, mi.up_s = {1: [listed("sip:a")]}, [], 20_000
    watcher = Watcher(2.0, threading.Event(), limit_s=PATIENCE_S)
    watcher.poll_once()
    mi.up_since, mi.up_s = "Fri Nov 27 12:00:00 2026", 1
    assert watcher.poll_once()["edge-1"].restarted
    assert HistoryGap.objects.count() == 1
    watcher.poll_once()
    assert HistoryGap.objects.count() == 1
