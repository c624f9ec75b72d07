"""A server on loopback that reads one HTTP request and then does whatever a test tells it to."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

Play = Callable[["Peer"], None]

GIVE_UP_S = 20.0
"""How long the server waits for a client that should act: only a failing test takes that long."""

_PAUSE_S = 0.01


class Peer:
    """The client, as the server sees it after its request."""

    def __init__(self, connection: socket.socket, head: bytes, body: bytes, stopped: threading.Event) -> None:
        self.connection = connection
        self.head = head.decode("ascii")
        self.body = body
        self._stopped = stopped

    @property
    def request(self) -> dict[str, Any]:
        """The JSON-RPC request."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(
        self, body: bytes, status: str = "200 OK", content_type: str = "application/json", more: str = ""
    ) -> None:
        """Send a whole HTTP answer; `more` are further header lines, each ended by CR LF."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{more}"
        self.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def reply(self, **members: object) -> None:
        """Send a JSON-RPC reply with the request's id and these members."""
        self.answer(json.dumps({"jsonrpc": "2.0", "id": self.request["id"], **members}).encode())

    def drip(self, data: bytes) -> None:
        """Send `data` over and over, a byte every now and then, until the client closes."""
        while not self._stopped.is_set():
            for byte in data:
                self.send(bytes([byte]))
                self._stopped.wait(_PAUSE_S)

    def say_nothing(self) -> None:
        """Keep the connection open until the client closes it."""
        while self.connection.recv(4096):
            pass


class MisbehavingServer:
    """Accepts one connection after the other; `play` is what it does after each request.

    `requests` holds what came. `client_closed` is set once a client has closed its connection, which the
    server sees only while it still sends or reads: at the latest after `play`.
    """

    def __init__(self, play: Play, wrap: Callable[[socket.socket], socket.socket] | None = None) -> None:
        self._play = play
        self._wrap = wrap
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.requests: list[Peer] = []
        self.client_closed = threading.Event()
        self.is_finished = False

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mi"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(GIVE_UP_S)
                with contextlib.suppress(OSError):
                    self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        if self._wrap is not None:
            connection = self._wrap(connection)
        with connection:
            peer = Peer(connection, *_read_request(connection), self._stopped)
            self.requests.append(peer)
            try:
                self._play(peer)
                self.is_finished = True
                connection.shutdown(socket.SHUT_WR)
                peer.say_nothing()
            except TimeoutError:
                return
            except OSError:  # over TLS not only a ConnectionError
                pass
            self.client_closed.set()


def _read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection)
    head, _blank, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += _receive(connection)
    return head, body


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError("The client closed before its request was complete.")
    return data


Serve = Callable[[Play], MisbehavingServer]
"""What the fixture `serve` returns: it starts a server that plays one connection."""
