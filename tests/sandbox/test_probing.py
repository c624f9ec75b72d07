"""The running sandbox probes with real SIP over UDP, as the module does."""

import socket
import threading
from collections.abc import Sequence

import pytest

from dispatcher.routing.rows import DestinationRow
from tests.sandbox.fixtures import PATIENCE_S, RunningSandbox, running_sandbox, settings_of, wait_until
from tests.sandbox.gateways import LOOPBACKS, answering, silent

ALWAYS = 1


def reports(sandbox: RunningSandbox) -> list[str]:
    """What the sandbox reported of its destinations, the oldest first."""
    listed = sandbox.call("sr_list_reports", group="dispatcher", identifier="default;events")
    return [report["Log"] for report in listed]


def test_who_does_not_answer_turns_to_probing_and_back_once_an_answer_comes() -> None:
    with (
        silent() as gateway,
        running_sandbox(rows=[DestinationRow(1, gateway.uri, probe_mode=ALWAYS)]) as sandbox,
    ):
        uri, port = gateway.uri, gateway.socket.getsockname()[1]
        assert sandbox.states() == {uri: "Active"}
        sandbox.probe()
        sandbox.wait_for_state(uri, "Probing")
        gateway.socket.close()
        with answering(200, port=port):
            sandbox.probe()
            sandbox.wait_for_state(uri, "Active")
        assert reports(sandbox) == [
            f"DESTINATION <{uri}>, set 1 switched to [inactive] due to negative probing reply\n",
            f"DESTINATION <{uri}>, set 1 switched to [active] due to 200 OK probing reply\n",
        ]


def test_a_bad_code_counts_as_a_failure_towards_the_threshold() -> None:
    settings = settings_of(threshold=2)
    with (
        answering(503) as gateway,
        running_sandbox(settings, [DestinationRow(1, gateway.uri, probe_mode=ALWAYS)]) as sandbox,
    ):
        health = sandbox.process.proxy.memory.sets[1].destinations[0].health
        sandbox.probe()
        wait_until(lambda: health.failures == 1)
        assert sandbox.states() == {gateway.uri: "Active"}
        sandbox.probe()
        sandbox.wait_for_state(gateway.uri, "Probing")


def test_in_probing_mode_1_all_but_inactive_ones_are_probed() -> None:
    with silent() as active, silent() as inactive:
        rows = [DestinationRow(1, active.uri), DestinationRow(1, inactive.uri, state=1)]
        with running_sandbox(settings_of(probing_mode=1), rows) as sandbox:
            sandbox.probe()
            sandbox.wait_for_state(active.uri, "Probing")
            assert sandbox.states()[inactive.uri] == "Inactive"
            assert inactive.received() == []


def test_one_that_is_not_always_probed_is_sent_options_only_while_it_probes() -> None:
    with silent() as active, answering(200) as probing:
        rows = [DestinationRow(1, active.uri), DestinationRow(1, probing.uri, state=2)]
        with running_sandbox(rows=rows) as sandbox:
            sandbox.probe()
            sandbox.wait_for_state(probing.uri, "Active")
            assert active.received() == []


def test_rounds_come_by_themselves_at_the_interval() -> None:
    with (
        answering(200) as gateway,
        running_sandbox(settings_of(ping_interval_s=1), [DestinationRow(1, gateway.uri, state=2)]) as sandbox,
    ):
        sandbox.wait_for_state(gateway.uri, "Active")


def test_the_probe_comes_from_the_listener_that_ds_list_names() -> None:
    with (
        silent() as gateway,
        running_sandbox(rows=[DestinationRow(1, gateway.uri, probe_mode=ALWAYS)]) as sandbox,
    ):
        listener = f"udp:127.0.0.1:{sandbox.process.sip_port}"
        assert sandbox.process.proxy.memory.environment.listeners == (listener,)
        sandbox.probe()
        gateway.socket.settimeout(PATIENCE_S)
        request, sender = gateway.socket.recvfrom(65_535)
        assert sender == ("127.0.0.1", sandbox.process.sip_port)
        assert request.startswith(f"OPTIONS {gateway.uri} SIP/2.0\r\n".encode())


@pytest.mark.parametrize("host", [*LOOPBACKS, "127.0.0.9"])
def test_every_loopback_is_probed(host: str) -> None:
    with (
        answering(200, host) as gateway,
        running_sandbox(rows=[DestinationRow(1, gateway.uri, state=2)]) as sandbox,
    ):
        sandbox.probe()
        sandbox.wait_for_state(gateway.uri, "Active")


def test_who_is_beyond_loopback_keeps_its_state_and_is_named_in_the_reports_once() -> None:
    uri = "sip:192.0.2.1:5060"
    with running_sandbox(rows=[DestinationRow(7, uri, state=2, probe_mode=ALWAYS)]) as sandbox:
        sandbox.probe()
        sandbox.probe()
        assert sandbox.states() == {uri: "Probing"}
        assert reports(sandbox) == [
            f"DESTINATION <{uri}>, set 7 is not probed: the sandbox sends to loopback only\n"
        ]


def test_a_transport_that_the_sandbox_lacks_is_not_sent_to() -> None:
    with silent() as gateway, answering(200) as sent_later:
        tcp = f"{gateway.uri};transport=tcp"
        rows = [DestinationRow(1, tcp, probe_mode=ALWAYS), DestinationRow(2, sent_later.uri, state=2)]
        with running_sandbox(rows=rows) as sandbox:
            sandbox.probe()
            sandbox.wait_for_state(sent_later.uri, "Active")
            assert sandbox.states()[tcp] == "Active"
            assert gateway.received() == []


def test_garbage_on_the_sip_port_stops_nothing() -> None:
    with (
        answering(200) as gateway,
        running_sandbox(rows=[DestinationRow(1, gateway.uri, state=2)]) as sandbox,
    ):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for datagram in (
                b"",
                b"\xff" * 1000,
                b"SIP/2.0 200 OK\r\n\r\n",
                b"OPTIONS sip:a SIP/2.0\r\n\r\n",
            ):
                stranger.sendto(datagram, ("127.0.0.1", sandbox.process.sip_port))
        sandbox.probe()
        sandbox.wait_for_state(gateway.uri, "Active")


def test_probing_goes_on_while_a_table_is_slow_to_load() -> None:
    loading, may_go_on = threading.Event(), threading.Event()
    reloads: list[threading.Thread] = []

    with answering(200) as gateway:

        def slow_after_the_first() -> Sequence[DestinationRow]:
            if reloads:
                loading.set()
                may_go_on.wait(PATIENCE_S)
            return [DestinationRow(1, gateway.uri, state=2)]

        with running_sandbox(rows=slow_after_the_first) as sandbox:
            health = sandbox.process.proxy.memory.sets[1].destinations[0].health
            reloads.append(threading.Thread(target=lambda: sandbox.call("ds_reload")))
            reloads[0].start()
            assert loading.wait(PATIENCE_S)
            sandbox.probe()
            wait_until(lambda: health.active)
            may_go_on.set()
            reloads[0].join(PATIENCE_S)
            assert sandbox.states() == {gateway.uri: "Active"}, "and the reload inherited it"
