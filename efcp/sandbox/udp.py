"""A UDP socket in the event loop that keeps up with bursts.

asyncio's own reads one datagram each time the loop comes round: while thousands of probes are sent, the
answers to them overflow the socket, and gateways that answered look dead.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Any

RECEIVE_BUFFER_BYTES = 8 * 2**20
"""What is asked for; the system may grant less (net.core.rmem_max)."""

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
