"""The sandbox's memory and what MI may do with it. No sockets here: the frame around it has them.

MI is served by one thread, probing by another: `guard` keeps the memory to one of them at a time. Tables are
read, and names looked up, without it, so that probing goes on meanwhile.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dialplan.translation import loading as dialplan_loading
from dialplan.translation.rules import DialplanEnvironment, RuleRow
from dialplan.translation.translate import NoInformation, Translated, translate
from dispatcher.routing.destinations import DestinationState, FlagChange, LiveDestination
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.memory import ProxyMemory, UnknownDestinationError, UnsavedState
from dispatcher.routing.probing import Probe
from dispatcher.routing.rows import DestinationRow
from efcp.mi import as_text
from efcp.sandbox.events import EVENT, Events, SandboxReports, Send, published
from efcp.sandbox.jsonrpc import MiRefusalError
from efcp.sandbox.sip import Address, address_and_port
from efcp.sip import address as ip
from efcp.sip.uri import parse

PARTITION = "default"
ANY_SET = -1
STATES = {
    DestinationState.ACTIVE: "Active",
    DestinationState.INACTIVE: "Inactive",
    DestinationState.PROBING: "Probing",
}


class TablesUnreadableError(Exception):
    """The database does not hand out the rows now, or takes no states."""


@dataclass(frozen=True, slots=True)
class SandboxTables:
    """Where the rows come from, read again at each load, and where changed states go to.

    Each raises TablesUnreadableError.
    """

    dispatcher: Callable[[], Sequence[DestinationRow]]
    dialplan: Callable[[], Sequence[RuleRow]]
    database_url: str
    save: Callable[[Sequence[UnsavedState]], object] = lambda _states: None


@dataclass(frozen=True, slots=True)
class DueProbe:
    """A probe, and the address and port that it goes to; port 0 where nothing can be sent, as over TCP."""

    probe: Probe
    peer: Address


class SandboxProxy:
    """One proxy with the partition `default` of both modules."""

    def __init__(self, memory: ProxyMemory, tables: SandboxTables, version: str, send_event: Send) -> None:
        self.memory = memory
        self.tables = tables
        self.version = version
        self.events = Events(published(version), send_event)
        self.reports = SandboxReports()
        self.started_at = datetime.now(UTC)
        self.guard = threading.RLock()
        self._dialplans: dialplan_loading.LoadedDialplans | None = None
        self._script_attrs: dict[tuple[int, int], str] = {}

    def reload(self, *, inherit_state: bool = True) -> None:
        """Load the table `dispatcher`; raise MiRefusalError and keep the old one where that fails."""
        try:
            rows = self.tables.dispatcher()
            with self.guard:
                loaded = self.memory.reload(rows, inherit_state=inherit_state)
                self._script_attrs.clear()
        except (LoadBrokenError, TablesUnreadableError):
            self.reports.dispatcher.report_failed()
            raise MiRefusalError(500, "ERROR Reloading data") from None
        self.reports.dispatcher.report_loaded(
            f"{loaded.count} destinations loaded ({loaded.discarded} discarded)"
        )

    def reload_dialplan(self) -> None:
        """Load the table `dialplan`; raise MiRefusalError and keep the old rules where that fails."""
        try:
            loaded = dialplan_loading.load(self.tables.dialplan(), DialplanEnvironment())
        except TablesUnreadableError:
            loaded = None
        if not isinstance(loaded, dialplan_loading.LoadedDialplans):
            self.reports.dialplan.report_failed()
            raise MiRefusalError(-32000, "Server error", "Command handler returned null")
        self._dialplans = loaded
        self.reports.dialplan.report_loaded(loaded.report)

    def set_state(self, setid: int, uri: str, state: DestinationState) -> None:
        """Set the state of a destination as MI does; raise MiRefusalError where there is none such."""
        with self.guard:
            try:
                changes = self.memory.set_state(setid, uri, state)
            except UnknownDestinationError:
                raise MiRefusalError(404, "destination not found") from None
            self._announce(changes)

    def due_probes(self) -> list[DueProbe]:
        """The probes of a round, but those whose address could not be looked up."""
        with self.guard:
            due = []
            for probe in self.memory.due_probes():
                live = self.memory.sets[probe.setid].find(probe.uri)
                peer = address_and_port(live.loaded.addresses[0]) if live and live.loaded.addresses else None
                if peer is not None:
                    is_udp = parse(probe.uri).effective_transport == "udp"
                    due.append(DueProbe(probe, peer if is_udp else (peer[0], 0)))
            return due

    def take_answers(self, answers: Sequence[tuple[Probe, int | None]]) -> None:
        """Take the final codes of probes, None for no answer."""
        with self.guard:
            for probe, code in answers:
                self._announce(self.memory.on_reply(probe, code))

    def take_unsent(self, probe: Probe) -> None:
        """Take note that a probe could not be sent."""
        with self.guard:
            self._announce(self.memory.on_unsent(probe))

    def take_unsaved(self) -> list[UnsavedState]:
        """The states that changed since the last call."""
        with self.guard:
            return self.memory.take_unsaved()

    def push_script_attrs(self, attrs: str, host: str, port: int, setid: int) -> None:
        """Give script attributes to what a set, or any, has at an address; port 0 is any port.

        That nothing is there is no error, but a host that is no numeric address is one.
        """
        numeric = ip.ipv4(host) or ip.ipv6(host)
        if numeric is None:
            raise MiRefusalError(404, "destination not found")
        with self.guard:
            for number, live in self.memory.sets.items():
                for position, each in enumerate(live.destinations):
                    if setid in {ANY_SET, number} and _is_at(each, numeric, port):
                        self._script_attrs[number, position] = attrs

    def listed(self, *, full: bool) -> dict[str, Any]:
        """The result of ds_list; a table without sets has no SETS."""
        with self.guard:
            sets = [
                {
                    "id": setid,
                    "Destinations": [
                        _destination(each, full, self._script_attrs.get((setid, position)))
                        for position, each in enumerate(destinations)
                    ],
                }
                for setid, destinations in self.memory.listed()
            ]
        partition = {"name": PARTITION} | ({"SETS": sets} if sets else {})
        return {"PARTITIONS": [partition]}

    def translated(self, dpid: int, subject: str) -> dict[str, str]:
        """The result of dp_translate; raise MiRefusalError where nothing comes out."""
        dialplans = self._dialplans.dialplans if self._dialplans else {}
        now = int(datetime.now(UTC).timestamp())
        outcome = translate(dialplans, dpid, subject.encode(errors="replace"), now).outcome
        if isinstance(outcome, NoInformation):
            raise MiRefusalError(404, "No information available for dpid")
        if not isinstance(outcome, Translated):
            raise MiRefusalError(404, "No translation")
        return {
            "Output": as_text(outcome.output),
            "ATTRIBUTES": as_text(outcome.attributes),
        }

    def _announce(self, changes: Sequence[FlagChange]) -> None:
        for change in changes:
            self.reports.report_switched(change.address, change.setid, change.status, change.reason)
            listed = {"group": change.setid, "address": change.address}
            self.events.raise_event(EVENT, listed | {"status": change.status, "reason": change.reason})


def _destination(each: LiveDestination, full: bool, script_attrs: str | None) -> dict[str, object]:
    loaded = each.loaded
    listed: dict[str, object] = {
        "URI": loaded.uri,
        "state": STATES[each.health.state],
        "first_hit_counter": each.first_hits,
    }
    if loaded.socket:
        listed["socket"] = loaded.socket
    if loaded.attrs:
        listed["attr"] = loaded.attrs
    if script_attrs:
        listed["script_attr"] = script_attrs
    if full:
        listed |= {"weight": loaded.weight, "priority": loaded.priority}
        if loaded.description:
            listed["description"] = loaded.description
    listed["resolved_addresses"] = list(loaded.addresses)
    return listed


def _is_at(each: LiveDestination, host: str, port: int) -> bool:
    for listed in each.loaded.addresses:
        own_host, _, own_port = listed.rpartition(":")
        if own_host == host and (port == 0 or own_port in {"0", str(port)}):
            return True
    return False
