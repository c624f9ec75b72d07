"""A sandbox for tests: the real one on free ports of loopback, in a thread that ends with the test."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from dispatcher.routing.rows import DestinationRow
from efcp.configuration import Sandbox
from efcp.mi.client import MiClient
from efcp.mi.endpoint import Endpoint
from efcp.sandbox.process import SandboxProcess
from efcp.sandbox.proxy import SandboxTables
from efcp.sandbox.tables import OF_THE_PANEL

START_WITHIN_S = 120.0
PATIENCE_S = 20.0
FREE = 0
"""As a port: any that is free."""


def settings_of(**changes: Any) -> Sandbox:
    """Free ports, no probing unless a test enables it, and a short transaction; but for `changes`."""
    given: dict[str, Any] = {
        "enabled": True,
        "mi_port": FREE,
        "mi_port_is_set": True,
        "sip_port": FREE,
        "sip_port_is_set": True,
        "ping_interval_s": 0,
        "threshold": 1,
        "probing_mode": 0,
        "fr_timeout_s": 1,
    }
    return Sandbox(**given | changes)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something happened; fail after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that runs in a thread; its proxy may be looked at, the rest goes over MI."""

    process: SandboxProcess
    loop: asyncio.AbstractEventLoop

    @property
    def mi_url(self) -> str:
        """Where MI is served."""
        return f"http://127.0.0.1:{self.process.mi_port}/mi"

    def call(self, method: str, **params: str | int) -> Any:
        """The result of one MI command; raise efcp.mi.errors.RefusedError for an error object."""
        return MiClient(Endpoint(self.mi_url)).call(method, params or None).result

    def states(self) -> dict[str, str]:
        """The state of each destination by its URI, as ds_list tells it."""
        [partition] = self.call("ds_list")["PARTITIONS"]
        listed = (each for one in partition.get("SETS", []) for each in one["Destinations"])
        return {each["URI"]: each["state"] for each in listed}

    def probe(self) -> None:
        """Send one round of probes; the answers come later."""
        asyncio.run_coroutine_threadsafe(self.process.probe(), self.loop).result(PATIENCE_S)

    def wait_for_state(self, uri: str, state: str) -> None:
        """Wait until ds_list tells this state; fail after PATIENCE_S."""
        wait_until(lambda: self.states()[uri] == state)


Rows = Sequence[DestinationRow] | Callable[[], Sequence[DestinationRow]]


def _tables_of(rows: Rows | None) -> SandboxTables:
    if rows is None:
        return OF_THE_PANEL
    return SandboxTables(rows if callable(rows) else lambda: rows, lambda: (), "none")


@contextlib.contextmanager
def running_sandbox(
    settings: Sandbox | None = None,
    rows: Rows | None = None,
    gateways: Mapping[int, bool] | None = None,
) -> Iterator[RunningSandbox]:
    """Run a sandbox with these rows of `dispatcher`, or with those of the database; end it in any case."""
    process = SandboxProcess(settings or settings_of(), gateways, _tables_of(rows))
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        await process.run(stopping, lambda: started.set_result((loop, stopping)))

    def run_in_thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run_in_thread, daemon=True)
    thread.start()
    loop, stopping = started.result(START_WITHIN_S)
    try:
        yield RunningSandbox(process, loop)
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.fixture
def opensips_tables(transactional_db: None) -> Iterator[None]:
    """OpenSIPS's own tables, seen by every thread; Django empties only its own after a test."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dispatcher")
        cursor.execute("DELETE FROM dialplan")


@pytest.fixture
def sandbox(opensips_tables: None) -> Iterator[RunningSandbox]:
    """A sandbox that loads the test database's tables: add rows, then `sandbox.call("ds_reload")`."""
    with running_sandbox() as running:
        yield running
