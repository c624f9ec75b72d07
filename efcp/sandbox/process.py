"""The running sandbox: MI, rounds of probing, the flusher, the sample gateways; one asyncio loop.

Each round probes the destinations that are due over SIP, on loopback only; answers go to the proxy's
memory.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from django.db import connections

from dispatcher import names as lookups
from dispatcher.routing.destinations import DestinationState
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory, UnsavedState
from dispatcher.routing.probing import Probe, ProbingSettings
from dispatcher.routing.rows import DestinationRow
from efcp.configuration import Sandbox
from efcp.releases import SANDBOX_VERSION, Release
from efcp.sandbox import events
from efcp.sandbox.jsonrpc import MiRefusalError
from efcp.sandbox.mi_http import MiServer
from efcp.sandbox.proxy import DueProbe, SandboxProxy, SandboxTables, TablesUnreadableError
from efcp.sandbox.sip import OptionsClient, Responder, is_loopback, open_udp
from efcp.sandbox.tables import OF_THE_PANEL, Names

log = logging.getLogger(__name__)

_SENT_AT_ONCE = 20
"""Then what has arrived is read, so that the answers to a large round find room in the socket."""


class Prober:
    """Asks the destinations of one sandbox from its SIP socket, every `interval_s` seconds; 0 is never."""

    def __init__(self, proxy: SandboxProxy, interval_s: float, fr_timeout_s: float) -> None:
        self._proxy = proxy
        self._interval_s = interval_s
        self._clients = {family: OptionsClient(fr_timeout_s) for family in (socket.AF_INET, socket.AF_INET6)}
        self._answers: list[tuple[Probe, int | None]] = []
        self._answered = asyncio.Event()
        self._reported_not_probed: set[tuple[int, str]] = set()
        # The memory's guard may be held for long by a reload: waiting for it is not the loop's to do.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-probing")

    def open(self, port: int) -> int:
        """Open the SIP socket on 127.0.0.1, and one on ::1 where there is any; return the port.

        Raises OSError where the port is busy.
        """
        transport = open_udp(self._clients[socket.AF_INET], "127.0.0.1", port)
        opened = int(transport.get_extra_info("sockname")[1])
        with contextlib.suppress(OSError):
            open_udp(self._clients[socket.AF_INET6], "::1", opened)
        return opened

    async def run(self) -> None:
        """Probe until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_answers())
            while self._interval_s:
                await asyncio.sleep(self._interval_s)
                await self.probe()

    async def probe(self) -> None:
        """Send the probes of one round."""
        loop = asyncio.get_running_loop()
        due = await loop.run_in_executor(self._thread, self._proxy.due_probes)
        for number, each in enumerate(due, start=1):
            await self._ask(each)
            if number % _SENT_AT_ONCE == 0:
                await asyncio.sleep(0)

    def close(self) -> None:
        """Close the sockets; what is under way is forgotten."""
        for client in self._clients.values():
            client.close()
        self._thread.shutdown()

    async def _ask(self, due: DueProbe) -> None:
        probe, (host, port) = due.probe, due.peer
        if not is_loopback(host):
            self._say_not_probed(probe)
        elif port == 0:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._proxy.take_unsent, probe)
        else:
            client = self._clients[socket.AF_INET6 if ":" in host else socket.AF_INET]
            client.ask(probe.uri, (host, port), lambda code: self._note(probe, code))

    def _say_not_probed(self, probe: Probe) -> None:
        if (probe.setid, probe.uri) not in self._reported_not_probed:
            self._reported_not_probed.add((probe.setid, probe.uri))
            self._proxy.reports.report_not_probed(probe.uri, probe.setid)

    def _note(self, probe: Probe, code: int | None) -> None:
        self._answers.append((probe, code))
        self._answered.set()

    async def _take_answers(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._answered.wait()
            self._answered.clear()
            answers, self._answers = self._answers, []
            await loop.run_in_executor(self._thread, self._proxy.take_answers, answers)


FLUSH_EVERY_S = 30.0


class PortBusyError(Exception):
    """A port that the sandbox needs is taken; the message is one line for people."""


class SandboxProcess:
    """Everything that runs while the sandbox does.

    `gateways` are the ports on which it plays gateways, and whether each answers; it loads `tables`.
    `mi_port` and `sip_port` are the ports that it really has, once it runs: a port 0 among the settings means
    any free one.
    """

    def __init__(
        self,
        settings: Sandbox,
        gateways: Mapping[int, bool] | None = None,
        tables: SandboxTables = OF_THE_PANEL,
    ) -> None:
        self.mi_port = settings.mi_port
        self.sip_port = settings.sip_port
        self._settings = settings
        self._gateways = gateways or {}
        self._tables = tables
        self._names = Names(_addresses)
        self.proxy = SandboxProxy(
            ProxyMemory(
                Environment(self._names.resolve, release=Release.of(SANDBOX_VERSION)),
                ProbingSettings(threshold=settings.threshold, everything=settings.probing_mode == 1),
            ),
            replace(tables, dispatcher=self._rows),
            SANDBOX_VERSION,
            events.send,
        )
        # One thread for all that waits for the database: MI's commands, one after the other, and the flusher.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-mi")
        self._prober = Prober(self.proxy, settings.ping_interval_s, settings.fr_timeout_s)
        self._server = MiServer(self.proxy, self._thread)
        self._responders: list[asyncio.BaseTransport] = []
        self._unsaved: dict[tuple[int, str], DestinationState] = {}

    async def run(self, stopping: asyncio.Event, started: Callable[[], None] | None = None) -> None:
        """Run until `stopping`, calling `started` once all is loaded; raise PortBusyError."""
        try:
            await self._open()
            await self._load()
            if started is not None:
                started()
            await self._work_until(stopping)
            await self._flush()
        finally:
            await self._close()

    async def probe(self) -> None:
        """Send one round of probes now."""
        await self._prober.probe()

    async def _open(self) -> None:
        try:
            self.sip_port = self._prober.open(self._settings.sip_port)
        except OSError as error:
            raise PortBusyError(
                f"The sandbox's SIP port {self._settings.sip_port} is busy: {error.strerror}."
            ) from None
        memory = self.proxy.memory
        memory.environment = replace(memory.environment, listeners=(f"udp:127.0.0.1:{self.sip_port}",))
        await self._play_gateways()
        try:
            self.mi_port = await self._server.start(self._settings.mi_port)
        except OSError as error:
            raise PortBusyError(
                f"The sandbox's MI port {self._settings.mi_port} is busy: {error.strerror}."
            ) from None
        log.info("Sandbox proxy: MI on port %s, SIP on port %s", self.mi_port, self.sip_port)

    async def _play_gateways(self) -> None:
        loop = asyncio.get_running_loop()
        for port, answers in self._gateways.items():
            try:
                transport, _ = await loop.create_datagram_endpoint(
                    partial(Responder, answers), local_addr=("127.0.0.1", port)
                )
            except OSError:
                log.warning("The sample gateway on port %s can't listen: the port is taken.", port)
                continue
            self._responders.append(transport)

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        for load in (self.proxy.reload, self.proxy.reload_dialplan):
            try:
                await loop.run_in_executor(self._thread, load)
            except MiRefusalError as error:
                log.warning("A table does not load at start; a reload over MI tries again: %s", error)

    async def _work_until(self, stopping: asyncio.Event) -> None:
        """Work until `stopping`; what breaks one of the tasks breaks the process, rather than nothing."""
        tasks = {
            asyncio.create_task(work) for work in (stopping.wait(), self._prober.run(), self._flush_rounds())
        }
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    async def _flush_rounds(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self._flush()

    async def _flush(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self.flush)

    def flush(self) -> None:
        """Write changed states into the table; what can't be written now is kept for later."""
        self._unsaved |= {(each.setid, each.uri): each.state for each in self.proxy.take_unsaved()}
        try:
            self._tables.save(
                [UnsavedState(setid, uri, state) for (setid, uri), state in self._unsaved.items()]
            )
        except TablesUnreadableError as error:
            log.warning("Changed states could not be saved yet: %s", error)
            return
        self._unsaved.clear()

    async def _close(self) -> None:
        await self._server.stop()
        self._prober.close()
        for transport in self._responders:
            transport.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        self._thread.shutdown()

    def _rows(self) -> Sequence[DestinationRow]:
        rows = self._tables.dispatcher()
        self._names.look_up(rows)
        return rows


def _addresses(host: str, port: int | None, transport: str) -> tuple[str, ...]:
    return lookups.look_up(host, port, transport).addresses
