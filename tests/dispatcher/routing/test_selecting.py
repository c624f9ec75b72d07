"""Choosing a destination (dispatch.c: ds_select_dst; recorded: selection vectors)."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.destinations import DestinationState
from dispatcher.routing.hashing import Request
from dispatcher.routing.memory import FailoverList, ProxyMemory
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selecting import SelectOptions
from dispatcher.routing.selection import (
    Basis,
    NoSelection,
    Refusal,
    Selection,
    Why,
    parse_flags,
)
from tests.dispatcher.routing.proxies import gateways, memory

REQUEST = Request(
    request_uri="sip:100@pbx.test",
    from_uri="sip:alice@a.test",
    to_uri="sip:100@pbx.test",
    call_id="call-1",
    auth_user="alice",
    hash_value="x",
)
NAMED_LOAD = SelectOptions(load=lambda _: 0, score=lambda _: 0, random=lambda: 12345)


def options(flags: str = "", max_results: int = 1000) -> SelectOptions:
    """What a script gives, with a load, a score and a random number for the algorithms that need one."""
    return replace(NAMED_LOAD, flags=parse_flags(flags), max_results=max_results)


def chosen(proxy: ProxyMemory, algorithm: int, flags: str = "", request: Request = REQUEST) -> Selection:
    """A selection in set 1 that is to succeed."""
    selection = proxy.select(1, algorithm, request, options(flags))
    assert isinstance(selection, Selection)
    return selection


def refused(proxy: ProxyMemory, algorithm: int, flags: str = "", request: Request = REQUEST) -> Refusal:
    """Why a selection in set 1 fails."""
    selection = proxy.select(1, algorithm, request, options(flags))
    assert isinstance(selection, NoSelection)
    return selection.refusal


@st.composite
def proxies(draw: st.DrawFn) -> ProxyMemory:
    """A proxy with one set of 1 to 8 destinations in any states and weights, at least one of them active."""
    count = draw(st.integers(1, 8))
    rows = [
        replace(
            row,
            weight=str(draw(st.sampled_from([0, 1, 2, 50, 40000, 65535]))),
            state=draw(st.integers(0, 2)),
        )
        for row in gateways(count)
    ]
    alive = draw(st.integers(0, count - 1))
    rows[alive] = replace(rows[alive], state=0)
    return memory(*rows)


CALLS = st.builds(
    Request,
    request_uri=st.from_regex(r"sip:[a-z0-9]{0,8}@[a-z]{1,8}(:[1-9][0-9]{1,3})?", fullmatch=True),
    from_uri=st.from_regex(r"sip:[a-z0-9]{1,8}@[a-z]{1,8}", fullmatch=True),
    to_uri=st.from_regex(r"sips?:[a-z0-9]{1,8}@[a-z]{1,8}", fullmatch=True),
    call_id=st.text(max_size=20),
    auth_user=st.none() | st.text(min_size=1, max_size=8),
    hash_value=st.none() | st.text(min_size=1, max_size=8).filter(lambda text: text.strip(" \t\r\n") != ""),
).filter(lambda call: "@" not in call.request_uri[:5])


@given(proxies(), CALLS, st.integers(0, 12))
def test_the_chosen_destination_is_active(proxy: ProxyMemory, call: Request, algorithm: int) -> None:
    selection = chosen(proxy, algorithm, "f", call)
    assert proxy.sets[1].destinations[selection.chosen.index].active


@given(proxies(), CALLS, st.integers(0, 12), st.integers(1, 10))
def test_a_failover_list_holds_every_other_active_destination_once(
    proxy: ProxyMemory, call: Request, algorithm: int, maximum: int
) -> None:
    selection = proxy.select(1, algorithm, call, options("f", maximum))
    assert isinstance(selection, Selection)
    active = {index for index, each in enumerate(proxy.sets[1].destinations) if each.active}
    used = [selection.chosen.index, *selection.failover]
    assert len(used) == len(set(used)) == min(len(active), maximum)
    assert set(used) <= active


@given(proxies(), CALLS, st.integers(0, 12))
def test_every_destination_is_chosen_kept_or_passed_over(
    proxy: ProxyMemory, call: Request, algorithm: int
) -> None:
    selection = proxy.select(1, algorithm, call, options("f", 2))
    assert isinstance(selection, Selection)
    indices = [selection.chosen.index, *selection.failover, *(each.index for each in selection.passed_over)]
    assert sorted(indices) == list(range(len(selection.destinations)))


@given(proxies(), CALLS, st.sampled_from([0, 1, 2, 3, 7]))
def test_a_hash_always_picks_the_same(proxy: ProxyMemory, call: Request, algorithm: int) -> None:
    first = chosen(proxy, algorithm, "f", call)
    proxy.sets[1].last = 0
    assert chosen(proxy, algorithm, "f", call) == first


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6).filter(any))
def test_round_robin_serves_each_destination_as_often_in_a_row_as_its_weight(weights: list[int]) -> None:
    proxy = memory(*(replace(r, weight=str(w)) for r, w in zip(gateways(len(weights)), weights, strict=True)))
    turns = [chosen(proxy, 4).chosen.index for _ in range(3 * sum(max(w, 1) for w in weights))]
    lengths = [max(weight, 1) for weight in weights]
    start = 0 if weights[0] or len(weights) == 1 else 1
    ring = [index for index, length in enumerate(lengths) for _ in range(length)]
    offset = ring.index(start)
    assert turns == [ring[(offset + step) % len(ring)] for step in range(len(turns))]


@pytest.mark.parametrize("weights", [[1, 1], [1, 2, 5], [50, 0, 30, 20]])
def test_shares_follow_the_weights(weights: list[int]) -> None:
    proxy = memory(*(replace(r, weight=str(w)) for r, w in zip(gateways(len(weights)), weights, strict=True)))
    calls = 4000
    counts = Counter(
        chosen(proxy, 0, request=Request(call_id=f"{n * 7919:x}-{n}@host")).chosen.index for n in range(calls)
    )
    for index, weight in enumerate(weights):
        assert abs(counts[index] / calls - weight / sum(weights)) < 0.06


@pytest.mark.parametrize("algorithm", [8, 11, -1, 4711])
def test_first_and_unknown_algorithms_take_the_first_active_entry(algorithm: int) -> None:
    proxy = memory(*gateways(3))
    proxy.set_state(1, "sip:10.0.0.1", DestinationState.INACTIVE)
    selection = chosen(proxy, algorithm, "f")
    assert (selection.candidate.index, selection.chosen.index, selection.failover) == (0, 1, (2,))


def test_a_selection_explains_key_hash_candidate_and_who_was_passed_over() -> None:
    proxy = memory(*gateways(4))
    proxy.set_state(1, "sip:10.0.0.2", DestinationState.INACTIVE)
    proxy.set_state(1, "sip:10.0.0.3", DestinationState.PROBING)
    selection = proxy.select(1, 8, REQUEST, options("f", 1))
    assert isinstance(selection, Selection)
    assert {(each.index, each.why) for each in selection.passed_over} == {
        (1, Why.INACTIVE),
        (2, Why.PROBING),
        (3, Why.BEYOND_MAXIMUM),
    }
    hashed = chosen(proxy, 2)
    assert hashed.keys == (b"100", b"pbx.test")
    assert hashed.candidate.total == 4
    assert hashed.candidate.point == hashed.hash % 4


def test_an_inactive_candidate_is_replaced_among_the_active_ones_by_their_weights() -> None:
    proxy = memory(
        *(replace(row, weight="3") for row in gateways(2)),
        DestinationRow(1, "sip:10.0.0.3", state=1, weight="60000"),
    )
    selection = chosen(proxy, 0)
    assert selection.candidate.index == 2
    assert (selection.chosen.basis, selection.chosen.total) == (Basis.WEIGHTS, 6)


def test_only_the_user_is_hashed_with_the_flag_u() -> None:
    proxy = memory(*gateways(3))
    assert chosen(proxy, 2, "u").keys == (b"100", b"")


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("sip:u@h", b"h"),
        ("sip:u@h:5060", b"h"),
        ("sip:u@h:5061", b"h:5061"),
        ("sips:u@h:5061", b"h:5061"),
        ("sip:u@h:5060;transport=tcp", b"h:5060"),
        ("sip:u@h:", b"h:"),
        ("sip:u@h:0;transport=xyz", b"h"),
        ("sip:u@[::1]:70", b"[::1]:70"),
        ("tel:123", b""),
        ("tel:123:99", b"123"),
    ],
)
def test_the_port_is_part_of_the_key_unless_it_is_the_transports_default(uri: str, key: bytes) -> None:
    assert chosen(memory(*gateways(2)), 3, request=Request(request_uri=uri)).keys[1] == key


def test_a_set_without_active_destinations_refuses() -> None:
    proxy = memory(*(replace(row, state=1) for row in gateways(2)))
    assert refused(proxy, 4) is Refusal.NONE_ACTIVE


@pytest.mark.parametrize("setid", [-1, 2])
def test_an_unknown_or_negative_set_refuses(setid: int) -> None:
    proxy = memory(*gateways(1), DestinationRow(-1, "sip:10.0.0.9"))
    selection = proxy.select(setid, 4, REQUEST, options())
    assert isinstance(selection, NoSelection)
    assert selection.refusal is Refusal.NO_SUCH_SET


def test_a_uri_that_does_not_parse_refuses() -> None:
    assert refused(memory(*gateways(1)), 1, request=Request(from_uri="alice")) is Refusal.BAD_URI


def test_an_unset_hash_variable_is_hashed_as_null_but_an_empty_one_refuses() -> None:
    proxy = memory(*gateways(2))
    assert chosen(proxy, 7, request=Request(hash_value=None)).keys == (b"<null>",)
    assert refused(proxy, 7, request=Request(hash_value=" ")) is Refusal.NO_KEY


@pytest.mark.parametrize(
    ("user", "key"), [("alice@a.test", b"alice"), (" bob ", b"bob"), ("a@", b"a@"), ("@a.test", None)]
)
def test_the_auth_user_is_hashed_up_to_its_domain(user: str, key: bytes | None) -> None:
    selection = chosen(memory(*gateways(2)), 5, request=Request(auth_user=user))
    assert selection.keys == (() if key is None else (key,))


def test_without_an_auth_user_the_last_used_destination_stays() -> None:
    proxy = memory(*gateways(3))
    chosen(proxy, 4)
    chosen(proxy, 4)
    anonymous = Request()
    assert [chosen(proxy, 5, request=anonymous).chosen.index for _ in range(3)] == [1, 1, 1]


def test_other_calls_move_a_round_robin() -> None:
    proxy = memory(*gateways(3))
    chosen(proxy, 4)
    chosen(proxy, 8)
    assert chosen(proxy, 4).chosen.index == 1


def test_the_default_is_last_in_the_failover_list_even_where_it_is_inactive() -> None:
    proxy = memory(*gateways(3))
    proxy.set_state(1, "sip:10.0.0.3", DestinationState.INACTIVE)
    assert chosen(proxy, 8, "fd").failover == (1, 2)


def test_the_default_is_chosen_when_no_other_is_active() -> None:
    proxy = memory(*gateways(3))
    for uri in ("sip:10.0.0.1", "sip:10.0.0.2"):
        proxy.set_state(1, uri, DestinationState.INACTIVE)
    selection = chosen(proxy, 0, "fd")
    assert (selection.chosen.index, selection.chosen.basis, selection.failover) == (2, Basis.DEFAULT, ())


def test_without_the_default_flag_the_last_destination_is_one_like_the_others() -> None:
    proxy = memory(*gateways(2))
    proxy.set_state(1, "sip:10.0.0.1", DestinationState.INACTIVE)
    assert chosen(proxy, 0).chosen.index == 1


@pytest.mark.parametrize("algorithm", [9, 10])
def test_the_lowest_measure_comes_first_and_equal_ones_in_the_sets_order(algorithm: int) -> None:
    measures = {"sip:10.0.0.1": 5, "sip:10.0.0.2": 1, "sip:10.0.0.3": 5, "sip:10.0.0.4": 0}
    proxy = memory(*gateways(4))
    proxy.set_state(1, "sip:10.0.0.4", DestinationState.INACTIVE)
    by_uri = replace(options("f"), load=lambda d: measures[d.uri], score=lambda d: measures[d.uri])
    selection = proxy.select(1, algorithm, REQUEST, by_uri)
    assert isinstance(selection, Selection)
    assert (selection.chosen.index, selection.failover) == (1, (0, 2))
    assert proxy.sets[1].last == 0


@pytest.mark.parametrize(("version", "order"), [("3.4", (1, 0)), ("3.6", (0, 1)), ("4.0", (0, 1))])
def test_a_negative_score_comes_first_before_3_6_and_last_from_then_on(
    version: str, order: tuple[int, int]
) -> None:
    proxy = memory(*gateways(2), version=version)
    scores = replace(options("f"), score=lambda d: -1 if d.uri.endswith("2") else 7)
    selection = proxy.select(1, 10, REQUEST, scores)
    assert isinstance(selection, Selection)
    assert (selection.chosen.index, *selection.failover) == order


@pytest.mark.parametrize("algorithm", [9, 10])
def test_a_sorted_set_of_the_default_alone_refuses(algorithm: int) -> None:
    assert refused(memory(*gateways(1)), algorithm, "d") is Refusal.ONLY_DEFAULT_ACTIVE


def test_without_a_load_pattern_the_first_destination_with_a_weight_is_taken() -> None:
    proxy = memory(replace(gateways(1)[0], weight="0"), DestinationRow(1, "sip:10.0.0.2"))
    selection = proxy.select(1, 9, REQUEST, SelectOptions())
    assert isinstance(selection, Selection)
    assert selection.chosen.index == 1


def test_without_a_score_route_the_selection_fails() -> None:
    selection = memory(*gateways(1)).select(1, 10, REQUEST, SelectOptions())
    assert isinstance(selection, NoSelection)
    assert selection.refusal is Refusal.NO_ROUTE


def test_random_numbers_are_weighed_like_hashes() -> None:
    proxy = memory(*gateways(3))
    numbers = iter([4, 0, 2])
    drawn = replace(options(), random=lambda: next(numbers))
    picks = [proxy.select(1, 6, REQUEST, drawn) for _ in range(3)]
    assert [each.chosen.index for each in picks if isinstance(each, Selection)] == [1, 0, 2]


def test_flags_are_letters_of_either_case() -> None:
    assert parse_flags("F u") == parse_flags("fU")
    with pytest.raises(ValueError, match="x"):
        parse_flags("fx")


def test_first_choices_are_counted_since_the_last_reload() -> None:
    rows = gateways(2)
    proxy = memory(*rows)
    for _ in range(3):
        chosen(proxy, 8, "f")
    assert [each.first_hits for each in proxy.sets[1].destinations] == [3, 0]
    proxy.reload(rows)
    assert [each.first_hits for each in proxy.sets[1].destinations] == [0, 0]


def walked(proxy: ProxyMemory, route: FailoverList) -> list[str]:
    """The next hops that ds_next_dst gives until there are no more."""
    hops = []
    while (following := route.next_hop()) is not None:
        hops.append(following[0])
    return hops


def test_a_failing_call_is_led_through_the_failover_list() -> None:
    proxy, route = memory(*gateways(3)), FailoverList()
    proxy.select(1, 8, REQUEST, options("f"), route)
    assert walked(proxy, route) == ["sip:10.0.0.2", "sip:10.0.0.3"]
    assert route.next_hop() is None


def test_without_failover_there_is_no_next_destination() -> None:
    proxy, route = memory(*gateways(3)), FailoverList()
    proxy.select(1, 8, REQUEST, options(), route)
    assert route.next_hop() is None


def test_a_second_selection_replaces_the_list_and_appends_to_it_with_the_flag_a() -> None:
    proxy = memory(*gateways(2), DestinationRow(2, "sip:10.0.2.1"))
    route = FailoverList()
    proxy.select(1, 8, REQUEST, options("f"), route)
    proxy.select(2, 8, REQUEST, options("f"), route)
    assert route.addresses == ["sip:10.0.2.1"]
    proxy.select(1, 8, REQUEST, options("fa"), route)
    assert route.addresses == ["sip:10.0.0.1", "sip:10.0.0.2", "sip:10.0.2.1"]
