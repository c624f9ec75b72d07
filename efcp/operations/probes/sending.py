"""Sending one probe from this machine and waiting for its answer, within one limit on the whole time."""

import errno
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from efcp.mi.endpoint import ANYWHERE
from efcp.sip.options import FIRST_FINAL_CODE, MAX_HEAD_BYTES, ProbeRequest, read_response, reason_of

LIMIT_S = 6.0
"""Of one probe; a proxy waits for tm's fr_timeout, 30 s unless set."""

T1_S = 0.5
T2_S = 4.0
TRANSPORTS = ("udp", "tcp", "tls")
_MAX_DATAGRAM = 65535
_MOST_BYTES = 65536
_IP_RECVERR = 11
_IPV6_RECVERR = 25
"""Linux's options that report a refused port to an unconnected socket, too (ip(7), ipv6(7))."""


@dataclass(frozen=True, slots=True)
class ProbeToSend:
    """What is to be sent where: to a numeric `address` and `port`, over `transport`."""

    method: str
    uri: str
    from_uri: str
    transport: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """What came back: the final code with its reason and the seconds it took, or why there is none.

    `source` is this machine's `address:port` that the probe went out from, `provisional` the last 1xx.
    """

    code: int | None = None
    reason: str = ""
    took_s: float = 0.0
    source: str = ""
    provisional: int | None = None
    problem: str = ""


def send(sent: ProbeToSend, limit_s: float) -> ProbeOutcome:
    """Send the probe and wait for its final answer, at most `limit_s` seconds in all."""
    exchange = _Exchange(sent, time.monotonic() + limit_s, limit_s)
    if refusal := ANYWHERE.refusal(sent.address):
        return exchange.failed(f"Not sent: {refusal}.")
    try:
        return exchange.over_udp() if sent.transport == "udp" else exchange.over_stream()
    except TimeoutError:
        return exchange.silence()
    except ssl.SSLError as error:
        return exchange.failed(f"TLS failed: {error.reason or error}")
    except OSError as error:
        return exchange.failed(_problem(error))
    except ValueError as error:
        return exchange.failed(str(error))


def _problem(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "Connection refused: nothing listens on the port."
    return f"Can't send: {error.strerror or error}."


class _Exchange:
    """One probe while it is under way."""

    def __init__(self, sent: ProbeToSend, deadline: float, limit_s: float) -> None:
        self._sent = sent
        self._deadline = deadline
        self._limit_s = limit_s
        self._family = socket.AF_INET6 if ":" in sent.address else socket.AF_INET
        self._branch = f"z9hG4bK{secrets.token_hex(12)}"
        self._started = time.monotonic()
        self._outcome = ProbeOutcome()

    def over_udp(self) -> ProbeOutcome:
        """Send again after T1, doubled each time up to T2 (RFC 3261, 17.1.2)."""
        peer = (self._sent.address, self._sent.port)
        with socket.socket(self._family, socket.SOCK_DGRAM) as bound:
            bound.bind((self._own_address(), 0))
            self._receive_refusals(bound)
            request = self._request(bound)
            wait_s = T1_S
            while True:
                bound.sendto(request, peer)
                again_at = time.monotonic() + (T2_S if self._outcome.provisional else wait_s)
                for datagram in self._datagrams(bound, min(again_at, self._deadline)):
                    if self._accepts(datagram):
                        return self._outcome
                if time.monotonic() >= self._deadline:
                    return self.silence()
                wait_s = min(2 * wait_s, T2_S)

    def over_stream(self) -> ProbeOutcome:
        """Connect, with TLS where that is the transport, send once and read answers."""
        peer = (self._sent.address, self._sent.port)
        with socket.create_connection(peer, self._left()) as plain, self._secured(plain) as stream:
            stream.settimeout(self._left())
            stream.sendall(self._request(stream))
            for message in self._messages(stream):
                if self._accepts(message):
                    return self._outcome
        return self.failed("The connection was closed before a reply arrived.")

    def silence(self) -> ProbeOutcome:
        """No final answer within the limit."""
        after = f" after a {self._outcome.provisional}" if self._outcome.provisional else ""
        return self.failed(f"No reply{after} within {self._limit_s:g} s.")

    def failed(self, problem: str) -> ProbeOutcome:
        """What is known so far, and why there is no answer."""
        return replace(self._outcome, took_s=time.monotonic() - self._started, problem=problem)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _own_address(self) -> str:
        """The address of this machine that the system would send from."""
        with socket.socket(self._family, socket.SOCK_DGRAM) as probe:
            probe.connect((self._sent.address, self._sent.port))
            return str(probe.getsockname()[0])

    def _receive_refusals(self, bound: socket.socket) -> None:
        if self._family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)

    def _secured(self, plain: socket.socket) -> socket.socket:
        if self._sent.transport != "tls":
            return plain
        # Whether the proxy would trust the certificate is its own affair: here only the answer counts.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain.settimeout(self._left())
        return context.wrap_socket(plain)

    def _request(self, bound: socket.socket) -> bytes:
        host, port = bound.getsockname()[:2]
        source = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._outcome = replace(self._outcome, source=source)
        self._started = time.monotonic()
        return ProbeRequest(
            method=self._sent.method,
            uri=self._sent.uri,
            from_uri=self._sent.from_uri,
            transport=self._sent.transport,
            sent_by=source,
            branch=self._branch,
            tag=secrets.token_hex(8),
            call_id=secrets.token_hex(12),
            user_agent="EFCP",
        ).to_bytes()

    def _datagrams(self, bound: socket.socket, until: float) -> Iterator[bytes]:
        """What arrives until a moment; some of it may have nothing to do with the probe."""
        while (left := until - time.monotonic()) > 0:
            bound.settimeout(left)
            try:
                yield bound.recv(_MAX_DATAGRAM)
            except TimeoutError:
                return

    def _messages(self, stream: socket.socket) -> Iterator[bytes]:
        """The heads of the messages on a stream, of at most _MOST_BYTES; bodies are skipped."""
        buffer = b""
        total = 0
        while total < _MOST_BYTES:
            stream.settimeout(self._left())
            piece = stream.recv(4096)
            if not piece:
                return
            total += len(piece)
            buffer += piece
            # A message ends with its head here: an answer to a probe that counts begins a line of its own.
            while (end := buffer.find(b"\r\n\r\n")) >= 0:
                head, buffer = buffer[: end + 4], buffer[end + 4 :]
                start = head.find(b"SIP/2.0 ")
                if 0 <= start <= MAX_HEAD_BYTES:
                    yield head[start:]

    def _accepts(self, message: bytes) -> bool:
        """Record an answer to this probe; return whether it is the final one."""
        response = read_response(message, self._sent.method)
        if response is None or response.branch != self._branch:
            return False
        if response.code < FIRST_FINAL_CODE:
            self._outcome = replace(self._outcome, provisional=response.code)
            return False
        took_s = time.monotonic() - self._started
        self._outcome = replace(self._outcome, code=response.code, reason=reason_of(message), took_s=took_s)
        return True
