"""Events: from whom they are taken, what they bring about, and what they can't."""

import json
import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.mi import Endpoint, MiClient
from efcp.proxies.events import EventReceiver, Subscription, is_event
from efcp.proxies.models import KnownDestination, Proxy
from efcp.proxies.watch import Watched
from tests.proxies.mi_server import FakeMi, listed, wait_until
from tests.proxies.test_watching import contact_of, watching

GOOD = json.dumps({"jsonrpc": "2.0", "method": "E_DISPATCHER_STATUS", "params": {}}).encode()


@pytest.fixture
def events() -> list[str]:
    """The addresses whose events the receiver took."""
    return []


@pytest.fixture
def receiver(events: list[str]) -> Iterator[EventReceiver]:
    """A receiver on a free port, to be opened."""
    found = EventReceiver("127.0.0.1", 0, events.append)
    yield found
    found.close()


def send(port: int, *datagrams: bytes, source: str = "127.0.0.1") -> None:
    """Send datagrams to a port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


def test_events_of_a_known_address_are_received(receiver: EventReceiver, events: list[str]) -> None:
    port = receiver.open().port
    receiver.peers = frozenset({"127.0.0.1"})
    send(port, GOOD)
    assert wait_until(lambda: events == ["127.0.0.1"])


def test_events_of_an_unknown_address_are_dropped(receiver: EventReceiver, events: list[str]) -> None:
    port = receiver.open().port
    receiver.peers = frozenset({"127.0.0.1"})
    send(port, GOOD, source="127.0.0.2")
    send(port, GOOD)
    assert wait_until(lambda: bool(events))
    assert events == ["127.0.0.1"]


def test_garbage_is_dropped_and_ends_nothing(receiver: EventReceiver, events: list[str]) -> None:
    port = receiver.open().port
    receiver.peers = frozenset({"127.0.0.1"})
    send(port, b"", b"\xff\xfe", b"[" * 60_000, b'{"method": 1}', b"[]", b"null", GOOD)
    assert wait_until(lambda: len(events) == 1)


@given(st.binary(max_size=200))
def test_no_bytes_raise(datagram: bytes) -> None:
    assert is_event(datagram) in {True, False}


@pytest.mark.parametrize("datagram", [[], None, 7, {"method": "E_CORE_LOG"}, {"params": {}}])
def test_other_notifications_are_no_events(datagram: object) -> None:
    assert not is_event(json.dumps(datagram).encode())


def test_a_proxy_is_subscribed_to_the_receivers_address(receiver: EventReceiver, mi: FakeMi) -> None:
    subscription = receiver.open()
    subscribed = subscription(MiClient(Endpoint.parse(mi.url)))
    assert (set(subscribed.peers), subscribed.problem) == ({"127.0.0.1"}, "")
    assert mi.subscribers == [f"udp:127.0.0.1:{subscription.port}"]


def test_bound_to_every_address_the_proxy_is_sent_the_one_that_it_reaches(mi: FakeMi) -> None:
    assert not Subscription("0.0.0.0", 9000)(MiClient(Endpoint.parse(mi.url))).problem
    assert mi.subscribers == ["udp:127.0.0.1:9000"]


def test_a_receiver_on_loopback_subscribes_to_no_distant_proxy() -> None:
    subscribed = Subscription("127.0.0.1", 9000)(MiClient(Endpoint.parse("http://192.0.2.1:8888/mi")))
    assert "EFCP_EVENT_ADDRESS" in subscribed.problem


def watched(interval_s: float = 2.0, due_at: float = 2.0) -> Watched:
    """A watched proxy that is due at a moment."""
    return Watched(Proxy(), due_at, interval_s, None, "")


def test_an_event_makes_a_proxy_due_at_once() -> None:
    one = watched(due_at=102.0)
    one.notice_event(100.5)
    assert one.due_at == 100.5


def test_events_cause_at_most_one_extra_look_a_second() -> None:
    one = watched(due_at=102.0)
    looks = []
    for tenth in range(1000, 1100):
        one.notice_event(tenth / 10)
        if one.due_at <= tenth / 10:
            looks.append(tenth / 10)
            one.due_at = tenth / 10 + 2.0
    assert len(looks) == 10
    assert min(later - one for one, later in pairwise(looks)) >= 1.0


def test_a_large_table_is_looked_at_less_often_for_events_too() -> None:
    one = watched(interval_s=20.0, due_at=120.0)
    one.notice_event(100.0)
    one.due_at = 120.0
    one.notice_event(101.0)
    assert one.due_at == 108.0


@pytest.mark.django_db(transaction=True)
def test_an_event_is_followed_by_a_look_long_before_the_next_would_come(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a")]}
    with watching(60.0, events_at=("127.0.0.1", 0)):
        assert wait_until(lambda: bool(mi.subscribers) and KnownDestination.objects.exists())
        assert wait_until(lambda: contact_of(proxy).events_problem == "")
        mi.sets = {1: [listed("sip:a", "Probing")]}
        mi.raise_event()
        assert wait_until(lambda: KnownDestination.objects.get().state == "probing")


@pytest.mark.django_db(transaction=True)
def test_a_busy_port_costs_the_events_and_nothing_else(mi: FakeMi, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a")]}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with watching(events_at=taken.getsockname()):
            assert wait_until(KnownDestination.objects.exists)
    assert not mi.subscribers


@pytest.mark.django_db(transaction=True)
def test_a_proxy_that_refuses_to_send_events_is_watched_without(mi: FakeMi, proxy: Proxy) -> None:
    mi.refuses_events = True
    with watching(events_at=("127.0.0.1", 0)):
        assert wait_until(lambda: "Bad parameter" in contact_of(proxy).events_problem)
