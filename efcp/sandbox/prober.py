"""Rounds of probing: who is due is asked over SIP, on loopback only; answers go to the proxy's memory."""

import asyncio
import contextlib
import logging
import socket
from concurrent.futures import ThreadPoolExecutor

from dispatcher.routing.probing import Probe
from efcp.sandbox.loopback import is_loopback
from efcp.sandbox.proxy import DueProbe, SandboxProxy
from efcp.sandbox.sip import OptionsClient
from efcp.sandbox.udp import open_udp

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
        self._said_not_probed: set[tuple[int, str]] = set()
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
        if (probe.setid, probe.uri) not in self._said_not_probed:
            self._said_not_probed.add((probe.setid, probe.uri))
            self._proxy.reports.tell_not_probed(probe.uri, probe.setid)

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
