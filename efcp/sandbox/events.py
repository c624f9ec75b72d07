"""What the sandbox reports: events to subscribers, and status and reports (evi, status_report.c).

Events are JSON datagrams to subscribers (event_datagram); `sr_*` read a ring of reports per
identifier.
"""

import contextlib
import json
import math
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from efcp.releases import Release
from efcp.sandbox.jsonrpc import MiRefusalError
from efcp.sandbox.sip import Address, is_loopback

EVENT = "E_DISPATCHER_STATUS"
_EVENTS = (
    "E_CORE_SR_STATUS_CHANGED",
    "E_CORE_THRESHOLD",
    "E_CORE_SHM_THRESHOLD",
    "E_CORE_PKG_THRESHOLD",
    "E_CORE_PROC_AUTO_SCALE",
    "E_CORE_TCP_DISCONNECT",
    "E_MYSQL_CONNECTION",
    EVENT,
    "E_CORE_LOG",
)
_PROFILING_EVENTS = ("E_PROFILING_SCRIPT", "E_PROFILING_PROC")
MAX_SUBSCRIBERS = 64

Send = Callable[[str, bytes], None]
"""Sends one datagram to a socket such as udp:127.0.0.1:9000."""


def published(version: str) -> tuple[str, ...]:
    """The names of the events that a release publishes, in order of their numbers."""
    if not Release.of(version).publishes_profiling:
        return _EVENTS
    before = _EVENTS.index("E_MYSQL_CONNECTION")
    return _EVENTS[:before] + _PROFILING_EVENTS + _EVENTS[before:]


@dataclass(slots=True)
class Subscriber:
    """A socket that an event goes to, for `expire_s` seconds from `subscribed_at` (monotonic)."""

    socket: str
    expire_s: int
    subscribed_at: float

    @property
    def left_s(self) -> int:
        """The seconds left, started ones too; below 0 when they have run out for a second."""
        return math.ceil(self.subscribed_at + self.expire_s - time.monotonic())

    def listed(self) -> dict[str, object]:
        """As subscribers_list gives it."""
        return {"socket": self.socket, "expire": self.expire_s, "ttl": max(self.left_s, 0) or "expired"}


@dataclass(slots=True)
class Events:
    """Events by name and their subscribers, the newest first."""

    names: tuple[str, ...]
    send: Send
    _subscribers: dict[str, list[Subscriber]] = field(init=False, default_factory=dict)

    def subscribe(self, event: str, at: str, expire_s: int) -> None:
        """Send `event` to the socket `at` for `expire_s` seconds; a known socket is renewed."""
        if event not in self.names or datagram_socket(at) is None:
            raise MiRefusalError(400, "Bad parameter value")
        now = time.monotonic()
        for known in self.subscribers(event):
            if known.socket == at:
                known.expire_s, known.subscribed_at = expire_s, now
                return
        if sum(len(each) for each in self._subscribers.values()) >= MAX_SUBSCRIBERS:
            raise MiRefusalError(-32000, "Server error", "Command handler returned null")
        self._subscribers.setdefault(event, []).insert(0, Subscriber(at, expire_s, now))

    def subscribers(self, event: str) -> list[Subscriber]:
        """The subscribers of an event whose time has not run out; raise MiRefusalError for no such event."""
        if event not in self.names:
            raise MiRefusalError(404, "Event not published")
        living = [each for each in self._subscribers.get(event, []) if each.left_s >= 0]
        self._subscribers[event] = living
        return living

    def number(self, event: str) -> int:
        """The number that lists show for an event."""
        return self.names.index(event)

    def raise_event(self, event: str, params: Mapping[str, object]) -> None:
        """Send a notification to each subscriber."""
        notification = {"jsonrpc": "2.0", "method": event, "params": params}
        datagram = json.dumps(notification, separators=(",", ":"), ensure_ascii=False).encode(
            errors="replace"
        )
        for subscriber in self.subscribers(event):
            self.send(subscriber.socket, datagram)


def send(to: str, datagram: bytes) -> None:
    """Send to a socket such as udp:127.0.0.1:9000; what is addressed beyond loopback is dropped.

    A failure is nobody's, as with any datagram.
    """
    peer = datagram_socket(to)
    if peer is None or not is_loopback(peer[0]):
        return
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(datagram, socket.MSG_DONTWAIT, peer)


def datagram_socket(name: str) -> Address | None:
    """The host and port in `udp:host:port`; None for anything else, which nothing can be sent to."""
    transport, _, place = name.partition(":")
    host, _, port = place.rpartition(":")
    if transport != "udp" or not host or not (port.isascii() and port.isdigit() and len(port) <= 5):
        return None
    if not 0 < int(port) < 1 << 16:
        return None
    return "127.0.0.1" if host == "localhost" else host.strip("[]"), int(port)


LOADING_RING = 20
EVENTS_RING = 200
CORE_RING = 10


class Status(IntEnum):
    """The numbers of a status; one below 0 is not ready."""

    NO_DATA = -2
    READY = 1


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One report: when (Unix time), and its text."""

    at: int
    text: str

    def listed(self) -> dict[str, object]:
        """The report as MI lists it."""
        return {"Timestamp": self.at, "Date": time.ctime(self.at), "Log": self.text}


@dataclass(slots=True)
class Identifier:
    """One identifier of a group: its status, details of it where it has any, and its reports."""

    name: str
    reports: deque[ReportLine]
    status: Status = Status.READY
    details: str = ""

    def report(self, text: str) -> None:
        """Add a report; it replaces the oldest one where the ring is full."""
        self.reports.append(ReportLine(int(time.time()), text))

    def listed_status(self) -> dict[str, object]:
        """Readiness and status as MI gives them."""
        status: dict[str, object] = {"Readiness": self.status >= 0, "Status": int(self.status)}
        return status | {"Details": self.details} if self.details else status

    def listed_reports(self) -> list[dict[str, object]]:
        """The reports, the oldest first."""
        return [report.listed() for report in self.reports]


@dataclass(slots=True)
class Loading:
    """The identifier of a partition's table: what its loads reported, and whether there is data."""

    identifier: Identifier = field(
        default_factory=lambda: Identifier(
            "default", deque(maxlen=LOADING_RING), Status.NO_DATA, "no data loaded"
        )
    )

    def report_loaded(self, count: str) -> None:
        """Report a load that succeeded; `count` is the proxy's own line."""
        self.identifier.report("starting DB data loading")
        self.identifier.report("DB data loading successfully completed")
        self.identifier.report(count)
        self.identifier.status, self.identifier.details = Status.READY, "data available"

    def report_failed(self) -> None:
        """Report a load over which the old table was kept."""
        self.identifier.report("starting DB data loading")
        self.identifier.report("DB data loading failed, discarding")


@dataclass(slots=True)
class SandboxReports:
    """The groups `dialplan`, `dispatcher` and `core`, in the proxy's order."""

    dispatcher: Loading = field(default_factory=Loading)
    dialplan: Loading = field(default_factory=Loading)
    events: Identifier = field(
        default_factory=lambda: Identifier("default;events", deque(maxlen=EVENTS_RING))
    )
    core: Identifier = field(
        default_factory=lambda: Identifier("main", deque(maxlen=CORE_RING), details="running")
    )

    def __post_init__(self) -> None:
        self.core.report("initializing")
        self.core.report("initialization completed, ready now")

    def groups(self) -> dict[str, tuple[Identifier, ...]]:
        """The identifiers of each group."""
        return {
            "dialplan": (self.dialplan.identifier,),
            "dispatcher": (self.events, self.dispatcher.identifier),
            "core": (self.core,),
        }

    def report_switched(self, uri: str, setid: int, status: str, reason: str) -> None:
        """Report a change of a destination's flags."""
        self.events.report(f"DESTINATION <{uri}>, set {setid} switched to [{status}] due to {reason}\n")

    def report_not_probed(self, uri: str, setid: int) -> None:
        """Report that a destination is never probed and keeps its state, since it is not on loopback."""
        self.events.report(
            f"DESTINATION <{uri}>, set {setid} is not probed: the sandbox sends to loopback only\n"
        )
