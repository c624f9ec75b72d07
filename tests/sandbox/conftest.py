"""What the tests of the sandbox share."""

from collections.abc import Callable, Sequence

import pytest

from dialplan.translation.rules import RuleRow
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.probing import ProbingSettings
from dispatcher.routing.rows import DestinationRow
from efcp.releases import Release
from efcp.sandbox.proxy import SandboxProxy, SandboxTables
from tests.sandbox.fixtures import opensips_tables, sandbox

__all__ = ["opensips_tables", "sandbox"]

ROWS = (
    DestinationRow(1, "sip:127.0.0.1:6001", weight="2", attrs="a=1", description="one"),
    DestinationRow(1, "sip:127.0.0.1:6002", state=2, priority=3),
    DestinationRow(2, "sip:127.0.0.1:6003;transport=udp", socket="udp:127.0.0.1:5060", state=1),
)
RULE = RuleRow(
    id=1, dpid=1, match_op=1, match_exp="^00([1-9][0-9]+)$", subst_exp="^00([1-9][0-9]+)$", repl_exp="+\\1"
)
MakeProxy = Callable[..., SandboxProxy]


@pytest.fixture
def rows() -> list[DestinationRow]:
    """The table `dispatcher`, to be changed by a test."""
    return list(ROWS)


@pytest.fixture
def rules() -> list[RuleRow]:
    """The table `dialplan`, to be changed by a test."""
    return [RULE]


@pytest.fixture
def sent() -> list[tuple[str, bytes]]:
    """The datagrams that a proxy sent, each with the socket that it went to."""
    return []


@pytest.fixture
def make_proxy(
    rows: Sequence[DestinationRow], rules: Sequence[RuleRow], sent: list[tuple[str, bytes]]
) -> MakeProxy:
    """Return a function that gives a loaded proxy of a release without sockets."""

    def make(version: str = "3.4.18", threshold: int = 1) -> SandboxProxy:
        environment = Environment(
            lambda *_name: (), listeners=("udp:127.0.0.1:5060",), release=Release.of(version)
        )
        proxy = SandboxProxy(
            ProxyMemory(environment, ProbingSettings(threshold=threshold)),
            SandboxTables(lambda: rows, lambda: rules, "mysql://opensips@127.0.0.1/opensips"),
            version,
            lambda socket, datagram: sent.append((socket, datagram)),
        )
        proxy.reload()
        proxy.reload_dialplan()
        return proxy

    return make


@pytest.fixture
def proxy(make_proxy: MakeProxy) -> SandboxProxy:
    """A loaded proxy of 3.4."""
    return make_proxy()
