"""Each finding on a row as people read it: at which column, what becomes of the row, and its text."""

from collections.abc import Sequence

import pytest

from dispatcher.routing.environment import Environment
from dispatcher.routing.findings import RowCode, RowEffect, RowFinding
from dispatcher.routing.loading import LoadBrokenError, load
from dispatcher.routing.rows import DestinationRow
from tests.dispatcher.routing.proxies import loaded


@pytest.mark.parametrize(
    ("version", "row", "code", "effect", "column", "text"),
    [
        (
            "3.4",
            DestinationRow(1, "sip:u@10.0.0.1;lr", id=7),
            RowCode.BROKEN_NEXT_HOP,
            RowEffect.MISLOADED,
            "destination",
            "Together with parameters, a user part or headers give a wrong next hop: remove one of them.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:u@10.0.0.1", id=7),
            RowCode.PARTS_CUT,
            RowEffect.SURPRISE,
            "destination",
            "The next hop ignores the user part and headers.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1;a,b", id=7),
            RowCode.COMMA,
            RowEffect.MISLOADED,
            "destination",
            "The script cuts the URI at the comma: the proxy would send elsewhere.",
        ),
        (
            "3.4",
            DestinationRow(-1, "sip:10.0.0.1", id=7),
            RowCode.NEGATIVE_SET,
            RowEffect.MISLOADED,
            "setid",
            "A negative set loads but can never be selected.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", state=3, id=7),
            RowCode.UNKNOWN_STATE,
            RowEffect.MISLOADED,
            "state",
            "The proxy loads state 3 as active.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", probe_mode=2, id=7),
            RowCode.UNKNOWN_PROBE_MODE,
            RowEffect.MISLOADED,
            "probe_mode",
            "The proxy loads probe mode 2 as 0.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", priority=65536, id=7),
            RowCode.PRIORITY_CUT,
            RowEffect.MISLOADED,
            "priority",
            "Priorities have 16 bits: the proxy would load 0.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", priority=-1, id=7),
            RowCode.PRIORITY_CUT,
            RowEffect.MISLOADED,
            "priority",
            "Priorities have 16 bits: the proxy would load 65535.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", socket="udp:", id=7),
            RowCode.SOCKET_IGNORED,
            RowEffect.MISLOADED,
            "socket",
            "udp: is not a valid socket (example: udp:10.0.0.2:5060): the proxy ignores it.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", socket="udp:10.9.9.9", id=7),
            RowCode.SOCKET_IGNORED,
            RowEffect.SURPRISE,
            "socket",
            "udp:10.9.9.9 is not a known socket of the proxy: unless it listens there, it ignores this"
            " and picks a socket itself.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1;transport=tcp", id=7),
            RowCode.NO_DEFAULT_PORT,
            RowEffect.SURPRISE,
            "destination",
            "The proxy needs the module proto_tcp; without it nothing is sent there, and the port becomes 0.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1:5060;transport=tcp", id=7),
            RowCode.NO_DEFAULT_PORT,
            RowEffect.SURPRISE,
            "destination",
            "The proxy needs the module proto_tcp; without it nothing is sent there.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1;transport=xyz", id=7),
            RowCode.UNKNOWN_TRANSPORT,
            RowEffect.SURPRISE,
            "destination",
            "Unknown transport: nothing can be sent there.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:gw.test;transport=xyz", id=7),
            RowCode.UNKNOWN_TRANSPORT,
            RowEffect.DROPPED,
            "destination",
            "For this transport the proxy resolves no name without a port: it would reject the destination.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:nowhere.test", id=7),
            RowCode.UNKNOWN_NAME,
            RowEffect.DROPPED,
            "destination",
            "nowhere.test does not resolve: the proxy would reject the destination.",
        ),
        (
            "3.4",
            DestinationRow(1, "sips:gw.test;transport=tcp", id=7),
            RowCode.UNKNOWN_TRANSPORT,
            RowEffect.DROPPED,
            "destination",
            "For this transport the proxy resolves no name without a port: it would reject the destination.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.1", id=7),
            RowCode.SHORT_ADDRESS,
            RowEffect.SURPRISE,
            "destination",
            "10.1 is read as the address 10.0.0.1.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:010.0.0.1", id=7),
            RowCode.SHORT_ADDRESS,
            RowEffect.SURPRISE,
            "destination",
            "010.0.0.1 is read as the address 8.0.0.1.",
        ),
        (
            "3.4",
            DestinationRow(1, "tel:+123", id=7),
            RowCode.NOT_SIP,
            RowEffect.DROPPED,
            "destination",
            "A tel: URI has no host to send to.",
        ),
        (
            "3.4",
            DestinationRow(1, "urn:service:gw.test", id=7),
            RowCode.NOT_SIP,
            RowEffect.MISLOADED,
            "destination",
            "Not a SIP URI: the proxy reads the service gw.test as a host.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1:x", id=7),
            RowCode.BAD_URI,
            RowEffect.DROPPED,
            "destination",
            "The proxy would reject this row: The port is not a number. (at character 14: 'x')",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:", id=7),
            RowCode.BAD_URI,
            RowEffect.DROPPED,
            "destination",
            "The proxy would reject this row: Too short for a URI.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:" + "a" * 255, id=7),
            RowCode.BAD_URI,
            RowEffect.DROPPED,
            "destination",
            "The host is longer than 254 bytes.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", weight="12x", id=7),
            RowCode.BAD_WEIGHT,
            RowEffect.MISLOADED,
            "weight",
            "'12x' is not a number: OpenSIPS before 3.6 loads it as 12,"
            " newer releases reject the whole reload.",
        ),
        (
            "3.4",
            DestinationRow(1, "sip:10.0.0.1", weight="70000", id=7),
            RowCode.WEIGHT_CUT,
            RowEffect.MISLOADED,
            "weight",
            "Weights have 16 bits: the proxy would load 4464.",
        ),
        (
            "3.6",
            DestinationRow(1, "sip:10.0.0.1", weight="12x", id=7),
            RowCode.BAD_WEIGHT,
            RowEffect.RELOAD_FAILS,
            "weight",
            "'12x' is not a number: this row would make the whole reload fail.",
        ),
        (
            "3.6",
            DestinationRow(1, "", id=7),
            RowCode.EMPTY_DESTINATION,
            RowEffect.RELOAD_FAILS,
            "destination",
            "Empty: this row would make the whole reload fail.",
        ),
    ],
)
def test_a_finding_names_column_effect_and_text(
    version: str, row: DestinationRow, code: RowCode, effect: RowEffect, column: str, text: str
) -> None:
    (finding,) = findings_on(row, version)
    assert finding == RowFinding(code, effect, column, text, row.id)


def findings_on(row: DestinationRow, version: str) -> Sequence[RowFinding]:
    """The findings on a row, also on one that breaks the load."""
    try:
        return loaded(row, version=version).findings
    except LoadBrokenError as error:
        return [error.finding]


def test_a_broken_load_is_an_error_with_the_finding_s_text() -> None:
    with pytest.raises(LoadBrokenError, match="Empty: this row would make the whole reload fail"):
        loaded(DestinationRow(1, ""))


def test_weights_that_overflow_are_reported_with_their_sum() -> None:
    rows = [DestinationRow(4, f"sip:10.0.0.{number}", weight="40000") for number in (1, 2)]
    (finding,) = loaded(*rows).findings
    text = "The weights of set 4 add up to 80,000, more than 16 bits: call shares are wrong."
    assert finding == RowFinding(RowCode.WEIGHTS_OVERFLOW, RowEffect.SURPRISE, "weight", text)


def test_what_just_fits_has_no_finding() -> None:
    rows = [
        DestinationRow(0, "sip:10.0.0.1", weight="65535", priority=65535),
        DestinationRow(1, f"sip:{'a' * 254}", weight="1", priority=0),
        DestinationRow(1, f"sip:{'b' * 254}", weight="65534", priority=0),
    ]
    assert load(rows, Environment(lambda _host, _port, _transport: ("10.7.7.7",))).findings == ()


def test_a_name_is_looked_up_with_its_port_and_transport() -> None:
    requests: list[tuple[str, int | None, str]] = []

    def resolve(host: str, port: int | None, transport: str) -> tuple[str, ...] | None:
        requests.append((host, port, transport))
        return None if host == "silent.test" else ("10.7.7.7",)

    rows = [
        DestinationRow(1, "sip:gw.test:5070;transport=tcp"),
        DestinationRow(1, "sips:gw.test"),
        DestinationRow(1, "sip:silent.test"),
    ]
    result = load(rows, Environment(resolve, transports=frozenset({"udp", "tcp", "tls"})))
    assert requests == [("gw.test", 5070, "tcp"), ("gw.test", None, "tls"), ("silent.test", None, "udp")]
    assert [each.addresses for each in result.sets[1]] == [("10.7.7.7:5070",), ("10.7.7.7:5061",), ()]
    (finding,) = result.findings
    text = "No DNS answer for silent.test. A proxy that gets none either rejects the destination."
    assert finding == RowFinding(RowCode.NAME_NOT_LOOKED_UP, RowEffect.SURPRISE, "destination", text)
