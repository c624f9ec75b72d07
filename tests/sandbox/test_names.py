"""Names are looked up before a load, many at once and within a bound."""

import threading
from typing import Any

from dispatcher.routing.rows import DestinationRow
from efcp.sandbox.tables import Names

SHORT_S = 0.2


def test_each_name_is_looked_up_once_and_addresses_never() -> None:
    lookups: list[tuple[str, int | None, str]] = []

    def look_up(host: str, port: int | None, transport: str) -> tuple[str, ...]:
        lookups.append((host, port, transport))
        return ("127.0.0.9",)

    names = Names(look_up)
    uris: tuple[Any, ...] = (
        "sip:gw.test",
        "sip:gw.test",
        "sip:gw.test:5070",
        "sip:127.0.0.1",
        "sip:[::ab]:5060",
        "no uri",
        None,
    )
    names.look_up([DestinationRow(1, uri) for uri in uris])
    assert sorted(lookups, key=str) == [("gw.test", 5070, "udp"), ("gw.test", None, "udp")]
    assert names.resolve("gw.test", 5070, "udp") == ("127.0.0.9",)


def test_a_name_without_an_answer_in_time_has_no_address() -> None:
    may_answer = threading.Event()

    def look_up(host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
        if host == "slow.test":
            may_answer.wait()
        return ("127.0.0.9",)

    names = Names(look_up, limit_s=SHORT_S)
    try:
        names.look_up([DestinationRow(1, "sip:slow.test"), DestinationRow(1, "sip:quick.test")])
        assert names.resolve("slow.test", None, "udp") == ()
        assert names.resolve("quick.test", None, "udp") == ("127.0.0.9",)
    finally:
        may_answer.set()


def test_a_look_up_that_fails_is_no_address() -> None:
    def look_up(*_name: object) -> tuple[str, ...]:
        raise OSError

    names = Names(look_up)
    names.look_up([DestinationRow(1, "sip:gw.test")])
    assert names.resolve("gw.test", None, "udp") == ()
