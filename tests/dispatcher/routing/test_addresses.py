"""Which listener a table's socket means (recorded: acceptance vectors; socket_info.h: parse_phostport)."""

import pytest

from dispatcher.routing.addresses import listener_of, parse_socket

LISTENERS = ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "udp:[::1]:5070")


@pytest.mark.parametrize(
    ("socket", "listener"),
    [
        ("udp:127.0.0.1:5060", "udp:127.0.0.1:5060"),
        ("UDP:127.0.0.1:5060", "udp:127.0.0.1:5060"),
        ("127.0.0.1:5060", "udp:127.0.0.1:5060"),
        ("udp:127.0.0.1", "udp:127.0.0.1:5060"),
        ("tcp:127.0.0.1", "tcp:127.0.0.1:5060"),
        ("127.0.0.1", "udp:127.0.0.1:5060"),
        ("127.0.0.1:5060 ", "udp:127.0.0.1:5060"),
        ("udp:127.0.0.1:0", "udp:127.0.0.1:5060"),
        ("udp:127.0.0.1:70596", "udp:127.0.0.1:5060"),
        ("udp:[0:0::1]:5070", "udp:[::1]:5070"),
        ("[::1]", "udp:[::1]:5070"),
        ("udp::5060", "udp:127.0.0.1:5060"),
        (":5070", "udp:[::1]:5070"),
        ("udp:127.0.0.1:5061", None),
        ("udp:localhost:5060", None),
        ("tls:127.0.0.1", None),
        (" 127.0.0.1", None),
    ],
)
def test_protocol_and_port_may_be_left_out(socket: str, listener: str | None) -> None:
    assert listener_of(socket, LISTENERS) == listener


@pytest.mark.parametrize(
    "socket", ["", "udp:", "xyz:127.0.0.1", "udp:127.0.0.1:5a", "a:b:c:d", "[::1", "::1]", "udp:[[::1]]"]
)
def test_what_the_proxy_does_not_read_is_no_socket(socket: str) -> None:
    assert parse_socket(socket) is None


@pytest.mark.parametrize("socket", ["udp:127.0.0.1:99999", ":5060"])
def test_a_socket_that_no_listener_can_have_is_read_but_impossible(socket: str) -> None:
    name = parse_socket(socket)
    assert name is not None
    assert not name.is_possible
