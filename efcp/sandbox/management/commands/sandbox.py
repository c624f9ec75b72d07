"""`manage.py sandbox`: the embedded proxy, until a signal."""

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from efcp.commands import PanelCommand
from efcp.configuration import Configuration, Sandbox
from efcp.proxies.models import ProbingRule
from efcp.sandbox.process import PortBusyError, SandboxProcess
from efcp.sandbox.seed import register, sample_gateways, seed_once


class Command(PanelCommand):
    """A proxy for trial and tests. On a site it runs only when asked for, and writes nothing there."""

    help = "Run the embedded proxy: MI over HTTP and probing with real SIP, on loopback only."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run until SIGTERM or Ctrl-C."""
        configuration: Configuration = settings.CONFIGURATION
        if not configuration.sandbox.enabled:
            raise CommandError("The sandbox is off here: set EFCP_SANDBOX=1 to run it.")
        if seed_once():
            self.stdout.write("Sample sets were written; their gateways are played by the sandbox.")
        register(configuration.sandbox.mi_port, _probing(configuration.sandbox))
        try:
            asyncio.run(_run(SandboxProcess(configuration.sandbox, sample_gateways())))
        except PortBusyError as error:
            raise CommandError(str(error)) from None


def _probing(sandbox: Sandbox) -> ProbingRule:
    if not sandbox.ping_interval_s:
        return ProbingRule.NONE
    return ProbingRule.ALL if sandbox.probing_mode == 1 else ProbingRule.MARKED


async def _run(process: SandboxProcess) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await process.run(stopping)
