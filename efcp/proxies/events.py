"""Events that proxies send: each is a reason to look at once, never taken for the truth.

event_subscribe makes a proxy with event_datagram send E_DISPATCHER_STATUS to the watcher, as one
datagram each. The list stays the truth: an event may say "active" where the list says otherwise.
"""

import ipaddress
import json
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from efcp.mi import MiClient, MiError
from efcp.mi.stream import Deadline, resolve

log = logging.getLogger(__name__)

EVENT = "E_DISPATCHER_STATUS"
EXPIRE_S = 120
"""How long a proxy sends without being asked again: it is asked every half a minute."""

_MAX_DATAGRAM = 65535
_LONGEST_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Subscribed:
    """From which addresses a proxy's events may come; why none will, empty where they do."""

    peers: frozenset[str]
    problem: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """Asks a proxy for its events, to be sent to this address and port."""

    address: str
    port: int

    def __call__(self, client: MiClient) -> Subscribed:
        """Subscribe at the proxy of `client`; a failure is a value: the list counts without it."""
        endpoint = client.endpoint
        try:
            found = resolve(endpoint.host, endpoint.port, Deadline.after(client.timeout))
            peers = frozenset(_plain(str(each.sockaddr[0])) for each in found)
            own = self._own_address(found[0].family, found[0].sockaddr)
            if own is None:
                return Subscribed(frozenset(), "Set EFCP_EVENT_ADDRESS to an address the proxy can reach.")
            client.event_subscribe(EVENT, f"udp:{own}:{self.port}", EXPIRE_S)
        except (MiError, OSError) as error:
            return Subscribed(frozenset(), str(error))
        return Subscribed(peers, "")

    def _own_address(self, family: socket.AddressFamily, peer: tuple[object, ...]) -> str | None:
        """How the proxy reaches this machine; None where it can't."""
        bound = ipaddress.ip_address(self.address)
        if not bound.is_unspecified:
            reaches = not bound.is_loopback or ipaddress.ip_address(str(peer[0])).is_loopback
            return _in_socket(bound) if reaches else None
        with socket.socket(family, socket.SOCK_DGRAM) as towards:
            towards.connect(peer)
            return _in_socket(ipaddress.ip_address(_plain(towards.getsockname()[0])))


class EventReceiver:
    """Listens for events and calls `on_event` with the sender's address; drops those of unknown peers."""

    def __init__(self, address: str, port: int, on_event: Callable[[str], None]) -> None:
        self._address = address
        self._port = port
        self._on_event = on_event
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.peers: frozenset[str] = frozenset()
        """The addresses from which events are taken."""

    def open(self) -> Subscription:
        """Listen, and return what proxies are to be asked. Raises OSError where the port is busy."""
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_DGRAM)
        try:
            listening.bind((self._address, self._port))
        except OSError:
            listening.close()
            raise
        listening.settimeout(_LONGEST_WAIT_S)
        port = int(listening.getsockname()[1])
        self._thread = threading.Thread(target=self._receive, args=(listening,), name="events", daemon=True)
        self._thread.start()
        return Subscription(self._address, port)

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _receive(self, listening: socket.socket) -> None:
        with listening:
            while not self._closing.is_set():
                with suppress(TimeoutError):
                    datagram, sender = listening.recvfrom(_MAX_DATAGRAM)
                    address = _plain(str(sender[0]))
                    if address in self.peers and is_event(datagram):
                        self._on_event(address)


def is_event(datagram: bytes) -> bool:
    """Whether a datagram is the JSON-RPC notification of a destination's change."""
    try:
        message = json.loads(datagram)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("method") == EVENT


def _plain(address: str) -> str:
    """The address without a zone, and as IPv4 where it is one inside of IPv6."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _in_socket(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
