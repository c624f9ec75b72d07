"""Rows to sets as the proxy loads them (recorded: acceptance vectors; dispatch.c: ds_load_data)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.destinations import DestinationState
from dispatcher.routing.findings import RowCode, RowEffect
from dispatcher.routing.loading import Environment, LoadBrokenError, LoadedDestination, load
from dispatcher.routing.rows import DestinationRow
from tests.dispatcher.routing.proxies import environment, loaded


def only(row: DestinationRow, version: str = "3.4") -> LoadedDestination:
    """The destination that a single row becomes."""
    (members,) = loaded(row, version=version).sets.values()
    (destination,) = members
    return destination


def found(row: DestinationRow, version: str = "3.4") -> set[tuple[RowCode, RowEffect]]:
    """The findings on a single row."""
    return {(finding.code, finding.effect) for finding in loaded(row, version=version).findings}


def test_sets_stand_in_the_reverse_order_of_their_first_loaded_rows() -> None:
    result = loaded(
        DestinationRow(3, "not a uri"),
        DestinationRow(1, "sip:10.0.0.1"),
        DestinationRow(2, "sip:10.0.0.2"),
        DestinationRow(3, "sip:10.0.0.3"),
    )
    assert list(result.sets) == [3, 2, 1]


def test_higher_priority_comes_first_and_equal_ones_in_row_order() -> None:
    rows = [DestinationRow(1, f"sip:10.0.0.{n}", priority=p) for n, p in enumerate([1, 5, 1, 0, 5], start=1)]
    assert [each.uri[-1] for each in loaded(*rows).sets[1]] == ["2", "5", "1", "3", "4"]


def test_a_negative_priority_is_compared_as_it_is_but_kept_as_16_bits() -> None:
    rows = [DestinationRow(1, "sip:10.0.0.1", priority=7), DestinationRow(1, "sip:10.0.0.2", priority=-1)]
    assert [each.priority for each in loaded(*rows).sets[1]] == [7, 65535]


@given(st.lists(st.integers(0, 65535), max_size=30))
def test_the_order_is_stable_by_falling_priority(priorities: list[int]) -> None:
    rows = [DestinationRow(1, f"sip:10.0.{n}.1", priority=p) for n, p in enumerate(priorities)]
    members = loaded(*rows).sets.get(1, ())
    expected = sorted(range(len(rows)), key=lambda n: -priorities[n])
    assert [each.uri for each in members] == [rows[n].destination for n in expected]


@pytest.mark.parametrize("destination", ["", "   ", None])
@pytest.mark.parametrize("version", ["3.4", "3.6", "4.0.1"])
def test_an_empty_destination_breaks_the_reload(destination: Any, version: str) -> None:
    with pytest.raises(LoadBrokenError) as caught:
        loaded(DestinationRow(1, destination, id=7), version=version)
    assert (caught.value.finding.code, caught.value.finding.row_id) == (
        RowCode.EMPTY_DESTINATION,
        7,
    )


@pytest.mark.parametrize(
    ("weight", "kept"),
    [("abc", 0), ("", 1), (" ", 1), (None, 1), ("1.5", 1), (" 1", 0), ("12x", 12), ("-1", 0)],
)
def test_a_weight_that_is_no_number_loads_in_3_4_by_its_leading_digits(weight: Any, kept: int) -> None:
    assert only(DestinationRow(1, "sip:10.0.0.1", weight=weight)).weight == kept


@pytest.mark.parametrize("version", ["3.6", "4.0"])
def test_a_weight_that_is_no_number_breaks_the_reload_from_3_6_on(version: str) -> None:
    with pytest.raises(LoadBrokenError) as caught:
        loaded(DestinationRow(1, "not even a uri", weight="abc"), version=version)
    assert caught.value.finding.code is RowCode.BAD_WEIGHT


@pytest.mark.parametrize(
    ("weight", "kept"), [("65536", 0), ("4294967295", 65535), ("4294967296", 0), ("99999999999", 59391)]
)
def test_a_weight_is_cut_to_16_bits(weight: str, kept: int) -> None:
    row = DestinationRow(1, "sip:10.0.0.1", weight=weight)
    assert only(row).weight == kept
    assert (RowCode.WEIGHT_CUT, RowEffect.MISLOADED) in found(row)


def test_a_freeswitch_weight_counts_1() -> None:
    assert only(DestinationRow(1, "sip:10.0.0.1", weight="fs://:pw@10.0.0.9"), "4.0").weight == 1


@pytest.mark.parametrize("destination", ["tel:+123", "sip:nowhere.test", "sip:10.0.0.1:65536", "gw.test"])
def test_what_is_dropped_is_counted_and_reported(destination: str) -> None:
    result = loaded(DestinationRow(1, destination), DestinationRow(1, "sip:10.0.0.1"))
    assert (result.discarded, result.count) == (1, 1)
    assert {finding.effect for finding in result.findings} == {RowEffect.DROPPED}


def test_a_name_may_have_several_addresses_and_ipv6_is_printed_in_full() -> None:
    destination = only(DestinationRow(1, "sip:six.test:5080"))
    assert destination.addresses == ("2001:DB8:0:0:0:0:0:7:5080", "10.7.7.8:5080")


@pytest.mark.parametrize(
    ("destination", "address"),
    [
        ("sip:10.0.0.1", "10.0.0.1:5060"),
        ("sip:10.0.0.1;transport=tcp", "10.0.0.1:0"),
        ("sips:10.0.0.1", "10.0.0.1:0"),
        ("sips:10.0.0.1;transport=udp", "10.0.0.1:5060"),
        ("sip:gw.test;transport=tls", "10.7.7.7:0"),
        ("sip:gw.test:5071;transport=tls", "10.7.7.7:5071"),
        ("sip:10.0.0.1:0", "10.0.0.1:5060"),
    ],
)
def test_the_port_of_a_transport_whose_module_is_not_loaded_is_0(destination: str, address: str) -> None:
    assert only(DestinationRow(1, destination)).addresses == (address,)


@pytest.mark.parametrize("destination", ["sips:gw.test;transport=tcp", "sip:gw.test;transport=xyz"])
def test_a_name_without_port_is_not_looked_up_for_a_transport_that_does_not_fit(destination: str) -> None:
    assert found(DestinationRow(1, destination)) == {(RowCode.UNKNOWN_TRANSPORT, RowEffect.DROPPED)}


@pytest.mark.parametrize("destination", ["sip:1.2.3", "sip:10.0.0.", "sip:10.0.01"])
def test_a_short_address_is_reported(destination: str) -> None:
    assert (RowCode.SHORT_ADDRESS, RowEffect.SURPRISE) in found(DestinationRow(1, destination))


@pytest.mark.parametrize(
    ("destination", "next_hop", "undefined"),
    [
        ("sip:u@10.0.0.1:5080", "sip:10.0.0.1:5080", 0),
        ("SIP:10.0.0.1;lr", "SIP:10.0.0.1;lr", 0),
        ("SIP:u@10.0.0.1", "sip:10.0.0.1", 0),
        ("sip:10.0.0.1?x=y", "sip:10.0.0.1", 0),
        ("sip:u@10.0.0.1;lr", "sip:10.0.0.1lr", 0),
        ("sip:u@10.0.0.1:5080;transport=tcp", "sip:10.0.0.1:transport=tcp", 4),
        ("sip:u@10.0.0.1:50800;lr", "sip:10.0.0.1:lr800", 2),
        ("sip:10.0.0.1;lr?x=y", "sip:10.0.0.1lr", 0),
    ],
)
def test_the_next_hop_is_built_with_the_proxys_own_mistakes(
    destination: str, next_hop: str, undefined: int
) -> None:
    row = only(DestinationRow(1, destination))
    assert (row.next_hop, row.undefined_bytes) == (next_hop, undefined)


@pytest.mark.parametrize(
    ("row", "code", "effect"),
    [
        (
            DestinationRow(1, "sip:u@10.0.0.1;lr"),
            RowCode.BROKEN_NEXT_HOP,
            RowEffect.MISLOADED,
        ),
        (DestinationRow(1, "sip:u@10.0.0.1"), RowCode.PARTS_CUT, RowEffect.SURPRISE),
        (DestinationRow(1, "sip:10.0.0.1;a,b"), RowCode.COMMA, RowEffect.MISLOADED),
        (
            DestinationRow(-1, "sip:10.0.0.1"),
            RowCode.NEGATIVE_SET,
            RowEffect.MISLOADED,
        ),
        (
            DestinationRow(1, "sip:10.0.0.1", state=3),
            RowCode.UNKNOWN_STATE,
            RowEffect.MISLOADED,
        ),
        (
            DestinationRow(1, "sip:10.0.0.1", probe_mode=2),
            RowCode.UNKNOWN_PROBE_MODE,
            RowEffect.MISLOADED,
        ),
        (
            DestinationRow(1, "sip:10.0.0.1", priority=65536),
            RowCode.PRIORITY_CUT,
            RowEffect.MISLOADED,
        ),
        (
            DestinationRow(1, "sip:10.0.0.1", socket="udp:"),
            RowCode.SOCKET_IGNORED,
            RowEffect.MISLOADED,
        ),
        (
            DestinationRow(1, "sip:10.0.0.1", socket="udp:10.9.9.9"),
            RowCode.SOCKET_IGNORED,
            RowEffect.SURPRISE,
        ),
        (
            DestinationRow(1, "sip:10.0.0.1;transport=tcp"),
            RowCode.NO_DEFAULT_PORT,
            RowEffect.SURPRISE,
        ),
        (
            DestinationRow(1, "sip:10.0.0.1;transport=xyz"),
            RowCode.UNKNOWN_TRANSPORT,
            RowEffect.SURPRISE,
        ),
    ],
)
def test_what_is_not_as_written_is_reported_at_the_row(
    row: DestinationRow, code: RowCode, effect: RowEffect
) -> None:
    assert found(row) == {(code, effect)}


def test_an_ordinary_row_has_no_finding() -> None:
    row = DestinationRow(
        1, "sip:10.0.0.1:5060", socket="UDP:127.0.0.1:5060", state=2, probe_mode=1, weight="50"
    )
    assert found(row) == set()


def test_weights_that_sum_above_16_bits_are_reported_once_per_set() -> None:
    rows = [DestinationRow(1, f"sip:10.0.0.{n}", weight="40000") for n in range(3)]
    assert [finding.code for finding in loaded(*rows).findings] == [RowCode.WEIGHTS_OVERFLOW]


def test_the_state_column_is_not_read_without_persistent_state() -> None:
    proxy = Environment(environment().resolve, persistent_state=False)
    result = load([DestinationRow(1, "sip:10.0.0.1", state=1)], proxy)
    assert result.sets[1][0].state is DestinationState.ACTIVE


def test_spaces_at_the_end_of_a_column_do_not_count() -> None:
    row = DestinationRow(1, "sip:10.0.0.1 ", socket="127.0.0.1 ", weight="5 ", attrs="a ", description="b ")
    destination = only(row, "4.0")
    assert (destination.uri, destination.weight, destination.attrs, destination.description) == (
        "sip:10.0.0.1",
        5,
        "a",
        "b",
    )
    assert destination.socket == "udp:127.0.0.1:5060"


def test_a_name_that_nobody_looked_up_loads_without_addresses() -> None:
    result = load([DestinationRow(1, "sip:gw.test")], Environment(lambda _host, _port, _transport: None))
    assert result.sets[1][0].addresses == ()
    assert [finding.code for finding in result.findings] == [RowCode.NAME_NOT_LOOKED_UP]


@given(
    st.lists(
        st.builds(
            DestinationRow,
            setid=st.integers(-3, 3),
            destination=st.text(st.sampled_from("sip:@.;10gw,?[]"), min_size=1, max_size=20).map(
                lambda rest: f"sip:{rest}"
            ),
            socket=st.none() | st.text(max_size=12),
            state=st.integers(-1, 4),
            weight=st.text(max_size=4),
            priority=st.integers(-70000, 70000),
        ),
        max_size=8,
    )
)
def test_every_row_is_loaded_or_counted_as_discarded(rows: list[DestinationRow]) -> None:
    result = loaded(*rows)
    assert result.count + result.discarded == len(rows)
    assert all(0 <= each.weight <= 65535 for members in result.sets.values() for each in members)


@pytest.mark.parametrize(
    ("destination", "next_hop"),
    [
        ("urn:service:gw.test", "urn:service:gw.test"),
        ("urn:service:u@10.0.0.1:5080", "urn:service:10.0.0.1:5080"),
        ("urn:nena:service:u@10.0.0.1", "urn:nena:service:u@10.0.0.1"),
    ],
)
def test_the_service_of_a_urn_is_taken_for_a_host(destination: str, next_hop: str) -> None:
    assert only(DestinationRow(1, destination)).next_hop == next_hop
    assert found(DestinationRow(1, destination)) >= {(RowCode.NOT_SIP, RowEffect.MISLOADED)}
