"""What the leading watcher does beside watching: duties that floors above register.

Each duty has a thread of its own, so that one that waits for a mail server keeps no other from its turn.
While the lead goes from one watcher to another, both may carry out a duty for a moment: what must happen once
has to be claimed in the database by the duty itself.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection

log = logging.getLogger(__name__)

END_WITHIN_S = 5.0
"""How long the end of the watcher waits for a duty that is being carried out."""

CarryOut = Callable[[datetime], object]
"""Do what is due as of a moment (UTC). It may use the database, and has to bound its own network calls."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done every `every_s` seconds by whoever leads."""

    name: str
    every_s: float
    carry_out: CarryOut


_duties: dict[str, Duty] = {}


def register(name: str, every_s: float, carry_out: CarryOut) -> None:
    """Have `carry_out` called every `every_s` seconds (called by an app when it is ready)."""
    _duties[name] = Duty(name, every_s, carry_out)


class Duties:
    """The registered duties, carried out while `is_leading` says so, until `stopping` is set."""

    def __init__(self, is_leading: Callable[[], bool], stopping: threading.Event) -> None:
        self._is_leading = is_leading
        self._stopping = stopping
        self._threads = [
            threading.Thread(target=self._perform, args=(duty,), name=f"duty-{duty.name}", daemon=True)
            for duty in _duties.values()
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for what is being carried out, END_WITHIN_S at most for each."""
        for thread in self._threads:
            thread.join(END_WITHIN_S)

    def _perform(self, duty: Duty) -> None:
        try:
            while not self._stopping.wait(duty.every_s):
                if self._is_leading():
                    _carry_out(duty)
        finally:
            connection.close()


def _carry_out(duty: Duty) -> None:
    close_old_connections()
    try:
        duty.carry_out(datetime.now(UTC))
    except AnyDatabaseError as error:
        # The watcher tells when the database is away, and for how long.
        log.info("The duty %s has to wait for the database: %s", duty.name, error)
        connection.close()
    except Exception:
        # Whatever is wrong with one turn, the next one is to come.
        log.exception("The duty %s failed", duty.name)
        connection.close()
