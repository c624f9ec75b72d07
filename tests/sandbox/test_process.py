"""Starting and ending the running sandbox."""

import socket

import pytest

from efcp.sandbox.process import PortBusyError
from tests.sandbox.fixtures import running_sandbox, settings_of


@pytest.mark.parametrize(
    ("kind", "setting", "name"),
    [(socket.SOCK_STREAM, "mi_port", "MI port"), (socket.SOCK_DGRAM, "sip_port", "SIP port")],
)
def test_a_busy_port_is_one_line(kind: socket.SocketKind, setting: str, name: str) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortBusyError, match=f"The sandbox's {name} {port} is busy"),
            running_sandbox(settings_of(**{setting: port}), rows=[]),
        ):
            pass


def test_a_gateway_whose_port_is_taken_keeps_the_sandbox_from_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with running_sandbox(rows=[], gateways={taken.getsockname()[1]: True}) as sandbox:
            assert sandbox.states() == {}


def test_its_ports_are_free_again_after_the_end() -> None:
    with running_sandbox(rows=[]) as sandbox:
        mi_port, sip_port = sandbox.process.mi_port, sandbox.process.sip_port
    for kind, port in ((socket.SOCK_STREAM, mi_port), (socket.SOCK_DGRAM, sip_port)):
        with socket.socket(socket.AF_INET, kind) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(("127.0.0.1", port))
