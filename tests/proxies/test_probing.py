"""Whether an active destination is checked: by reports, what was loaded, an administrator's word."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from efcp.mi import Endpoint, MiClient
from efcp.proxies import visits
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact
from efcp.proxies.polling import PollRequest
from efcp.proxies.probing import Check, check_of, live_check, why_check
from efcp.proxies.reconcile import ProxyIdentity
from efcp.proxies.selectors import watched_proxies
from tests.proxies.conftest import PATIENCE_S, START, Store
from tests.proxies.mi_server import FakeMi, listed

FAILED, ANSWERED = "negative probing reply", "200 OK probing reply"
LOADED = "DB data loading successfully completed"


def at(seconds: float) -> datetime:
    """A moment after START."""
    return START + timedelta(seconds=seconds)


def check(uri: str = "sip:a", seconds: float = 60) -> Check | None:
    """Whether the active destination is checked, as pages tell it shortly after that moment."""
    [watched] = watched_proxies(now=at(seconds + 1))
    known = KnownDestination.objects.get(uri=uri)
    found = live_check(watched, known)
    assert why_check(watched, known)
    return found


@pytest.fixture(autouse=True)
def _known(mi: FakeMi, store: Store) -> None:
    """A proxy with reports, known with two active destinations at START, loaded a minute before."""
    mi.reports = []
    mi.sets = {1: [listed("sip:a"), listed("sip:b")]}
    mi.loads = [{"Timestamp": int(at(-60).timestamp()), "Date": "x", "Log": LOADED}]
    store()


def reload(mi: FakeMi, seconds: float) -> None:
    """Have the proxy report a load."""
    mi.loads = [*mi.loads, {"Timestamp": int(at(seconds).timestamp()), "Date": "x", "Log": LOADED}]


def test_nothing_is_known_before_the_first_sign_of_probes(store: Store) -> None:
    store(60)
    assert check() is Check.UNKNOWN


@pytest.mark.parametrize(
    ("probing", "probe_mode", "expected"),
    [
        ("none", 1, Check.UNCHECKED),
        ("marked", 0, Check.UNCHECKED),
        ("marked", 1, Check.CHECKED),
        ("marked", None, Check.UNKNOWN),
        ("all", None, Check.CHECKED),
        ("", 1, Check.UNKNOWN),
        ("", 0, Check.UNKNOWN),
    ],
)
def test_an_administrator_s_word_counts_with_the_mode_that_was_loaded(
    store: Store, probing: str, probe_mode: int | None, expected: Check
) -> None:
    store(60)
    Proxy.objects.update(probing=probing)
    KnownDestination.objects.update(probe_mode=probe_mode)
    assert check() is expected


def test_a_probe_that_failed_while_it_was_active_shows_that_it_is_always_probed(
    mi: FakeMi, store: Store
) -> None:
    mi.switch(at(20), "sip:a", "inactive", FAILED)
    mi.switch(at(40), "sip:a", "active", ANSWERED)
    store(60)
    assert (check("sip:a"), check("sip:b")) == (Check.CHECKED, Check.UNKNOWN)
    assert KnownDestination.objects.get(uri="sip:a").probe_answered_at == at(40)


def test_an_answered_probe_alone_shows_only_that_the_proxy_probes(mi: FakeMi, store: Store) -> None:
    mi.switch(at(20), "sip:a", "inactive", "MI command")
    mi.switch(at(40), "sip:a", "active", ANSWERED)
    store(60)
    assert check() is Check.UNKNOWN
    KnownDestination.objects.update(probe_mode=1)
    assert check() is Check.CHECKED


def test_what_a_report_showed_does_not_outlast_the_next_load(mi: FakeMi, store: Store) -> None:
    mi.switch(at(20), "sip:a", "inactive", FAILED)
    mi.switch(at(40), "sip:a", "active", ANSWERED)
    store(60)
    reload(mi, 70)
    mi.sets[1][1]["state"] = "Inactive"  # so that the reports are read
    store(80)
    assert check(seconds=80) is Check.UNKNOWN


def test_a_probe_of_what_is_not_marked_for_it_shows_that_all_are_probed(mi: FakeMi, store: Store) -> None:
    KnownDestination.objects.update(probe_mode=0)
    mi.switch(at(20), "sip:a", "inactive", FAILED)
    mi.switch(at(40), "sip:a", "active", ANSWERED)
    store(60)
    assert check("sip:b") is Check.CHECKED


def test_nothing_that_was_known_of_probes_outlasts_a_restart(mi: FakeMi, store: Store, proxy: Proxy) -> None:
    mi.switch(at(20), "sip:a", "inactive", FAILED)
    mi.switch(at(40), "sip:a", "active", ANSWERED)
    store(60)
    mi.reports = []
    poll = PollRequest("default")(MiClient(Endpoint.parse(mi.url), timeout=PATIENCE_S))
    poll = replace(poll, snapshot=replace(poll.snapshot, requested_at=at(61), reports=None))
    for began, text in ((at(0), "first"), (at(70), "second")):
        visits.visit(proxy, replace(poll, identity=ProxyIdentity("3.4.18", began, text)))
    assert check() is Check.UNKNOWN
    assert KnownDestination.objects.get(uri="sip:a").probe_answered_at is None
    assert ProxyContact.objects.get().probes_reported_at is None


def test_probes_that_are_reported_count_for_more_than_the_word_that_there_are_none(
    mi: FakeMi, store: Store
) -> None:
    Proxy.objects.update(probing="none")
    mi.switch(at(20), "sip:a", "inactive", FAILED)
    mi.switch(at(40), "sip:a", "active", ANSWERED)
    store(60)
    assert (check("sip:a"), check("sip:b")) == (Check.CHECKED, Check.UNKNOWN)


def test_a_report_of_the_future_is_no_answer_of_the_future(mi: FakeMi, store: Store) -> None:
    mi.switch(at(5), "sip:a", "inactive", "MI command")
    mi.switch(at(90_000), "sip:a", "active", ANSWERED)
    store(60)
    answered_at = KnownDestination.objects.get(uri="sip:a").probe_answered_at
    assert answered_at is not None
    assert answered_at <= at(60)
    # And what is reported once its clock is set right still counts.
    mi.switch(at(70), "sip:b", "inactive", FAILED)
    mi.switch(at(75), "sip:b", "active", ANSWERED)
    store(80)
    assert check("sip:b", seconds=80) is Check.CHECKED


def test_only_an_active_destination_of_an_answering_proxy_is_reported_as_checked(
    mi: FakeMi, store: Store
) -> None:
    Proxy.objects.update(probing="all")
    mi.sets[1][0]["state"] = "Inactive"
    store(60)
    [watched] = watched_proxies(now=at(61))
    down, up = KnownDestination.objects.order_by("uri")
    assert (live_check(watched, down), live_check(watched, up)) == (None, Check.CHECKED)
    [silent] = watched_proxies(now=at(600))
    assert live_check(silent, up) is None
    assert check_of(silent, None, False) is Check.CHECKED
