"""OPTIONS over UDP: RFC 3261, 17.1.2.2, and datagrams from anyone."""

import asyncio
import selectors
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.sandbox.sip import OptionsClient, Response, answer, is_loopback, read_response

PEER = ("127.0.0.1", 6001)
URI = "sip:127.0.0.1:6001"


class SkippingSelector(selectors.DefaultSelector):
    """Waits for nothing: time goes on by what a wait would have taken."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready now."""
        self.now_s += timeout or 0.0
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose time is its selector's."""

    def __init__(self) -> None:
        self.skipping = SkippingSelector()
        super().__init__(self.skipping)

    def time(self) -> float:
        """Seconds that would have gone by."""
        return self.skipping.now_s


class Wire(asyncio.DatagramTransport):
    """A UDP socket that keeps what is sent, and when."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 5060)})
        self.sent: list[tuple[float, bytes]] = []

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Keep a datagram."""
        assert addr == PEER
        self.sent.append((asyncio.get_running_loop().time(), bytes(data)))


def probed(
    *answers: tuple[float, int], fr_timeout_s: float = 30
) -> tuple[list[float], list[int | None], float]:
    """Probe once, with answers after so many seconds: the times of sending, the codes, and the end."""
    wire, codes = Wire(), []

    async def ask() -> float:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int | None] = loop.create_future()
        client = OptionsClient(fr_timeout_s)
        client.connection_made(wire)
        client.ask(URI, PEER, done.set_result)
        for after_s, code in answers:
            loop.call_later(after_s, partial(receive, client, code))
        codes.append(await done)
        ended_s = loop.time()
        await asyncio.sleep(60)
        return ended_s

    def receive(client: OptionsClient, code: int) -> None:
        request = wire.sent[0][1]
        reply = request.replace(f"OPTIONS {URI} SIP/2.0".encode(), f"SIP/2.0 {code} Whatever".encode())
        client.datagram_received(reply, PEER)

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        ended_s = runner.run(ask())
    assert len({datagram for _, datagram in wire.sent}) == 1, "a retransmission is the very same request"
    return [at_s for at_s, _ in wire.sent], codes, ended_s


def test_a_request_is_sent_again_after_timer_e_until_the_transaction_s_time_is_over() -> None:
    sent, codes, ended_s = probed()
    assert sent == pytest.approx([0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5])
    assert codes == [None]
    assert ended_s == pytest.approx(30)


def test_a_final_answer_ends_the_transaction() -> None:
    sent, codes, ended_s = probed((1.0, 200))
    assert sent == pytest.approx([0, 0.5])
    assert codes == [200]
    assert ended_s == pytest.approx(1)


def test_a_provisional_answer_slows_retransmission_down_and_decides_nothing() -> None:
    sent, codes, _ended_s = probed((0.1, 100), (9.9, 503))
    assert sent == pytest.approx([0, 0.5, 4.5, 8.5])
    assert codes == [503]


def test_a_second_answer_is_nobody_s() -> None:
    assert probed((0.1, 200), (0.2, 503))[1] == [200]


REQUEST = (
    b"OPTIONS sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKabc;rport\r\n"
    b"To: <sip:gw>\r\nFrom: <sip:me>;tag=1\r\nCall-ID: 1\r\nCSeq: 10 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
REPLY = REQUEST.replace(b"OPTIONS sip:gw SIP/2.0", b"SIP/2.0 200 OK")


@pytest.mark.parametrize(
    "datagram",
    [
        REPLY,
        REPLY.replace(b"Via:", b"v :"),
        REPLY.replace(b"branch=", b" BRANCH = "),
        REPLY.replace(b"200 OK", b"200 "),
        REPLY.replace(b";branch", b"\r\n ;branch").replace(b"10 OPTIONS", b"10\r\n\tOPTIONS"),
        REPLY.replace(b"Via:", b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKabc, "),
    ],
)
def test_an_answer_names_its_transaction_by_the_topmost_branch(datagram: bytes) -> None:
    assert read_response(datagram) == Response(200, "z9hG4bKabc")


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00" * 65_507,
        REQUEST,
        REPLY.replace(b"200", b"999"),
        REPLY.replace(b"SIP/2.0 200", b"SIP/3.0 200"),
        REPLY.replace(b";branch=z9hG4bKabc", b""),
        REPLY.replace(b"OPTIONS", b"INVITE"),
        REPLY.replace(b"CSeq:", b"CSeq: 1 INVITE\r\nCSeq:"),
        REPLY.replace(b"z9hG4bKabc", b"z9hG4bKabc\0"),
        REPLY.replace(b"z9hG4bKabc", b'"z9hG4bKabc"'),
        b"SIP/2.0 200 OK\r\n\r\n" + REPLY,
        REPLY.replace(b"Via:", b"Via: SIP/2.0/UDP other:5060\r\nVia:"),
        b"SIP/2.0 200 OK\r\n" + b"v:;" * 20_000,
    ],
)
def test_anything_else_is_no_answer(datagram: bytes) -> None:
    assert read_response(datagram) is None


@given(st.binary(max_size=300))
def test_any_datagram_can_be_looked_at(datagram: bytes) -> None:
    assert read_response(REPLY[:40] + datagram) is None
    assert answer(datagram) is None or datagram


def test_a_gateway_answers_options_with_200_and_copies_what_it_must() -> None:
    reply = answer(REQUEST)
    assert reply is not None
    assert reply.startswith(b"SIP/2.0 200 OK\r\n")
    assert b"To: <sip:gw>;tag=" in reply
    assert read_response(reply) == Response(200, "z9hG4bKabc")


@pytest.mark.parametrize(("method", "status"), [(b"INVITE", b"SIP/2.0 405 "), (b"REGISTER", b"SIP/2.0 405 ")])
def test_a_gateway_does_nothing_else(method: bytes, status: bytes) -> None:
    reply = answer(REQUEST.replace(b"OPTIONS", method))
    assert reply is not None
    assert reply.startswith(status)


@pytest.mark.parametrize("datagram", [REPLY, REQUEST.replace(b"OPTIONS", b"ACK"), b"\r\n\r\n", b""])
def test_a_gateway_without_a_request_is_silent(datagram: bytes) -> None:
    assert answer(datagram) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1"])
def test_loopback_is_this_machine_s_own(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "128.0.0.1", "::", "0.0.0.0", "::ffff:10.0.0.1", "localhost", ""]
)
def test_everything_else_is_beyond_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_nobody_beyond_loopback_can_be_probed() -> None:
    with pytest.raises(ValueError, match="beyond loopback"):
        OptionsClient(30).ask("sip:192.0.2.1", ("192.0.2.1", 5060), lambda _code: None)
