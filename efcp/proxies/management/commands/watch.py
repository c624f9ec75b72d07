"""`manage.py watch`: the watcher."""

import signal
import threading
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings

from efcp.commands import PanelCommand
from efcp.proxies.watch import Watcher
from efcp.shutdown import POLL_INTERVAL_S, ShutdownSignal


class Command(PanelCommand):
    """Watch the state of every enabled proxy's destinations until a signal."""

    help = "Asks every enabled proxy for its destinations again and again, and stores what changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--once` for one round, `--interval` for another pace than the setting's."""
        parser.add_argument("--once", action="store_true", help="ask every proxy once, then end")
        parser.add_argument(
            "--interval",
            type=float,
            default=float(settings.WATCHING.interval_s),
            help="seconds between two questions to a proxy (default: %(default)s)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the watcher until SIGTERM or SIGINT, or for one round."""
        stopping = threading.Event()
        events_at = (settings.WATCHING.event_address, settings.WATCHING.event_port)
        watcher = Watcher(max(0.1, options["interval"]), stopping, events_at)
        if options["once"]:
            for name, result in watcher.poll_once().items():
                self.stdout.write(f"{name}: {result.problem or result.outcome.value}")
            return

        shutdown = ShutdownSignal(signal.SIGTERM, signal.SIGINT)
        with ThreadPoolExecutor(1, thread_name_prefix="watcher") as pool:
            watching = pool.submit(watcher.run)
            while not (watching.done() or shutdown.received):
                time.sleep(POLL_INTERVAL_S)
            stopping.set()
            watching.result()
