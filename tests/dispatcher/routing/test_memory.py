"""States, failure counts and reloads in a proxy's memory (dispatch.c: _ds_set_state, ds_reload_db)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.destinations import DestinationState, FlagChange, StateFlag, state_of_word
from dispatcher.routing.hashing import Request
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.memory import FailoverList, ProxyMemory, UnknownDestinationError, UnsavedState
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selecting import SelectOptions
from dispatcher.routing.selection import parse_flags
from tests.dispatcher.routing.proxies import gateways, memory

FIRST = "sip:10.0.0.1"


def state(proxy: ProxyMemory, index: int = 0, setid: int = 1) -> DestinationState:
    """The state of a destination."""
    return proxy.sets[setid].destinations[index].health.state


def statuses(changes: list[FlagChange]) -> list[str]:
    """What E_DISPATCHER_STATUS would say."""
    return [change.status for change in changes]


@pytest.mark.parametrize(
    ("before", "to", "after", "events"),
    [
        (DestinationState.ACTIVE, DestinationState.ACTIVE, DestinationState.ACTIVE, []),
        (DestinationState.ACTIVE, DestinationState.INACTIVE, DestinationState.INACTIVE, ["inactive"]),
        (DestinationState.ACTIVE, DestinationState.PROBING, DestinationState.PROBING, ["inactive"]),
        (DestinationState.INACTIVE, DestinationState.ACTIVE, DestinationState.ACTIVE, ["active"]),
        (DestinationState.INACTIVE, DestinationState.INACTIVE, DestinationState.INACTIVE, []),
        (DestinationState.INACTIVE, DestinationState.PROBING, DestinationState.ACTIVE, ["active"]),
        (DestinationState.PROBING, DestinationState.ACTIVE, DestinationState.ACTIVE, ["active"]),
        (
            DestinationState.PROBING,
            DestinationState.INACTIVE,
            DestinationState.INACTIVE,
            ["inactive", "active"],
        ),
        (DestinationState.PROBING, DestinationState.PROBING, DestinationState.PROBING, []),
    ],
)
def test_setting_a_state_at_threshold_1(
    before: DestinationState, to: DestinationState, after: DestinationState, events: list[str]
) -> None:
    proxy = memory(DestinationRow(1, FIRST, state=before))
    changes = proxy.set_state(1, FIRST, to)
    assert (state(proxy), statuses(changes)) == (after, events)


def test_probing_counts_one_failure_towards_the_threshold() -> None:
    proxy = memory(*gateways(1), threshold=3)
    states = []
    for _ in range(3):
        proxy.set_state(1, FIRST, DestinationState.PROBING)
        states.append(state(proxy))
    assert states == [DestinationState.ACTIVE, DestinationState.ACTIVE, DestinationState.PROBING]


def test_setting_active_leaves_the_failure_count_so_that_one_more_failure_is_enough() -> None:
    proxy = memory(*gateways(1), threshold=3)
    for _ in range(3):
        proxy.set_state(1, FIRST, DestinationState.PROBING)
    proxy.set_state(1, FIRST, DestinationState.ACTIVE)
    proxy.set_state(1, FIRST, DestinationState.PROBING)
    assert state(proxy) is DestinationState.PROBING


def test_a_destination_is_found_in_any_case_and_named_as_requested() -> None:
    proxy = memory(DestinationRow(1, "sip:GW.test:5060"))
    (change,) = proxy.set_state(1, "SIP:gw.TEST:5060", DestinationState.INACTIVE)
    assert change == FlagChange(
        1, "SIP:gw.TEST:5060", DestinationState.ACTIVE, DestinationState.INACTIVE, "inactive", "MI command"
    )


def test_of_two_rows_with_one_uri_the_first_changes() -> None:
    proxy = memory(DestinationRow(1, FIRST), DestinationRow(1, FIRST.upper()))
    proxy.set_state(1, FIRST, DestinationState.INACTIVE)
    proxy.set_state(1, FIRST, DestinationState.INACTIVE)
    assert (state(proxy, 0), state(proxy, 1)) == (DestinationState.INACTIVE, DestinationState.ACTIVE)


@pytest.mark.parametrize(("setid", "uri"), [(2, FIRST), (1, "sip:10.0.0.9"), (-1, "sip:10.0.0.9")])
def test_an_unknown_destination_or_a_negative_set_is_not_found(setid: int, uri: str) -> None:
    proxy = memory(*gateways(1), DestinationRow(-1, "sip:10.0.0.9"))
    with pytest.raises(UnknownDestinationError):
        proxy.set_state(setid, uri, DestinationState.INACTIVE)


def test_a_reload_inherits_states_by_set_and_uri_and_forgets_failures() -> None:
    proxy = memory(*gateways(2), threshold=2)
    proxy.set_state(1, FIRST, DestinationState.INACTIVE)
    proxy.set_state(1, "sip:10.0.0.2", DestinationState.PROBING)
    proxy.reload(
        [DestinationRow(1, "SIP:10.0.0.1"), DestinationRow(1, "sip:10.0.0.2"), DestinationRow(2, FIRST)]
    )
    assert (state(proxy), state(proxy, 0, setid=2)) == (DestinationState.INACTIVE, DestinationState.ACTIVE)
    proxy.set_state(1, "sip:10.0.0.2", DestinationState.PROBING)
    assert state(proxy, 1) is DestinationState.ACTIVE


def test_a_state_edited_in_the_table_does_nothing_unless_states_are_not_inherited() -> None:
    proxy = memory(DestinationRow(1, FIRST))
    proxy.reload([DestinationRow(1, FIRST, state=1)])
    assert state(proxy) is DestinationState.ACTIVE
    proxy.reload([DestinationRow(1, FIRST, state=1)], inherit_state=False)
    assert state(proxy) is DestinationState.INACTIVE


def test_two_equal_rows_inherit_the_state_of_the_first_former_one() -> None:
    rows = [DestinationRow(1, FIRST), DestinationRow(1, FIRST)]
    proxy = memory(*rows)
    proxy.set_state(1, FIRST, DestinationState.INACTIVE)
    proxy.reload(rows)
    assert (state(proxy, 0), state(proxy, 1)) == (DestinationState.INACTIVE, DestinationState.INACTIVE)


def test_a_reload_that_breaks_changes_nothing() -> None:
    proxy = memory(*gateways(2))
    with pytest.raises(LoadBrokenError):
        proxy.reload([DestinationRow(2, "sip:10.0.0.3"), DestinationRow(2, "")])
    assert [each.loaded.uri for each in proxy.sets[1].destinations] == [FIRST, "sip:10.0.0.2"]


def test_changed_states_are_due_to_be_saved_once_also_after_a_reload() -> None:
    rows = gateways(2)
    proxy = memory(*rows)
    assert proxy.take_unsaved() == []
    proxy.set_state(1, FIRST, DestinationState.INACTIVE)
    proxy.reload(rows)
    assert proxy.take_unsaved() == [UnsavedState(1, FIRST, DestinationState.INACTIVE)]
    assert proxy.take_unsaved() == []


def marked(rows: list[DestinationRow], hop: int, threshold: int = 1) -> ProxyMemory:
    """A proxy where the destination at place `hop` of a failover list was marked as probing."""
    proxy, route = memory(*rows, threshold=threshold), FailoverList()
    proxy.select(1, 8, Request(), SelectOptions(flags=parse_flags("f")), route)
    for _ in range(hop):
        route.next_hop()
    proxy.mark(route, DestinationState.PROBING)
    return proxy


@pytest.mark.parametrize("hop", [0, 1])
def test_a_failing_destination_is_marked_as_the_call_goes_on(hop: int) -> None:
    proxy = marked(gateways(2), hop)
    assert [state(proxy, index) for index in range(2)].index(DestinationState.PROBING) == hop


def test_the_first_choice_is_found_by_its_uri_but_one_of_the_failover_list_only_by_its_next_hop() -> None:
    rows = [DestinationRow(1, "sip:u@10.0.0.1"), DestinationRow(1, "sip:u@10.0.0.2")]
    assert state(marked(rows, 0)) is DestinationState.PROBING
    with pytest.raises(UnknownDestinationError):
        marked(rows, 1)


def test_a_call_without_a_failover_list_can_mark_nothing() -> None:
    proxy, route = memory(*gateways(1)), FailoverList()
    proxy.select(1, 8, Request(), SelectOptions(), route)
    with pytest.raises(UnknownDestinationError):
        proxy.mark(route)


def test_marking_without_a_state_sets_inactive_by_the_script() -> None:
    proxy, route = memory(*gateways(1)), FailoverList()
    proxy.select(1, 8, Request(), SelectOptions(flags=parse_flags("f")), route)
    assert proxy.mark(route) == [
        FlagChange(
            1,
            FIRST,
            DestinationState.ACTIVE,
            DestinationState.INACTIVE,
            "inactive",
            "script function ds_mark()",
        )
    ]


def test_each_next_hop_comes_with_its_socket_and_an_added_selection_comes_first() -> None:
    socket = "udp:127.0.0.1:5060"
    proxy = memory(
        *(replace(row, socket=socket) for row in gateways(2)),
        *(DestinationRow(2, f"sip:10.0.1.{number}") for number in (1, 2)),
    )
    route = FailoverList()
    for setid, flags in ((1, "f"), (2, "fa")):
        proxy.select(setid, 8, Request(), SelectOptions(flags=parse_flags(flags)), route)

    assert (route.setid, route.addresses) == (2, ["sip:10.0.1.1", "sip:10.0.1.2", FIRST, "sip:10.0.0.2"])
    assert route.next_hop() == ("sip:10.0.1.2", None)
    assert route.next_hop() == (FIRST, socket)
    assert route.next_hop() == ("sip:10.0.0.2", None)
    assert route.next_hop() is None


def test_what_is_saved_of_a_state_leaves_its_other_flags() -> None:
    proxy = memory(*gateways(1))
    proxy.set_state(1, FIRST, DestinationState.INACTIVE)
    marks = proxy.sets[1].destinations[0].health.marks
    assert proxy.take_unsaved() == [UnsavedState(1, FIRST, DestinationState.INACTIVE)]
    assert proxy.sets[1].destinations[0].health.marks == marks & ~StateFlag.UNSAVED


def test_destinations_are_counted_by_state() -> None:
    proxy = memory(*(replace(row, state=n) for n, row in enumerate(gateways(3))))
    assert proxy.count(1) == 3
    assert proxy.count(1, [DestinationState.ACTIVE]) == 1
    assert proxy.count(1, [DestinationState.INACTIVE, DestinationState.PROBING]) == 2
    with pytest.raises(UnknownDestinationError):
        proxy.count(2)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("0", DestinationState.INACTIVE),
        ("1", DestinationState.ACTIVE),
        ("2", DestinationState.PROBING),
        ("Inactive", DestinationState.INACTIVE),
        ("a", DestinationState.ACTIVE),
        ("probing", DestinationState.PROBING),
        ("x", None),
        ("", None),
    ],
)
def test_the_first_letter_of_a_state_counts_and_its_numbers_are_not_the_columns(
    word: str, state: DestinationState | None
) -> None:
    assert state_of_word(word) is state


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(DestinationState)), max_size=30), st.integers(1, 3)
)
def test_the_set_always_knows_how_many_are_active(
    moves: list[tuple[int, DestinationState]], threshold: int
) -> None:
    proxy = memory(*gateways(3), threshold=threshold)
    for index, to in moves:
        proxy.set_state(1, f"sip:10.0.0.{index + 1}", to)
        live = proxy.sets[1]
        assert live.calls.count == proxy.count(1, [DestinationState.ACTIVE])
        assert live.calls.sums[-1] == live.calls.count
