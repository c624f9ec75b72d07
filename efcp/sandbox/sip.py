"""SIP over UDP for the sandbox, on loopback only: the client that probes, the gateways, the socket.

Client transactions retransmit and time out as RFC 3261, 17.1.2, has them. Whatever arrives is taken as
hostile: of a response only the status, the first Via's branch and the method in CSeq are read, and only
those that name a transaction count.

Hand-written rather than a SIP library: the living ones for Python are full user agents with their own
threads or loops; OPTIONS needs two hundred lines, and the probing rules need exact timers. asyncio's own
UDP transport reads one datagram each time the loop comes round: while thousands of probes are sent, the
answers overflow the socket and gateways that answered look dead. `BurstTransport` reads all that has
arrived.
"""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from efcp.sip.options import FIRST_FINAL_CODE, MAX_HEAD_BYTES, Response, read_response

Address = tuple[str, int]
_LOOPBACK_4 = ipaddress.ip_network("127.0.0.0/8")
_LOOPBACK_6 = ipaddress.ip_address("::1")


def is_loopback(host: str) -> bool:
    """Whether `host` is an address in 127.0.0.0/8, or ::1. Names never are."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == _LOOPBACK_6 or (address.version == 4 and address in _LOOPBACK_4)


def address_and_port(listed: str) -> Address | None:
    """The parts of ds_list's `resolved_addresses`; None where it is none. The port may be 0."""
    host, _, port = listed.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 1 << 16):
        return None
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        return None


RECEIVE_BUFFER_BYTES = 8 * 2**20
"""The requested size; the system may grant less (net.core.rmem_max)."""

READ_AT_ONCE = 500
_MAX_DATAGRAM = 65535


class BurstTransport(asyncio.DatagramTransport):
    """A bound socket that hands all that has arrived to a protocol; what can't be sent at once is dropped."""

    def __init__(self, protocol: asyncio.DatagramProtocol, bound: socket.socket) -> None:
        super().__init__({"sockname": bound.getsockname()})
        self._protocol = protocol
        self._socket = bound
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(bound, self._read)
        protocol.connection_made(self)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a datagram. A failure is the network's: the transaction sends again."""
        with suppress(OSError):
            self._socket.sendto(data, addr)

    def close(self) -> None:
        """Close the socket."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                data, sender = self._socket.recvfrom(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                # A port was refused: known when the transaction ends, as in the proxy.
                continue
            self._protocol.datagram_received(data, sender)
            if self._socket.fileno() < 0:
                return


def open_udp(protocol: asyncio.DatagramProtocol, host: str, port: int) -> BurstTransport:
    """Bind a socket to a numeric address for `protocol`. Raises OSError where the port is busy."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return BurstTransport(protocol, bound)


__all__ = ["MAX_HEAD_BYTES", "OptionsClient", "Response", "read_response"]

T1_S = 0.5
T2_S = 4.0
FROM = "sip:ds@sip.domain.com"
"""Who asks: the default of ds_probing_from."""
Done = Callable[[int | None], None]
"""Gets the final code, or None when no answer came in time."""


@dataclass(slots=True)
class _Transaction:
    request: bytes
    peer: Address
    done: Done
    gives_up: asyncio.TimerHandle
    sends_again: asyncio.TimerHandle | None = None
    wait_s: float = T1_S
    proceeding: bool = False

    def end(self) -> None:
        self.gives_up.cancel()
        if self.sends_again is not None:
            self.sends_again.cancel()


class OptionsClient(asyncio.DatagramProtocol):
    """Sends OPTIONS from one socket and reports each transaction's outcome."""

    def __init__(self, fr_timeout_s: float) -> None:
        self._fr_timeout_s = fr_timeout_s
        self._transport: asyncio.DatagramTransport | None = None
        self._transactions: dict[str, _Transaction] = {}
        self._sent_by = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self._sent_by = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def ask(self, uri: str, peer: Address, done: Done) -> None:
        """Send OPTIONS to `peer`, and call `done` once; raise ValueError where it is not on loopback."""
        if not is_loopback(peer[0]):
            raise ValueError(f"{peer[0]} is beyond loopback.")
        branch = f"z9hG4bK{secrets.token_hex(12)}"
        gives_up = asyncio.get_running_loop().call_later(self._fr_timeout_s, self._finish, branch, None)
        self._transactions[branch] = _Transaction(self._request(uri, branch), peer, done, gives_up)
        self._send(branch)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Match an answer to its transaction by its branch; anything else is dropped."""
        response = read_response(data)
        if response is None or not is_loopback(addr[0]):
            return
        if response.code >= FIRST_FINAL_CODE:
            self._finish(response.branch, response.code)
        elif transaction := self._transactions.get(response.branch):
            transaction.proceeding = True

    def error_received(self, exc: Exception) -> None:
        """Nothing: a refused port is known when the transaction ends, as in the proxy."""

    def close(self) -> None:
        """Close the socket and forget what is under way."""
        for transaction in self._transactions.values():
            transaction.end()
        self._transactions.clear()
        if self._transport is not None:
            self._transport.close()

    def _finish(self, branch: str, code: int | None) -> None:
        transaction = self._transactions.pop(branch, None)
        if transaction is not None:
            transaction.end()
            transaction.done(code)

    def _send(self, branch: str) -> None:
        """Send, and send again after timer E: T1, doubled each time up to T2, T2 once a 1xx came."""
        transaction = self._transactions.get(branch)
        if transaction is None or self._transport is None:
            return
        self._transport.sendto(transaction.request, transaction.peer)
        wait_s = T2_S if transaction.proceeding else transaction.wait_s
        transaction.wait_s = min(transaction.wait_s * 2, T2_S)
        transaction.sends_again = asyncio.get_running_loop().call_later(wait_s, self._send, branch)

    def _request(self, uri: str, branch: str) -> bytes:
        lines = (
            f"OPTIONS {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._sent_by};branch={branch};rport",
            f"To: <{uri}>",
            f"From: <{FROM}>;tag={secrets.token_hex(8)}",
            f"Call-ID: {secrets.token_hex(12)}@{self._sent_by}",
            "CSeq: 10 OPTIONS",
            "Max-Forwards: 70",
            "User-Agent: EFCP sandbox",
            "Content-Length: 0",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


_COPIED = frozenset({"via", "v", "from", "f", "call-id", "i", "cseq"})
_TO = frozenset({"to", "t"})


class Responder(asyncio.DatagramProtocol):
    """A gateway that answers OPTIONS with 200, and any other request with 405; or one that is down.

    One that is down keeps its port, so that nothing else answers there.
    """

    def __init__(self, answers: bool) -> None:
        self._answers = answers
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Answer a request that can be read; drop the rest."""
        reply = answer(data) if self._answers and is_loopback(addr[0]) else None
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def answer(datagram: bytes) -> bytes | None:
    """The answer to a request, its headers copied as RFC 3261, 8.2.6.2, has it; None where there is none."""
    head = datagram[:MAX_HEAD_BYTES].decode("latin-1").partition("\r\n\r\n")[0]
    first, *lines = head.split("\r\n")
    method, _, rest = first.partition(" ")
    if not rest.endswith(" SIP/2.0") or method == "ACK":
        return None
    named = [(line.partition(":")[0].strip().lower(), line) for line in lines]
    copied = [line for name, line in named if name in _COPIED]
    to = [
        line if ";tag=" in line.lower() else f"{line};tag={secrets.token_hex(4)}"
        for name, line in named
        if name in _TO
    ]
    status = "200 OK" if method == "OPTIONS" else "405 Method Not Allowed"
    reply = "\r\n".join([f"SIP/2.0 {status}", *copied, *to[:1], "Allow: OPTIONS", "Content-Length: 0"])
    return f"{reply}\r\n\r\n".encode("latin-1")
