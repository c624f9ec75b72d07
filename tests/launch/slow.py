"""Clients that are slow on purpose, and what others wait for meanwhile."""

import contextlib
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator

SIGN_IN = "/cp/accounts/sign-in/"
LINE = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
EVERY_S = 1.0


def silent(_path: str) -> tuple[bytes, bytes]:
    """Sends nothing at all."""
    return b"", b""


def slow_head(path: str) -> tuple[bytes, bytes]:
    """Sends a head that never ends, a byte at a time."""
    return LINE.format(path=path).encode() + b"X-Long: ", b"x"


def slow_body(path: str) -> tuple[bytes, bytes]:
    """Announces a body, and sends a byte of it at a time."""
    return (LINE.format(path=path) + FORM + "Content-Length: 60000\r\n\r\nusername=").encode(), b"a"


def slow_chunks(path: str) -> tuple[bytes, bytes]:
    """Sends a chunked body, a chunk of one byte at a time."""
    return (LINE.format(path=path) + FORM + "Transfer-Encoding: chunked\r\n\r\n").encode(), b"1\r\na\r\n"


def slow_upload(_path: str) -> tuple[bytes, bytes]:
    """Announces a call log of 1 GB to the address that takes such, and sends a byte at a time."""
    head = LINE.format(path="/cp/preview/spread/logs/upload/")
    form = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000000\r\n\r\n"
    return (head + form).encode(), b"-"


def slow_reader(_path: str) -> tuple[bytes, bytes]:
    """Asks for more than any buffer of the system holds, and reads none of it."""
    return b"GET /cp/static/css/efcp.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100, b""


KINDS: tuple[Callable[[str], tuple[bytes, bytes]], ...] = (
    silent,
    slow_head,
    slow_body,
    slow_chunks,
    slow_upload,
    slow_reader,
)


@contextlib.contextmanager
def slow_clients(
    port: int, count: int, kinds: tuple[Callable[[str], tuple[bytes, bytes]], ...] = KINDS
) -> Iterator[None]:
    """Keep `count` slow connections open, a closed one being replaced, until the context ends."""
    ending = threading.Event()
    is_open = threading.Event()
    thread = threading.Thread(target=_keep_open, args=(port, count, kinds, is_open, ending), daemon=True)
    thread.start()
    try:
        assert is_open.wait(60)
        yield
    finally:
        ending.set()
        thread.join(30)


def _keep_open(
    port: int,
    count: int,
    kinds: tuple[Callable[[str], tuple[bytes, bytes]], ...],
    is_open: threading.Event,
    ending: threading.Event,
) -> None:
    clients: list[tuple[socket.socket, bytes] | None] = [None] * count
    while not ending.wait(0 if not is_open.is_set() else EVERY_S):
        for index in range(count):
            clients[index] = _next(clients[index], port, kinds[index % len(kinds)])
        is_open.set()
    for client in clients:
        if client is not None:
            client[0].close()


def _next(
    client: tuple[socket.socket, bytes] | None, port: int, kind: Callable[[str], tuple[bytes, bytes]]
) -> tuple[socket.socket, bytes] | None:
    """Send a byte more, or start again."""
    if client is not None:
        try:
            client[0].send(client[1])
        except BlockingIOError:
            return client
        except OSError:
            client[0].close()
        else:
            return client
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    except OSError:
        return None
    connection.setblocking(False)
    first, more = kind(SIGN_IN)
    with contextlib.suppress(OSError):
        connection.send(first)
    return connection, more


def longest_answer_s(url: str, tries: int, every_s: float = 0.2) -> float:
    """The longest that `url` took to answer, in seconds; raises OSError where it does not within 30."""
    longest = 0.0
    for _ in range(tries):
        began = time.monotonic()
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback
            answer.read()
        longest = max(longest, time.monotonic() - began)
        time.sleep(every_s)
    return longest
