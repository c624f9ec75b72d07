"""Which of several watchers leads, and what the leader does beside watching.

The lease is a row in the database, and no two clocks are compared: the holder increments a number in it,
and the others watch whether it still changes. A watcher that sees it stand still for LEASE_S by its own
clock takes the lease over, by an UPDATE that only one can win. The holder trusts its lease for a shorter
time after its last renewal, so that it stops before another begins.

Leader tasks are registered by the layers above. Each has a thread of its own, so that one that waits for a
mail server does not hold up the others. While the lead changes hands, both watchers may run a task for a
moment: what must happen once has to be claimed in the database by the task itself.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, close_old_connections, connection
from django.db.models import F

from efcp.proxies.models import WatcherHeartbeat

log = logging.getLogger(__name__)

RENEW_EVERY_S = 1.0
LEASE_S = 5.0
BELIEVED_FOR_S = 4.0
_ROW = 1
_MAX_HOST = 40


class Lease:
    """The lease of one watcher; `is_well` is whether that watcher still works."""

    def __init__(self, is_well: Callable[[], bool] = lambda: True) -> None:
        self.holder = f"{socket.gethostname()[:_MAX_HOST]}/{os.getpid()}/{secrets.token_hex(4)}"
        self._is_well = is_well
        self._renewed_at: float | None = None
        self._observed: tuple[str, int] | None = None
        self._observed_at = 0.0

    @property
    def is_ours(self) -> bool:
        """Whether this watcher leads at this moment."""
        renewed_at = self._renewed_at
        return renewed_at is not None and time.monotonic() - renewed_at < BELIEVED_FOR_S

    def keep(self, stopping: threading.Event) -> None:
        """Renew the lease, or wait for it, until `stopping` is set; then give it up. Needs a thread."""
        try:
            while True:
                self._try()
                if stopping.wait(RENEW_EVERY_S):
                    break
            self._give_up()
        finally:
            connection.close()

    def turn(self) -> None:
        """Renew the lease, take one that is free or whose holder is gone, or note that its holder lives."""
        if not self._is_well():
            return
        now = time.monotonic()
        if self._renew():
            self._renewed_at = now
            return
        self._renewed_at = None
        current = WatcherHeartbeat.objects.filter(pk=_ROW).values_list("holder", "beats").first()
        if current is None:
            taken = self._create()
        elif current == self._observed or not current[0]:
            taken = (not current[0] or now - self._observed_at > LEASE_S) and self._take_over(*current)
        else:
            self._observed, self._observed_at = current, now
            return
        if taken:
            self._renewed_at = now
            log.info("This watcher leads now")

    def _try(self) -> None:
        close_old_connections()
        try:
            self.turn()
        except AnyDatabaseError:
            # The watcher itself says that the database is away; the lease runs out by itself.
            connection.close()

    def _renew(self) -> bool:
        own = WatcherHeartbeat.objects.filter(pk=_ROW, holder=self.holder)
        return bool(own.update(beats=F("beats") + 1, beat_at=datetime.now(UTC)))

    def _create(self) -> bool:
        now = datetime.now(UTC)
        try:
            WatcherHeartbeat.objects.create(pk=_ROW, holder=self.holder, beats=1, started_at=now, beat_at=now)
        except IntegrityError:
            return False
        return True

    def _take_over(self, holder: str, beats: int) -> bool:
        now = datetime.now(UTC)
        theirs = WatcherHeartbeat.objects.filter(pk=_ROW, holder=holder, beats=beats)
        return bool(theirs.update(holder=self.holder, beats=beats + 1, started_at=now, beat_at=now))

    def _give_up(self) -> None:
        self._renewed_at = None
        try:
            WatcherHeartbeat.objects.filter(pk=_ROW, holder=self.holder).update(holder="")
        except AnyDatabaseError:
            log.warning("The lease could not be given up: another watcher leads in %.0f s", LEASE_S)


log = logging.getLogger(__name__)

END_WITHIN_S = 5.0
"""How long the end of the watcher waits for a task that is being carried out."""

CarryOut = Callable[[datetime], object]
"""Do what is due as of a moment (UTC). It may use the database, and has to bound its own network calls."""


@dataclass(frozen=True, slots=True)
class LeaderTask:
    """A task that the leader runs every `every_s` seconds."""

    name: str
    every_s: float
    carry_out: CarryOut


_tasks: dict[str, LeaderTask] = {}


def register(name: str, every_s: float, carry_out: CarryOut) -> None:
    """Register `carry_out` to run every `every_s` seconds (called by an app's ready())."""
    _tasks[name] = LeaderTask(name, every_s, carry_out)


class LeaderTasks:
    """The registered tasks, run while `is_leading` is true, until `stopping` is set."""

    def __init__(self, is_leading: Callable[[], bool], stopping: threading.Event) -> None:
        self._is_leading = is_leading
        self._stopping = stopping
        self._threads = [
            threading.Thread(target=self._perform, args=(task,), name=f"task-{task.name}", daemon=True)
            for task in _tasks.values()
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for what is being carried out, END_WITHIN_S at most for each."""
        for thread in self._threads:
            thread.join(END_WITHIN_S)

    def _perform(self, task: LeaderTask) -> None:
        try:
            while not self._stopping.wait(task.every_s):
                if self._is_leading():
                    _carry_out(task)
        finally:
            connection.close()


def _carry_out(task: LeaderTask) -> None:
    close_old_connections()
    try:
        task.carry_out(datetime.now(UTC))
    except AnyDatabaseError as error:
        # The watcher says when the database is away, and for how long.
        log.info("The leader task %s has to wait for the database: %s", task.name, error)
        connection.close()
    except Exception:
        # Whatever is wrong with one turn, the next one is to come.
        log.exception("The leader task %s failed", task.name)
        connection.close()
