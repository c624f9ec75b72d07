"""Who is probed, and what an answer means (dispatch.c: ds_check_timer; recorded: probing vectors)."""

from dataclasses import replace

import pytest

from dispatcher.routing.destinations import DestinationState, FlagChange
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.probing import Probe, ProbingSettings
from dispatcher.routing.rows import DestinationRow
from tests.dispatcher.routing.proxies import environment, memory

ROWS = [
    DestinationRow(1, f"sip:10.0.{state}.{mode}", state=state, probe_mode=mode)
    for state in range(3)
    for mode in range(2)
]


def proxy_with(row: DestinationRow, settings: ProbingSettings, version: str = "3.4") -> ProxyMemory:
    """A proxy with one destination."""
    proxy = ProxyMemory(environment(version), settings)
    proxy.reload([row])
    return proxy


def state(proxy: ProxyMemory) -> DestinationState:
    """The state of its first destination."""
    return proxy.sets[1].destinations[0].health.state


def answered(row: DestinationRow, settings: ProbingSettings, *codes: int | None) -> DestinationState:
    """The state after rounds of probing, one answer in each."""
    proxy = proxy_with(row, settings)
    for code in codes:
        (probe,) = proxy.due_probes()
        proxy.on_reply(probe, code)
    return state(proxy)


ALWAYS = DestinationRow(1, "sip:10.0.0.1", probe_mode=1)
WHILE_PROBING = DestinationRow(1, "sip:10.0.0.1", state=2)


def test_probing_and_always_probed_destinations_are_probed_and_inactive_ones_never() -> None:
    due = {probe.uri for probe in memory(*ROWS).due_probes()}
    assert due == {"sip:10.0.0.1", "sip:10.0.2.0", "sip:10.0.2.1"}


def test_in_mode_1_all_but_the_inactive_are_probed() -> None:
    due = {probe.uri for probe in memory(*ROWS, everything=True).due_probes()}
    assert due == {"sip:10.0.0.0", "sip:10.0.0.1", "sip:10.0.2.0", "sip:10.0.2.1"}


def test_only_the_sets_of_the_probing_list_are_probed() -> None:
    proxy = ProxyMemory(environment(), ProbingSettings(everything=True, sets=frozenset({2})))
    proxy.reload([DestinationRow(1, "sip:10.0.0.1"), DestinationRow(2, "sip:10.0.0.2")])
    assert [probe.setid for probe in proxy.due_probes()] == [2]


@pytest.mark.parametrize("code", [None, 408, 404, 503, 301, 202, 299])
def test_a_bad_answer_counts_against_an_always_probed_destination(code: int | None) -> None:
    assert answered(ALWAYS, ProbingSettings(threshold=2), code) is DestinationState.ACTIVE
    assert answered(ALWAYS, ProbingSettings(threshold=2), code, code) is DestinationState.PROBING


def test_a_good_answer_resets_the_failures() -> None:
    assert answered(ALWAYS, ProbingSettings(threshold=2), None, 200, None) is DestinationState.ACTIVE


@pytest.mark.parametrize("code", [200, 404])
def test_200_and_the_chosen_codes_make_active(code: int) -> None:
    settings = ProbingSettings(reply_codes=frozenset({404}))
    assert answered(WHILE_PROBING, settings, code) is DestinationState.ACTIVE


@pytest.mark.parametrize("code", [201, 202, 299])
def test_another_2xx_is_no_good_answer(code: int) -> None:
    assert answered(WHILE_PROBING, ProbingSettings(), code) is DestinationState.PROBING


def test_408_among_the_chosen_codes_makes_active_and_counts_a_failure_at_once() -> None:
    settings = ProbingSettings(reply_codes=frozenset({408}))
    assert answered(ALWAYS, settings, None) is DestinationState.PROBING
    assert answered(WHILE_PROBING, settings, None) is DestinationState.ACTIVE


def test_a_probe_leaves_from_the_destination_s_socket_and_its_failure_is_a_change() -> None:
    socket = "udp:127.0.0.1:5060"
    proxy = proxy_with(replace(ALWAYS, socket=socket), ProbingSettings())
    (probe,) = proxy.due_probes()
    assert probe == Probe(1, "sip:10.0.0.1", socket, always=True)
    assert proxy.on_reply(probe, 503) == [
        FlagChange(
            1,
            "sip:10.0.0.1",
            DestinationState.ACTIVE,
            DestinationState.PROBING,
            "inactive",
            "negative probing reply",
        )
    ]


def test_a_late_good_answer_makes_active_what_was_set_inactive_meanwhile() -> None:
    proxy = proxy_with(ALWAYS, ProbingSettings())
    (probe,) = proxy.due_probes()
    proxy.set_state(1, ALWAYS.destination or "", DestinationState.INACTIVE)
    (change,) = proxy.on_reply(probe, 200)
    assert (state(proxy), change.reason) == (DestinationState.ACTIVE, "200 OK probing reply")


def test_a_late_bad_answer_leaves_an_inactive_destination_alone() -> None:
    proxy = proxy_with(ALWAYS, ProbingSettings())
    (probe,) = proxy.due_probes()
    proxy.set_state(1, ALWAYS.destination or "", DestinationState.INACTIVE)
    assert proxy.on_reply(probe, None) == []
    assert state(proxy) is DestinationState.INACTIVE


def test_an_answer_for_a_destination_that_is_gone_changes_nothing() -> None:
    proxy = proxy_with(ALWAYS, ProbingSettings())
    (probe,) = proxy.due_probes()
    proxy.reload([])
    assert proxy.on_reply(probe, None) == []


@pytest.mark.parametrize(
    ("version", "after"), [("3.4", DestinationState.ACTIVE), ("3.6", DestinationState.PROBING)]
)
def test_a_probe_that_cannot_be_sent_counts_as_a_failure_from_3_6_on(
    version: str, after: DestinationState
) -> None:
    proxy = proxy_with(ALWAYS, ProbingSettings(), version)
    (probe,) = proxy.due_probes()
    reasons = [change.reason for change in proxy.on_unsent(probe)]
    assert state(proxy) is after
    assert reasons == ([] if after is DestinationState.ACTIVE else ["failed to send probe"])


def test_a_destination_that_is_not_always_probed_stays_probing_until_a_good_answer() -> None:
    assert answered(WHILE_PROBING, ProbingSettings(), None, 503, 486) is DestinationState.PROBING


def test_a_provisional_answer_alone_is_no_answer() -> None:
    assert answered(ALWAYS, ProbingSettings(reply_codes=frozenset({180})), 180) is DestinationState.PROBING
