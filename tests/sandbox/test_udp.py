"""The sandbox's UDP socket: bursts, refusals, busy ports."""

import asyncio
import socket

import pytest

from efcp.sandbox.sip import open_udp

Address = tuple[str, int]


class Kept(asyncio.DatagramProtocol):
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Keep a datagram."""
        self.received.append(data)


def test_all_of_a_burst_is_read_when_the_loop_comes_round() -> None:
    burst = [str(number).encode() for number in range(200)]

    async def receive() -> list[bytes]:
        kept = Kept()
        transport = open_udp(kept, "127.0.0.1", 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in burst:
                sender.sendto(datagram, transport.get_extra_info("sockname"))
        for _ in range(3):
            await asyncio.sleep(0)
        transport.close()
        return kept.received

    assert asyncio.run(receive()) == burst


def test_a_refused_port_ends_nothing() -> None:
    async def send_and_receive() -> list[bytes]:
        kept = Kept()
        transport = open_udp(kept, "127.0.0.1", 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as refusing:
            refusing.bind(("127.0.0.1", 0))
            nobody = refusing.getsockname()
        own = transport.get_extra_info("sockname")
        for _ in range(3):
            transport.sendto(b"is anybody there", nobody)
            await asyncio.sleep(0)
        transport.sendto(b"to myself", own)
        while not kept.received:
            await asyncio.sleep(0.001)
        transport.close()
        transport.close()
        return kept.received

    assert asyncio.run(asyncio.wait_for(send_and_receive(), 10)) == [b"to myself"]


def test_a_busy_port_is_reported() -> None:
    async def open_twice() -> None:
        first = open_udp(Kept(), "127.0.0.1", 0)
        try:
            open_udp(Kept(), *first.get_extra_info("sockname"))
        finally:
            first.close()

    with pytest.raises(OSError, match="in use"):
        asyncio.run(open_twice())
