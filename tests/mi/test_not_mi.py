"""Answers that are not MI: each is reported in plain words, and nothing else is raised."""

import gzip
import socket
import struct

import pytest

from efcp.mi import (
    Endpoint,
    MiClient,
    NotMiError,
    Obstacle,
    ReplyTooLargeError,
    UnfinishedReplyError,
    UnreachableError,
)
from tests.mi.misbehaving import GIVE_UP_S, MisbehavingServer, Peer, Play, Serve

MEBIBYTE = b" " * 2**20
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def ask(server: MisbehavingServer, timeout: float = GIVE_UP_S) -> None:
    MiClient(Endpoint(server.url), timeout).ds_list()


def reset(peer: Peer) -> None:
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.connection.close()


@pytest.mark.parametrize(
    ("play", "expected"),
    [
        (lambda peer: None, "closed without a reply"),
        (reset, "closed without a reply"),
        (lambda peer: peer.send(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "not HTTP"),
        (lambda peer: peer.send(bytes(range(256)) * 400), "not HTTP"),
        (lambda peer: peer.send(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200), "not HTTP"),
        (lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000), "not HTTP"),
        (lambda peer: peer.send(b"HTTP/2 banana\r\n\r\n"), "not HTTP"),
        (lambda peer: peer.answer(b"{}", more="Content-Length: 7\r\n"), "not HTTP"),
        (lambda peer: peer.answer(b"<html>", content_type="text/html"), "content type is “text/html”"),
        (lambda peer: peer.send(b"HTTP/1.1 200 OK\r\n\r\n{}"), "content type is missing"),
        (lambda peer: peer.send(CHUNKED + b"zz\r\n"), "broke off after"),
        (lambda peer: peer.send(CHUNKED + b"ff\r\n{"), "broke off after"),
        (lambda peer: peer.send(CHUNKED + b"-5\r\nhello"), "not valid JSON|broke off after"),
        (lambda peer: peer.send(CHUNKED + b"1" * 70_000), "broke off after"),
        (lambda peer: peer.answer(b""), "not valid JSON"),
        (lambda peer: peer.answer(bytes(range(128, 256))), "not valid JSON"),
    ],
)
def test_garbage_is_not_mi(serve: Serve, play: Play, expected: str) -> None:
    server = serve(play)
    with pytest.raises(NotMiError, match=expected):
        ask(server)


def test_a_body_shorter_than_its_content_length_is_not_mi(serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}")

    with pytest.raises(NotMiError, match="broke off after 2 bytes"):
        ask(serve(play))


def test_an_http_error_shows_status_content_type_and_excerpt(serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.answer(b"<h1>\r\n\tNo such\x00page</h1>", "404 Not Found", "text/html")

    with pytest.raises(NotMiError, match=r"HTTP status 404, text/html: check the path") as error:
        ask(serve(play))
    assert (error.value.status, error.value.content_type) == (404, "text/html")
    assert error.value.excerpt == "<h1> No such page</h1>"


def test_an_excerpt_is_short(serve: Serve) -> None:
    server = serve(lambda peer: peer.answer(b"spam " * 10_000, "502 Bad Gateway", "text/plain"))
    with pytest.raises(NotMiError) as error:
        ask(server)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_reported_and_not_followed(serve: Serve, status: int) -> None:
    elsewhere = serve(lambda peer: peer.reply(result="OK"))
    server = serve(
        lambda peer: peer.answer(b"", f"{status} Elsewhere", more=f"Location: {elsewhere.url}\r\n")
    )
    with pytest.raises(NotMiError, match="redirects are not followed"):
        ask(server)
    assert not elsewhere.requests


@pytest.mark.parametrize(
    ("status", "may_have_run"), [(302, False), (401, False), (404, False), (500, True), (502, True)]
)
def test_only_errors_of_the_servers_side_may_have_run(serve: Serve, status: int, may_have_run: bool) -> None:
    server = serve(lambda peer: peer.answer(b"", f"{status} Status", "text/plain"))
    with pytest.raises(NotMiError) as error:
        ask(server)
    assert error.value.may_have_run is may_have_run


def test_missing_credentials_are_reported(serve: Serve) -> None:
    server = serve(lambda peer: peer.answer(b"", "401 Unauthorized", "text/plain"))
    with pytest.raises(NotMiError, match="user name or password missing or wrong"):
        ask(server)


@pytest.mark.parametrize("echo", ["s3cret-word", "b3BlbnNpcHM6czNjcmV0LXdvcmQ="])
def test_a_password_that_comes_back_is_not_shown(serve: Serve, echo: str) -> None:
    server = serve(lambda peer: peer.answer(f"you sent {echo}".encode(), "403 Forbidden", "text/plain"))
    with pytest.raises(NotMiError) as error:
        MiClient(Endpoint(server.url, "opensips", "s3cret-word")).version()
    assert error.value.excerpt == "you sent ***"
    assert "you sent" not in str(error.value)
    assert echo not in repr(error.value)


def hang(status: bytes) -> Play:
    """An HTTP error as OpenSIPS's httpd sends it: headers, and a chunked body that never comes."""

    def play(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n")
        peer.send(b"Transfer-Encoding: chunked\r\n\r\n")
        peer.say_nothing()

    return play


@pytest.mark.parametrize("status", [b"500 Internal Server Error", b"400 Bad Request"])
def test_an_error_whose_body_never_ends_is_reported_with_its_usual_reason(
    serve: Serve, status: bytes
) -> None:
    server = serve(hang(status))
    with pytest.raises(UnfinishedReplyError, match="raise httpd's buf_size") as error:
        ask(server)
    assert error.value.status == int(status[:3])
    assert server.client_closed.wait(GIVE_UP_S)


def test_a_405_that_never_ends_is_not_blamed_on_the_buffer(serve: Serve) -> None:
    with pytest.raises(UnfinishedReplyError) as error:
        ask(serve(hang(b"405 Method Not Allowed")))
    assert "buf_size" not in str(error.value)


def test_100_mb_announced_are_refused_before_they_come(serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n")
        for _ in range(100):
            peer.send(MEBIBYTE)

    server = serve(play)
    with pytest.raises(ReplyTooLargeError, match="more than 64 MiB"):
        ask(server)
    assert server.client_closed.wait(GIVE_UP_S)
    assert not server.is_finished


def test_a_stream_is_cut_off_at_the_size_limit(serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.send(CHUNKED)
        while True:
            peer.send(b"100000\r\n" + MEBIBYTE + b"\r\n")

    server = serve(play)
    with pytest.raises(ReplyTooLargeError, match="more than 3 MiB"):
        MiClient(Endpoint(server.url), GIVE_UP_S, max_answer_bytes=3 * 2**20).ds_list()
    assert server.client_closed.wait(GIVE_UP_S)


def test_a_compressed_answer_is_never_unpacked(serve: Serve) -> None:
    bomb = gzip.compress(MEBIBYTE)
    server = serve(lambda peer: peer.answer(bomb, more="Content-Encoding: gzip\r\n"))
    with pytest.raises(NotMiError, match="compressed"):
        ask(server)


def test_nothing_is_sent_twice(serve: Serve) -> None:
    server = serve(lambda peer: None)
    with pytest.raises(NotMiError) as error:
        ask(server)
    assert error.value.may_have_run
    assert len(server.requests) == 1


def test_a_refused_connection_is_unreachable() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(UnreachableError, match=rf"127\.0\.0\.1:{port} .* connection refused") as error:
            MiClient(Endpoint(f"http://127.0.0.1:{port}/mi")).version()
    assert (error.value.obstacle, error.value.may_have_run) == (Obstacle.REFUSED, False)
