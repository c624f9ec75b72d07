"""Environments and rows that the tests of the routing core build on."""

from dispatcher.routing.environment import Environment
from dispatcher.routing.loading import LoadedSets, load
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.probing import ProbingSettings
from dispatcher.routing.rows import DestinationRow
from efcp.releases import Release

NAMES = {"gw.test": ("10.7.7.7",), "six.test": ("2001:db8::7", "10.7.7.8")}


def resolve(host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
    """The names that the tests' resolver knows."""
    return NAMES.get(host.lower(), ())


def environment(version: str = "3.4", transports: frozenset[str] = frozenset({"udp"})) -> Environment:
    """A proxy of a release, with its sockets on loopback."""
    listeners = ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "udp:[::1]:5070")
    return Environment(resolve, listeners, transports, Release.of(version))


def loaded(*rows: DestinationRow, version: str = "3.4") -> LoadedSets:
    """What a proxy of a release makes of rows."""
    return load(rows, environment(version))


def memory(
    *rows: DestinationRow, threshold: int = 1, version: str = "3.4", everything: bool = False
) -> ProxyMemory:
    """A proxy that has just loaded rows."""
    proxy = ProxyMemory(environment(version), ProbingSettings(threshold=threshold, everything=everything))
    proxy.reload(rows)
    return proxy


def gateways(count: int, setid: int = 1) -> list[DestinationRow]:
    """Rows of one set, in the order in which they are preferred: sip:10.0.0.1, sip:10.0.0.2, and so on."""
    return [DestinationRow(setid, f"sip:10.0.0.{number}") for number in range(1, count + 1)]
