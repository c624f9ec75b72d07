"""OPTIONS over UDP: client transactions with retransmission and timeout as RFC 3261, 17.1.2, has them.

Whatever arrives is taken for hostile: only the status line and the first Via's branch of a datagram are read,
and an answer counts only from the port that was asked.
"""

import asyncio
import ipaddress
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

T1_S = 0.5
T2_S = 4.0
MAX_DATAGRAM = 65_535
FROM = "sip:ds@sip.domain.com"
_STATUS = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})[ \r]")
_BRANCH = re.compile(rb"^(?:via|v)[ \t]*:[^\r\n]*;[ \t]*branch[ \t]*=[ \t]*([\w.!%*+`'~-]+)", re.I | re.M)

Address = tuple[str, int]
Done = Callable[[int | None], None]
"""Told the final code, or None when no answer came in time."""


@dataclass(slots=True)
class _Transaction:
    request: bytes
    peer: Address
    done: Done
    wait_s: float = T1_S
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def end(self) -> None:
        for timer in self.timers:
            timer.cancel()


class OptionsClient(asyncio.DatagramProtocol):
    """Sends OPTIONS from one socket and hands out each transaction's outcome."""

    def __init__(self, fr_timeout_s: float) -> None:
        self._fr_timeout_s = fr_timeout_s
        self._transport: asyncio.DatagramTransport | None = None
        self._transactions: dict[str, _Transaction] = {}
        self._own: Address = ("127.0.0.1", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._own = transport.get_extra_info("sockname")[:2]

    def ask(self, uri: str, peer: Address, done: Done) -> None:
        """Send OPTIONS to `peer`, which must be loopback, and call `done` once."""
        if self._transport is None or not is_loopback(peer[0]):
            done(None)
            return
        branch = f"z9hG4bK{secrets.token_hex(12)}"
        transaction = _Transaction(self._request(uri, branch), peer, done)
        self._transactions[branch] = transaction
        loop = asyncio.get_running_loop()
        transaction.timers.append(loop.call_later(self._fr_timeout_s, self._finish, branch, None))
        self._send(branch)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Match an answer to its transaction by branch and address; anything else is dropped."""
        status = _STATUS.match(data)
        branch = _BRANCH.search(data, 0, 8192)
        if status is None or branch is None:
            return
        name = branch[1].decode("latin-1")
        transaction = self._transactions.get(name)
        if transaction is None or transaction.peer[1] != addr[1] or not is_loopback(addr[0]):
            return
        code = int(status[1])
        if code >= 200:
            self._finish(name, code)

    def error_received(self, exc: Exception) -> None:
        """Nothing: a refused port is known when the transaction ends, as in the proxy."""

    def _finish(self, branch: str, code: int | None) -> None:
        transaction = self._transactions.pop(branch, None)
        if transaction is not None:
            transaction.end()
            transaction.done(code)

    def _send(self, branch: str) -> None:
        transaction = self._transactions.get(branch)
        if transaction is None or self._transport is None:
            return
        self._transport.sendto(transaction.request, transaction.peer)
        timer = asyncio.get_running_loop().call_later(transaction.wait_s, self._send, branch)
        transaction.wait_s = min(transaction.wait_s * 2, T2_S)
        transaction.timers[1:] = [timer]

    def _request(self, uri: str, branch: str) -> bytes:
        host, port = self._own
        lines = (
            f"OPTIONS {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch};rport",
            f"To: <{uri}>",
            f"From: <{FROM}>;tag={secrets.token_hex(8)}",
            f"Call-ID: {secrets.token_hex(12)}@{host}",
            "CSeq: 10 OPTIONS",
            "Max-Forwards: 70",
            "User-Agent: EFCP sandbox",
            "Content-Length: 0",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class Responder(asyncio.DatagramProtocol):
    """A small gateway that answers OPTIONS with 200 and anything else with 405."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a request that can be read; drop the rest."""
        if self._transport is None or not is_loopback(addr[0]):
            return
        head = data[:MAX_DATAGRAM].decode("latin-1").partition("\r\n\r\n")[0]
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        if not rest.endswith(" SIP/2.0") or method == "ACK":
            return
        copied = [
            line
            for line in lines
            if line.partition(":")[0].strip().lower()
            in {"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq"}
        ]
        status = "200 OK" if method == "OPTIONS" else "405 Method Not Allowed"
        answer = "\r\n".join([f"SIP/2.0 {status}", *copied, "Content-Length: 0"]) + "\r\n\r\n"
        self._transport.sendto(answer.encode("latin-1"), addr)


def is_loopback(host: str) -> bool:
    """Tell whether `host` is an address of this machine's loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def peer_of(listed: str) -> Address | None:
    """The address and port out of ds_list's `resolved_addresses`, None where nothing can be sent there."""
    host, _, port = listed.rpartition(":")
    if not port.isdigit() or int(port) == 0:
        return None
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        return None
