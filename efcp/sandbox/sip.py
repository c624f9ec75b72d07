"""OPTIONS over UDP: client transactions with retransmission and timeout as RFC 3261, 17.1.2, has them.

Whatever arrives is taken for hostile: of a datagram only the status, the first Via's branch and the method in
CSeq are read, and only those that name a transaction count.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from efcp.sandbox.loopback import Address, is_loopback
from efcp.sip.options import FIRST_FINAL_CODE, MAX_HEAD_BYTES, Response, read_response

__all__ = ["MAX_HEAD_BYTES", "OptionsClient", "Response", "read_response"]

T1_S = 0.5
T2_S = 4.0
FROM = "sip:ds@sip.domain.com"
"""Who asks: the default of ds_probing_from."""
Done = Callable[[int | None], None]
"""Told the final code, or None when no answer came in time."""


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
    """Sends OPTIONS from one socket and tells each transaction's outcome."""

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
