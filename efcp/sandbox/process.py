"""The running sandbox: MI, probing rounds, the flusher, the sample gateways; one asyncio loop."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError

from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.probing import Probe, ProbingSettings
from efcp.configuration import Sandbox
from efcp.sandbox import tables
from efcp.sandbox.mi_http import MiServer
from efcp.sandbox.parameters import MiRefusalError
from efcp.sandbox.proxy import SandboxProxy, Tables
from efcp.sandbox.sip import OptionsClient, Responder, is_loopback, peer_of

log = logging.getLogger(__name__)

VERSION = "3.4.18"
FLUSH_EVERY_S = 30.0
LOAD_AGAIN_AFTER_S = 2.0


class PortBusyError(Exception):
    """A port that the sandbox needs is taken; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """The sample gateways' ports that answer."""

    ports: Sequence[int] = ()


class SandboxProcess:
    """Everything that runs while the sandbox does."""

    def __init__(self, settings: Sandbox, gateways: Gateways) -> None:
        self.settings = settings
        self.gateways = gateways
        listener = f"udp:127.0.0.1:{settings.sip_port}"
        self.proxy = SandboxProxy(
            memory=ProxyMemory(
                Environment(resolve=resolve, listeners=(listener,), version=VERSION),
                ProbingSettings(threshold=settings.threshold, everything=settings.probing_mode == 1),
            ),
            tables=Tables(tables.dispatcher_rows, tables.dialplan_rules, "the panel's own database"),
            version=VERSION,
            send_event=self._send_event,
        )
        self._lock = asyncio.Lock()
        self._options = OptionsClient(settings.fr_timeout_s)
        self._events = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._events.setblocking(False)
        self._not_probed: set[tuple[int, str]] = set()
        self._answers: set[asyncio.Task[None]] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`; raise PortBusyError where a port is taken."""
        loop = asyncio.get_running_loop()
        await self._open_sip(loop)
        server = MiServer(self.proxy, self._lock)
        try:
            await server.start(self.settings.mi_port)
        except OSError as error:
            raise PortBusyError(
                f"The sandbox's MI port {self.settings.mi_port} is busy: {error.strerror}."
            ) from None
        await self._load()
        work = [asyncio.create_task(self._probe_rounds()), asyncio.create_task(self._flush_rounds())]
        log.info(
            "Sandbox proxy: MI on port %s, SIP on port %s", self.settings.mi_port, self.settings.sip_port
        )
        await stopping.wait()
        for task in work:
            task.cancel()
        await server.stop()
        await self._flush()
        self._events.close()

    async def _open_sip(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.create_datagram_endpoint(
                lambda: self._options, local_addr=("127.0.0.1", self.settings.sip_port)
            )
        except OSError as error:
            raise PortBusyError(
                f"The sandbox's SIP port {self.settings.sip_port} is busy: {error.strerror}."
            ) from None
        for port in self.gateways.ports:
            try:
                await loop.create_datagram_endpoint(Responder, local_addr=("127.0.0.1", port))
            except OSError:
                log.warning("The sample gateway on port %s can't listen: the port is taken.", port)

    async def _load(self) -> None:
        """Load both tables at start; a database that is away is tried again."""
        while True:
            try:
                await asyncio.to_thread(self.proxy.reload)
                await asyncio.to_thread(self.proxy.reload_dialplan)
            except MiRefusalError as error:
                log.warning("The tables do not load: %s", error)
            except DatabaseError as error:
                log.warning("The database does not answer: %s", error)
                await asyncio.sleep(LOAD_AGAIN_AFTER_S)
                continue
            return

    async def _probe_rounds(self) -> None:
        if not self.settings.ping_interval_s:
            return
        while True:
            await asyncio.sleep(self.settings.ping_interval_s)
            async with self._lock:
                probes = self.proxy.memory.due_probes()
            for number, probe in enumerate(probes):
                self._probe(probe)
                if number % 100 == 99:
                    await asyncio.sleep(0)

    def _probe(self, probe: Probe) -> None:
        live = self.proxy.memory.sets.get(probe.setid)
        destination = live.find(probe.uri) if live else None
        peer = peer_of(destination.loaded.addresses[0]) if destination else None
        if peer is None or not is_loopback(peer[0]):
            if (probe.setid, probe.uri) not in self._not_probed:
                self._not_probed.add((probe.setid, probe.uri))
                self.proxy.reports.tell_not_probed(probe.uri, probe.setid)
            return
        self._options.ask(probe.uri, peer, lambda code: self._answered(probe, code))

    def _answered(self, probe: Probe, code: int | None) -> None:
        """Take an answer once no command is at work on the memory."""
        task = asyncio.get_running_loop().create_task(self._take_answer(probe, code))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _take_answer(self, probe: Probe, code: int | None) -> None:
        async with self._lock:
            self.proxy.announce(self.proxy.memory.on_reply(probe, code))

    async def _flush_rounds(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self._flush()

    async def _flush(self) -> None:
        async with self._lock:
            unsaved = self.proxy.memory.take_unsaved()
        if unsaved:
            try:
                await asyncio.to_thread(tables.flush, unsaved)
            except DatabaseError as error:
                log.warning("Changed states could not be saved: %s", error)

    def _send_event(self, subscriber: str, datagram: bytes) -> None:
        """Send an event to a subscriber on this machine; others are never sent to."""
        peer = peer_of(subscriber.removeprefix("udp:"))
        if peer is None or not is_loopback(peer[0]):
            return
        try:
            self._events.sendto(datagram, peer)
        except OSError as error:
            log.debug("An event could not be sent: %s", error)


def resolve(host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
    """The addresses of a name, by the system's resolver; the sandbox looks up no services."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
