"""SIP peers for tests: one is silent and keeps what it got, one answers each OPTIONS with a code."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

POLL_S = 0.05


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


LOOPBACKS = ("127.0.0.1", "::1") if _has_ipv6() else ("127.0.0.1",)
"""The loopback addresses of this machine; some containers have no IPv6."""


@dataclass(frozen=True, slots=True)
class UdpPeer:
    """A UDP socket on loopback that a destination's URI names."""

    socket: socket.socket

    @property
    def uri(self) -> str:
        """The URI of a destination there."""
        host, port = self.socket.getsockname()[:2]
        return f"sip:[{host}]:{port}" if ":" in host else f"sip:{host}:{port}"

    def received(self) -> list[bytes]:
        """The datagrams that came and were not read yet."""
        self.socket.setblocking(False)
        datagrams = []
        with contextlib.suppress(BlockingIOError):
            while True:
                datagrams.append(self.socket.recv(65_535))
        return datagrams


@contextlib.contextmanager
def silent(host: str = "127.0.0.1", port: int = 0) -> Iterator[UdpPeer]:
    """A peer that answers nothing, on a free port or on this one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((host, port))
        yield UdpPeer(bound)


@contextlib.contextmanager
def answering(code: int, host: str = "127.0.0.1", port: int = 0) -> Iterator[UdpPeer]:
    """A peer that answers each request with `code`."""
    with silent(host, port) as peer:
        stopping = threading.Event()
        thread = threading.Thread(target=_answer, args=(peer.socket, code, stopping), daemon=True)
        thread.start()
        try:
            yield peer
        finally:
            stopping.set()
            thread.join()


def _answer(bound: socket.socket, code: int, stopping: threading.Event) -> None:
    bound.settimeout(POLL_S)
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            request, sender = bound.recvfrom(65_535)
            head = request.decode().split("\r\n")
            kept = [line for line in head if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
            answer = "\r\n".join([f"SIP/2.0 {code} Whatever", *kept, "Content-Length: 0", "", ""])
            bound.sendto(answer.encode(), sender)
