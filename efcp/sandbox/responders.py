"""The gateways of the samples: small SIP servers over UDP that answer OPTIONS."""

import asyncio
import secrets
from typing import cast

from efcp.sandbox.loopback import Address, is_loopback
from efcp.sandbox.sip import MAX_HEAD_BYTES

_COPIED = frozenset({"via", "v", "from", "f", "call-id", "i", "cseq"})
_TO = frozenset({"to", "t"})


class Responder(asyncio.DatagramProtocol):
    """A gateway that answers OPTIONS with 200, and any other request with 405; or one that is down.

    One that is down keeps its port all the same, so that nobody else answers there.
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
