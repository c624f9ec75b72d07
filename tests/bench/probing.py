"""What probing 10,000 destinations every 10 seconds costs the sandbox's process, as a share of one core.

Its gateways answer from a process of their own. `python -m tests.bench.probing sandbox|gateways` are the two.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

from tests.bench.soak import TICKS_A_SECOND, ticks

DESTINATIONS = 10_000
INTERVAL_S = 10
ROUNDS = 3
GATEWAYS = 100


def measure() -> None:
    """Print the share over ROUNDS rounds, after a first one that does not count."""
    with _started("gateways") as (gateways, ports), _started("sandbox", *ports) as (sandbox, _):
        time.sleep(1.5 * INTERVAL_S)
        before, started = ticks(sandbox.pid), time.monotonic()
        time.sleep(ROUNDS * INTERVAL_S)
        share = (ticks(sandbox.pid) - before) / TICKS_A_SECOND / (time.monotonic() - started)
        assert gateways.poll() is None
    print(f"the sandbox probes {DESTINATIONS} every {INTERVAL_S} s in {share:.2f} of one core", flush=True)


@contextlib.contextmanager
def _started(role: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """One of the two processes, and what its first line says."""
    command = [sys.executable, "-m", "tests.bench.probing", role, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def _answer() -> None:
    from efcp.sandbox.sip import Responder

    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_datagram_endpoint(partial(Responder, True), local_addr=("127.0.0.1", 0))
        for _ in range(GATEWAYS)
    ]
    print(*(transport.get_extra_info("sockname")[1] for transport, _ in opened), flush=True)
    await asyncio.Event().wait()


async def _probe(ports: list[str]) -> None:
    from dispatcher.routing.rows import DestinationRow
    from efcp.sandbox.process import SandboxProcess
    from efcp.sandbox.proxy import SandboxTables
    from tests.sandbox.fixtures import settings_of

    rows = [
        DestinationRow(number // 100, f"sip:gw{number}@127.0.0.1:{ports[number % len(ports)]}", probe_mode=1)
        for number in range(DESTINATIONS)
    ]
    tables = SandboxTables(dispatcher=lambda: rows, dialplan=list, database_url="")
    sandbox = SandboxProcess(settings_of(ping_interval_s=INTERVAL_S, fr_timeout_s=2), tables=tables)
    await sandbox.run(asyncio.Event(), partial(print, "ready", flush=True))


def _main(role: str, ports: list[str]) -> None:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    django.setup()
    asyncio.run(_answer() if role == "gateways" else _probe(ports))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
