"""Subscribers, and the datagrams that go to them."""

import socket

import pytest

from efcp.sandbox.events import EVENT, Events, published, send
from tests.sandbox.gateways import LOOPBACKS, silent


@pytest.mark.parametrize("host", [*LOOPBACKS, "localhost"])
def test_an_event_goes_to_its_subscribers_as_a_datagram(host: str) -> None:
    events = Events(published("3.4"), send)
    with silent(host if host in LOOPBACKS else LOOPBACKS[0]) as subscriber:
        port = subscriber.socket.getsockname()[1]
        events.subscribe(EVENT, f"udp:{host}:{port}", 60)
        events.raise_event(EVENT, {"group": 1})
        assert subscriber.received() == [
            b'{"jsonrpc":"2.0","method":"E_DISPATCHER_STATUS","params":{"group":1}}'
        ]


def test_a_subscription_that_ran_out_gets_nothing_more() -> None:
    sent: list[str] = []
    events = Events(published("3.4"), lambda to, _datagram: sent.append(to))
    events.subscribe(EVENT, "udp:127.0.0.1:9000", 60)
    [subscriber] = events.subscribers(EVENT)
    subscriber.subscribed_at -= 62
    events.raise_event(EVENT, {})
    assert sent == []
    assert events.subscribers(EVENT) == []


@pytest.mark.parametrize(
    "to", ["udp:192.0.2.1:9000", "udp:gw.test:9000", "unix:/tmp/socket", "udp:127.0.0.1:0"]
)
def test_nothing_is_sent_beyond_loopback(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise AssertionError("sent")

    monkeypatch.setattr(socket.socket, "sendto", refuse)
    send(to, b"{}")
