"""A SIP server on loopback that answers each request as configured, over UDP, TCP or TLS."""

import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

Answer = Callable[[str], list[str]]
"""From the headers of a request to the messages that are sent back."""


def status(line: str) -> Answer:
    """Answer with this status, `404 Not Found` say."""
    return lambda request: [reply(request, line)]


def reply(request: str, line: str) -> str:
    """The answer to `request` with this status."""
    kept = [each for each in request.split("\r\n")[1:] if each.partition(":")[0] in _COPIED]
    return "\r\n".join([f"SIP/2.0 {line}", *kept, "Content-Length: 0", "", ""])


_COPIED = {"Via", "To", "From", "CSeq", "Call-ID"}


@dataclass
class Gateway:
    """Answers by `answer`; `requests` are all that came. Start it, and stop it."""

    answer: Answer
    transport: str = "udp"
    tls: ssl.SSLContext | None = None
    requests: list[str] = field(default_factory=list)

    def start(self) -> "Gateway":
        """Listen on a free port of 127.0.0.1."""
        place = ("127.0.0.1", 0)
        self._server: socketserver.ThreadingUDPServer | socketserver.ThreadingTCPServer = (
            socketserver.ThreadingUDPServer(place, _ProbeDatagrams)
            if self.transport == "udp"
            else socketserver.ThreadingTCPServer(place, _ProbeStreams)
        )
        self._server.daemon_threads = True
        vars(self._server)["gateway"] = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def replies(self, request: str) -> list[bytes]:
        """What goes back."""
        self.requests.append(request)
        return [each.encode() for each in self.answer(request)]


class _ProbeDatagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        for each in cast(Any, self.server).gateway.replies(data.decode()):
            sock.sendto(each, self.client_address)


class _ProbeStreams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        gateway: Gateway = cast(Any, self.server).gateway
        stream = self.request
        if gateway.tls is not None:
            stream = gateway.tls.wrap_socket(stream, server_side=True)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = stream.recv(4096)
            if not piece:
                return
            head += piece
        for each in gateway.replies(head.decode()):
            stream.sendall(each)
        stream.close()
