"""One limit on the whole time of a call: past it the call ends at whatever stage, and its connection too."""

import socket
import threading
from collections.abc import Iterator

import pytest

from efcp.mi import Endpoint, MiClient, Stage, TooSlowError, UnreachableError
from tests.mi.misbehaving import GIVE_UP_S, Peer, Play, Serve

LIMIT_S = 0.3


def drip_status_line(peer: Peer) -> None:
    peer.drip(b"HTTP/1.1 200 OK" + b" " * 60000)


def drip_headers(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.drip(b"X-More: and more\r\n")


def continue_for_ever(peer: Peer) -> None:
    while True:
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def drip_body(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    peer.drip(b" ")


def drip_chunks(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\n \r\n")


def drip_chunk_size(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"0" * 60000)


def never_end_the_chunks(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.send(b"2\r\n{}\r\n")
    peer.say_nothing()


def drip_trailers(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    peer.drip(b"X-More: and more\r\n")


@pytest.mark.parametrize(
    ("play", "stage"),
    [
        (Peer.say_nothing, Stage.WAITING),
        (drip_status_line, Stage.WAITING),
        (drip_headers, Stage.WAITING),
        (continue_for_ever, Stage.WAITING),
        (drip_body, Stage.BODY),
        (drip_chunks, Stage.BODY),
        (drip_chunk_size, Stage.BODY),
        (never_end_the_chunks, Stage.BODY),
        (drip_trailers, Stage.BODY),
    ],
)
def test_an_answer_that_does_not_end_is_cut_off_at_the_deadline(
    serve: Serve, play: Play, stage: Stage
) -> None:
    server = serve(play)
    with pytest.raises(TooSlowError) as slow:
        MiClient(Endpoint(server.url), LIMIT_S).ds_list()
    assert slow.value.stage is stage
    assert server.client_closed.wait(GIVE_UP_S)


def test_a_request_that_was_sent_may_have_run(serve: Serve) -> None:
    server = serve(Peer.say_nothing)
    with pytest.raises(TooSlowError) as slow:
        MiClient(Endpoint(server.url)).ds_reload(timeout=LIMIT_S)
    assert slow.value.may_have_run


def test_the_message_names_the_limit_and_the_stage(serve: Serve) -> None:
    server = serve(Peer.say_nothing)
    with pytest.raises(TooSlowError, match=r"after 0\.3 s .* waiting for the proxy's answer"):
        MiClient(Endpoint(server.url), LIMIT_S).version()


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """The port of a listener that accepts no more connections: connecting to it hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as waiting:
        port: int = listener.getsockname()[1]
        waiting.connect(("127.0.0.1", port))
        yield port


def test_connecting_ends_at_the_deadline(full_backlog: int) -> None:
    with pytest.raises(TooSlowError) as slow:
        MiClient(Endpoint(f"http://127.0.0.1:{full_backlog}/mi"), LIMIT_S).version()
    assert (slow.value.stage, slow.value.may_have_run) == (Stage.CONNECTING, False)


def test_a_tls_handshake_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TooSlowError) as slow:
            MiClient(Endpoint(f"https://127.0.0.1:{port}/mi"), LIMIT_S).version()
    assert (slow.value.stage, slow.value.may_have_run) == (Stage.TLS, False)


class SlowResolver:
    """The system's resolver, which for names (not for addresses) waits until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.queries: list[str] = []
        self._system = socket.getaddrinfo

    def __call__(self, host: str, port: int, *args: int, **kwargs: int) -> list[object]:
        if not kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
            self.queries.append(host)
            self.let_go.wait(GIVE_UP_S)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return list(self._system(host, port, *args, **kwargs))


@pytest.fixture
def slow_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowResolver]:
    resolver = SlowResolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.let_go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("lookup of "):
            thread.join()


def test_a_name_lookup_ends_at_the_deadline(slow_resolver: SlowResolver) -> None:
    with pytest.raises(TooSlowError) as slow:
        MiClient(Endpoint("http://slow.example:8888/mi"), LIMIT_S).version()
    assert (slow.value.stage, slow.value.may_have_run) == (Stage.NAME, False)


def test_a_name_that_is_still_being_looked_up_is_not_looked_up_twice(slow_resolver: SlowResolver) -> None:
    client = MiClient(Endpoint("http://slow.example:8888/mi"), LIMIT_S)
    for _ in range(3):
        with pytest.raises(TooSlowError):
            client.version()
    assert slow_resolver.queries == ["slow.example"]


def test_an_address_needs_no_lookup(slow_resolver: SlowResolver, serve: Serve) -> None:
    server = serve(lambda peer: peer.reply(result="OK"))
    MiClient(Endpoint(server.url)).dp_reload()
    assert not slow_resolver.queries


def test_a_name_is_looked_up_anew_after_an_answer(slow_resolver: SlowResolver) -> None:
    slow_resolver.let_go.set()
    client = MiClient(Endpoint("http://slow.example:8888/mi"))
    for _ in range(2):
        with pytest.raises(UnreachableError):
            client.version()
    assert slow_resolver.queries == ["slow.example", "slow.example"]
