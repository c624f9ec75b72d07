"""`python -m tests.browser.sandboxes COUNT URI`: further proxies beside a running trial, until a signal.

Each is a whole sandbox with ports of its own, probing every second; together they share one process, since
twenty would cost a small machine a minute to start. They hold one destination, alone in its set.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace

import django

SETID = 77
INTERVAL_S, TIMEOUT_S, THRESHOLD = 1, 2, 2


async def run(count: int) -> None:
    """Run `count` sandboxes, and make each known to the panel once it listens."""
    from django.conf import settings

    from efcp.sandbox.process import SandboxProcess
    from efcp.sandbox.tables import OF_THE_PANEL

    own = replace(
        settings.CONFIGURATION.sandbox,
        mi_port=0,
        sip_port=0,
        ping_interval_s=INTERVAL_S,
        fr_timeout_s=TIMEOUT_S,
        threshold=THRESHOLD,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    # The trial's own proxy saves its states: of several on one table the last would win.
    tables = replace(OF_THE_PANEL, save=lambda _states: None)
    boxes = [SandboxProcess(own, tables=tables) for _ in range(count)]
    left = count

    def started() -> None:
        nonlocal left
        left -= 1
        if not left:
            asyncio.get_running_loop().run_in_executor(None, _register, [box.mi_port for box in boxes])

    await asyncio.gather(*(box.run(stopping, started) for box in boxes))


def _add_destination(uri: str) -> None:
    from dispatcher.models import Destination

    Destination.objects.create(setid=SETID, destination=uri, probe_mode=1, attrs="", description="")


def _register(ports: list[int]) -> None:
    from efcp.proxies.models import Proxy

    Proxy.objects.bulk_create(
        Proxy(name=f"box-{number:02}", mi_url=f"http://127.0.0.1:{port}/mi")
        for number, port in enumerate(ports, start=1)
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    django.setup()
    _add_destination(sys.argv[2])
    asyncio.run(run(int(sys.argv[1])))
