"""What the reasoning is told of a proxy: its release, its modules, its sockets, the names around it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "sctp": 5060, "ws": 80, "wss": 443}

Resolve = Callable[[str, int | None, str], Sequence[str] | None]
"""Addresses of (host, port or None, transport) as text; empty for no such name, None where nobody asked."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The proxy that is reasoned about.

    `listeners` are its sockets as ds_list shows them ("udp:127.0.0.1:5060"); `transports` the protocol
    modules that it has loaded; `version` its release ("3.4", "3.6", "4.0.1"); without `persistent_state` the
    column `state` is not read.
    """

    resolve: Resolve
    listeners: tuple[str, ...] = ()
    transports: frozenset[str] = frozenset({"udp"})
    version: str = "3.4"
    persistent_state: bool = True

    def is_at_least(self, major: int, minor: int) -> bool:
        """Whether the release is `major.minor` or a later one."""
        own_major, _, rest = self.version.partition(".")
        return (int(own_major), int(rest.partition(".")[0] or 0)) >= (major, minor)

    @property
    def refuses_bad_weights(self) -> bool:
        """Whether a weight that is no number breaks the whole reload (from 3.6 on)."""
        return self.is_at_least(3, 6)

    def default_port(self, transport: str) -> int:
        """The port of `transport`, 0 where its module is not loaded."""
        return _DEFAULT_PORTS.get(transport, 0) if transport in self.transports else 0
