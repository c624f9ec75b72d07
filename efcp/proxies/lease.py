"""Which of several watchers leads: a lease in the database, without any two clocks being compared.

The holder counts up a number in the one row; the others look whether it still counts. Who sees it stand
still for LEASE_S by a clock of its own takes the lease over, by an UPDATE that only one can win. The holder
believes in its lease for a shorter time after its last renewal, so that it stops before another begins.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
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
    """The lease of one watcher; `is_well` tells whether that watcher still does its work."""

    def __init__(self, is_well: Callable[[], bool] = lambda: True) -> None:
        self.holder = f"{socket.gethostname()[:_MAX_HOST]}/{os.getpid()}/{secrets.token_hex(4)}"
        self._is_well = is_well
        self._renewed_at: float | None = None
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0

    @property
    def is_held(self) -> bool:
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
        held = WatcherHeartbeat.objects.filter(pk=_ROW).values_list("holder", "beats").first()
        if held is None:
            taken = self._create()
        elif held == self._seen or not held[0]:
            taken = (not held[0] or now - self._seen_at > LEASE_S) and self._take_over(*held)
        else:
            self._seen, self._seen_at = held, now
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
        mine = WatcherHeartbeat.objects.filter(pk=_ROW, holder=self.holder)
        return bool(mine.update(beats=F("beats") + 1, beat_at=datetime.now(UTC)))

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
