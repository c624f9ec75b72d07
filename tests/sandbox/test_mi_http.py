"""MI over HTTP: what a proxy answers, and the bounds that the sandbox sets to connections of its own."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from efcp.sandbox.mi_http import HttpLimits, MiServer
from efcp.sandbox.proxy import SandboxProxy
from tests.conformance.__main__ import read_vectors
from tests.conformance.mi import compare
from tests.conformance.test_runner import VECTORS

PATIENCE_S = 20.0
SHORT_S = 0.2
VERSION = '{"jsonrpc":"2.0","id":1,"method":"version"}'
NOTIFICATION = '{"jsonrpc":"2.0","method":"version"}'
Served = Callable[[HttpLimits], AbstractContextManager[int]]


def test_nothing_differs_from_the_recorded_proxies_of_three_releases() -> None:
    vectors = read_vectors(VECTORS / "mi.json.gz")
    assert set(vectors) == {"3.4", "3.6", "4.0"}
    compared = list(compare(vectors))
    assert len(compared) > 200
    assert not [difference for difference in compared if difference is not None]


@pytest.fixture
def served(proxy: SandboxProxy) -> Served:
    """Return a context that serves the proxy with the limits that it is given, and yields the port."""

    @contextmanager
    def serve(limits: HttpLimits) -> Iterator[int]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        with ThreadPoolExecutor(max_workers=1) as commands:
            server = MiServer(proxy, commands, limits)
            try:
                yield asyncio.run_coroutine_threadsafe(server.start(0), loop).result(PATIENCE_S)
            finally:
                asyncio.run_coroutine_threadsafe(server.stop(), loop).result(PATIENCE_S)
                loop.call_soon_threadsafe(loop.stop)
                thread.join(PATIENCE_S)
                loop.close()

    return serve


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A connection to the server."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        yield connection


def request(body: str, *headers: str, start: str = "POST /mi") -> bytes:
    """A request with JSON, or with these headers."""
    lines = [f"{start} HTTP/1.1", *(headers or ("Content-Type: application/json",))]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def head_of(connection: socket.socket) -> str:
    """The status line and the headers of an answer."""
    return connection.recv(65_536).partition(b"\r\n\r\n")[0].decode()


def test_a_connection_serves_one_request_after_the_other(served: Served) -> None:
    with served(HttpLimits()) as port, connected(port) as connection:
        for _ in range(2):
            connection.sendall(request(VERSION))
            body = connection.recv(65_536).partition(b"\r\n\r\n")[2]
            assert json.loads(body)["result"] == {"Server": "OpenSIPS (3.4.18 (x86_64/linux))"}


@pytest.mark.parametrize(
    "sent",
    [
        request(VERSION, "Content-Type: text/plain"),
        request(VERSION, "Accept: */*"),
        b"POST /mi HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /mi HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /mi HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /mi\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /mi HTTP/1.1\r\nX: " + b"x" * 100_000,
    ],
)
def test_what_is_no_request_for_mi_closes_the_connection(served: Served, sent: bytes) -> None:
    with served(HttpLimits()) as port, connected(port) as connection:
        try:
            connection.sendall(sent)
            assert until_closed(connection) == b""
        except ConnectionError:
            pass  # closed before all was read


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(VERSION, start="POST /other"), "HTTP/1.1 400 "),
        (request(VERSION, start="POST /miother"), "HTTP/1.1 400 "),
        (request("", start="GET /other"), "HTTP/1.1 400 "),
        (request("", start="PUT /mi"), "HTTP/1.1 406 "),
        (request(VERSION, start="POST /mi/any?thing"), "HTTP/1.1 200 "),
        (request(VERSION, "Content-Type: text/xml"), "HTTP/1.1 200 "),
        (request(VERSION, "Content-Type: APPLICATION/JSON; charset=utf-8"), "HTTP/1.1 200 "),
        (request(VERSION.replace("1,", "[],")), "HTTP/1.1 500 "),
        (request(VERSION, "Content-Type: application/json", "Expect: 100-continue"), "HTTP/1.1 100 "),
    ],
)
def test_the_status_is_the_proxy_s(served: Served, sent: bytes, status: str) -> None:
    with served(HttpLimits()) as port, connected(port) as connection:
        connection.sendall(sent)
        assert head_of(connection).startswith(status)


@pytest.mark.parametrize("sent", [request(""), request("", start="GET /mi"), request(NOTIFICATION)])
def test_a_connection_that_hangs_is_ended_after_a_time(served: Served, sent: bytes) -> None:
    with served(HttpLimits(hang_s=SHORT_S)) as port, connected(port) as connection:
        connection.sendall(sent)
        assert b"200 OK" not in until_closed(connection)


def test_a_request_that_never_ends_is_given_up(served: Served) -> None:
    with served(HttpLimits(request_s=SHORT_S)) as port, connected(port) as connection:
        connection.sendall(b"POST /mi HTTP/1.1\r\n")
        assert until_closed(connection) == b""


def test_only_so_many_connections_hang_and_others_are_served(served: Served) -> None:
    with served(HttpLimits(hanging=2)) as port, ExitStack() as stack:
        hanging = [stack.enter_context(connected(port)) for _ in range(2)]
        for connection in hanging:
            connection.sendall(request(""))
            assert head_of(connection).startswith("HTTP/1.1 400 ")
        with connected(port) as one_more:
            one_more.sendall(request(""))
            assert until_closed(one_more).startswith(b"HTTP/1.1 400 ")
        with connected(port) as ordinary:
            ordinary.sendall(request(VERSION))
            assert head_of(ordinary).startswith("HTTP/1.1 200 ")


def test_a_client_that_goes_makes_room_for_another_to_hang(served: Served) -> None:
    with served(HttpLimits(hanging=1)) as port:
        with connected(port) as first:
            first.sendall(request(""))
            assert head_of(first).startswith("HTTP/1.1 400 ")
            first.shutdown(socket.SHUT_WR)
            until_closed(first)
        with connected(port) as second:
            second.sendall(request(""))
            head_of(second)
            second.settimeout(SHORT_S)
            with pytest.raises(TimeoutError):
                second.recv(1)


def test_connections_beyond_the_bound_are_turned_away(served: Served) -> None:
    with served(HttpLimits(connections=1)) as port, connected(port) as first:
        first.sendall(request(""))
        assert head_of(first).startswith("HTTP/1.1 400 ")
        with connected(port) as second:
            assert until_closed(second) == b""
