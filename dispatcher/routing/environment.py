"""What a preview assumes of a proxy: its release, modules and sockets, and the names that it resolves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from efcp.releases import OLDEST, Release

_DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "sctp": 5060, "ws": 80, "wss": 443}

Resolve = Callable[[str, int | None, str], Sequence[str] | None]
"""Addresses of (host, port or None, transport) as text; empty for no such name, None where nobody asked."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The proxy that is reasoned about.

    `listeners` are its sockets as ds_list shows them ("udp:127.0.0.1:5060"); `transports` the protocol
    modules that it has loaded; without `persistent_state` the column `state` is not read.
    """

    resolve: Resolve
    listeners: tuple[str, ...] = ()
    transports: frozenset[str] = frozenset({"udp"})
    release: Release = OLDEST
    persistent_state: bool = True

    def default_port(self, transport: str) -> int:
        """The port of `transport`, 0 where its module is not loaded."""
        return _DEFAULT_PORTS.get(transport, 0) if transport in self.transports else 0
