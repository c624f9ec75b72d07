"""The sandbox's memory and what MI may do with it. No sockets here: the frame around it has them."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dialplan.translation import loading as dialplan_loading
from dialplan.translation.rules import Environment as DialplanEnvironment
from dialplan.translation.rules import Rule
from dialplan.translation.translate import NoInformation, Translated, translate
from dispatcher.routing.live import LiveDestination
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.memory import ProxyMemory, UnknownDestinationError
from dispatcher.routing.rows import Row
from dispatcher.routing.states import State, StateChange
from efcp.sandbox.parameters import MiRefusalError
from efcp.sandbox.reports import DispatcherReports

PARTITION = "default"
EVENT = "E_DISPATCHER_STATUS"
STATES = {State.ACTIVE: "Active", State.INACTIVE: "Inactive", State.PROBING: "Probing"}
_SET_STATES = {
    "0": State.INACTIVE,
    "i": State.INACTIVE,
    "1": State.ACTIVE,
    "a": State.ACTIVE,
    "2": State.PROBING,
    "p": State.PROBING,
}
EVENTS = (
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
PROFILING_EVENTS = ("E_PROFILING_SCRIPT", "E_PROFILING_PROC")
"""What 4.0 publishes besides, before E_MYSQL_CONNECTION."""
MAX_SUBSCRIBERS = 64


@dataclass(frozen=True, slots=True)
class Tables:
    """Where the rows come from, each read anew when it is loaded."""

    dispatcher: Callable[[], Sequence[Row]]
    dialplan: Callable[[], Sequence[Rule]]
    database_url: str


@dataclass(slots=True)
class Subscriber:
    """A socket that events go to, until `expires_at` (monotonic seconds)."""

    socket: str
    expire_s: int
    expires_at: float


@dataclass(slots=True)
class SandboxProxy:
    """One proxy with the partition `default` of both modules.

    `send_event` is handed a subscriber's socket ("udp:127.0.0.1:9000") and the datagram.
    """

    memory: ProxyMemory
    tables: Tables
    version: str
    send_event: Callable[[str, bytes], None] = lambda _socket, _datagram: None
    reports: DispatcherReports = field(default_factory=DispatcherReports)
    dialplans: dialplan_loading.Loaded | None = None
    subscribers: list[Subscriber] = field(default_factory=list)
    script_attrs: dict[tuple[int, str], str] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def events(self) -> tuple[str, ...]:
        """The names of the events that this release publishes, in order of their numbers."""
        if not self.version.startswith("4."):
            return EVENTS
        before = EVENTS.index("E_MYSQL_CONNECTION")
        return EVENTS[:before] + PROFILING_EVENTS + EVENTS[before:]

    def reload(self, *, inherit_state: bool = True) -> None:
        """Load the table `dispatcher`; raise MiRefusalError and keep the old one where that fails."""
        try:
            loaded = self.memory.reload(self.tables.dispatcher(), inherit_state=inherit_state)
        except LoadBrokenError:
            self.reports.tell_load_failed()
            raise MiRefusalError(500, "ERROR Reloading data") from None
        if not inherit_state:
            self.script_attrs.clear()
        self.reports.tell_loaded(loaded.count, loaded.discarded)

    def reload_dialplan(self) -> None:
        """Load the table `dialplan`; raise MiRefusalError and keep the old rules where that fails."""
        loaded = dialplan_loading.load(self.tables.dialplan(), DialplanEnvironment())
        if not isinstance(loaded, dialplan_loading.Loaded):
            raise MiRefusalError(-32000, "Server error", "Command handler returned null")
        self.dialplans = loaded

    def set_state(self, state: str, group: str, address: str) -> None:
        """ds_set_state: the first letter of `state` counts, `group` is `[partition:]set`."""
        wanted = _SET_STATES.get(state[:1].lower())
        if wanted is None:
            raise MiRefusalError(500, "Bad state value")
        partition, colon, setid = group.rpartition(":")
        if colon and partition.strip() != PARTITION:
            raise MiRefusalError(404, "ERROR Unknown partition")
        if not (setid.isascii() and setid.isdigit()):
            raise MiRefusalError(500, "bad group value")
        try:
            changes = self.memory.set_state(int(setid), address, wanted)
        except UnknownDestinationError:
            raise MiRefusalError(404, "destination not found") from None
        self.announce(changes)

    def announce(self, changes: Sequence[StateChange]) -> None:
        """Report changes of flags, and raise E_DISPATCHER_STATUS for each."""
        for change in changes:
            self.reports.tell_switched(change.address, change.setid, change.status, change.reason)
            datagram = {
                "jsonrpc": "2.0",
                "method": EVENT,
                "params": {
                    "group": change.setid,
                    "address": change.address,
                    "status": change.status,
                    "reason": change.reason,
                },
            }
            encoded = json.dumps(datagram, separators=(",", ":"), ensure_ascii=False).encode()
            for subscriber in self.living_subscribers():
                self.send_event(subscriber.socket, encoded)

    def subscribe(self, event: str, socket: str, expire_s: int) -> None:
        """Send `event` to `socket` for `expire_s` seconds; a known socket is renewed."""
        if event not in self.events:
            raise MiRefusalError(404, "Event not published")
        self.subscribers = [each for each in self.living_subscribers() if each.socket != socket]
        if event != EVENT:
            return
        if len(self.subscribers) >= MAX_SUBSCRIBERS:
            raise MiRefusalError(500, "Cannot add subscriber")
        self.subscribers.append(Subscriber(socket, expire_s, time.monotonic() + expire_s))

    def living_subscribers(self) -> list[Subscriber]:
        """The subscribers whose time has not run out."""
        return [each for each in self.subscribers if each.expires_at > time.monotonic()]

    def push_script_attrs(self, attrs: str, ip: str, port: int, setid: int) -> None:
        """Give script attributes to the destinations of a set at an address."""
        if not attrs:
            raise MiRefusalError(500, "Bad attrs value")
        live = self.memory.sets.get(setid)
        wanted = f"{ip}:{port}"
        found = [each for each in (live.destinations if live else ()) if wanted in each.loaded.addresses]
        if not found:
            raise MiRefusalError(404, "destination not found")
        for each in found:
            self.script_attrs[setid, each.loaded.uri] = attrs

    def listed(self, *, full: bool) -> dict[str, Any]:
        """The result of ds_list; a table without sets has no SETS."""
        sets = [
            {"id": setid, "Destinations": [self._destination(setid, each, full) for each in destinations]}
            for setid, destinations in self.memory.listed()
        ]
        partition = {"name": PARTITION} | ({"SETS": sets} if sets else {})
        return {"PARTITIONS": [partition]}

    def _destination(self, setid: int, each: LiveDestination, full: bool) -> dict[str, object]:
        loaded = each.loaded
        told: dict[str, object] = {
            "URI": loaded.uri,
            "state": STATES[each.health.state],
            "first_hit_counter": each.first_hits,
        }
        if loaded.socket:
            told["socket"] = loaded.socket
        if loaded.attrs:
            told["attr"] = loaded.attrs
        if script_attrs := self.script_attrs.get((setid, loaded.uri)):
            told["script_attr"] = script_attrs
        if full:
            told |= {"weight": loaded.weight, "priority": loaded.priority}
            if loaded.description:
                told["description"] = loaded.description
        told["resolved_addresses"] = list(loaded.addresses)
        return told

    def translated(self, dpid: int, subject: str) -> dict[str, str]:
        """The result of dp_translate."""
        if not subject:
            raise MiRefusalError(404, "Empty input parameter")
        dialplans = self.dialplans.dialplans if self.dialplans else {}
        now = int(datetime.now(UTC).timestamp())
        outcome = translate(dialplans, dpid, subject.encode(), now).outcome
        if isinstance(outcome, NoInformation):
            raise MiRefusalError(404, "No information available for dpid")
        if not isinstance(outcome, Translated):
            raise MiRefusalError(404, "No translation")
        return {
            "Output": outcome.output.decode(errors="replace"),
            "ATTRIBUTES": outcome.attributes.decode(errors="replace"),
        }
