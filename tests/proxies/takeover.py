"""Hundreds of changes while the leading one of two watchers is killed, and what was stored of them.

A fake proxy on loopback has a ring of 200 reports, as the real ones have; the watchers are processes of their
own on one SQLite file. No clock decides: a batch of changes comes once the last one is stored, and the second
watcher is stopped (SIGSTOP) until all changes of the time without a leader have come.
"""

import contextlib
import os
import signal
import sqlite3
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tests.proxies.mi_server import FakeMi, listed, wait_until
from tests.proxies.watchers import fail_or_recover, prepare, watchers

DESTINATIONS = 20
BATCH = 3 * DESTINATIONS
"""An odd number of changes for each destination: no list is as before."""
BATCHES = 3
"""Before the leader is killed, and again after another leads."""
A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """One change as stored."""

    uri: str
    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Takeover:
    """The outcome: the true changes' moments, what is stored, the gaps, seconds without a leader."""

    changes: tuple[datetime, ...]
    stored: tuple[Stored, ...]
    gaps: tuple[tuple[datetime, datetime], ...]
    led_again_after_s: float

    @property
    def lost(self) -> int:
        """How many changes were not stored."""
        return len(self.changes) - len(self.stored)

    @property
    def in_gaps(self) -> int:
        """How many changes lie in a gap; a report's moment is known to the second."""
        return sum(any(begin - A_SECOND <= at <= end for begin, end in self.gaps) for at in self.changes)

    @property
    def is_one_line(self) -> bool:
        """Whether each change begins with the state that the one before ended with: none is doubled."""
        by_uri: dict[str, list[Stored]] = defaultdict(list)
        for each in self.stored:
            by_uri[each.uri].append(each)
        return all(
            one.after == next_one.before for changes in by_uri.values() for one, next_one in pairwise(changes)
        )


def take_over(folder: Path, changes_without_leader: int) -> Takeover:
    """Run it in `folder`; everything that was started is ended."""
    mi = FakeMi(reports=[], sets={1: [listed(f"sip:gateway-{n}") for n in range(DESTINATIONS)]})
    mi.start()
    try:
        database_file = prepare(folder, [mi.url])
        with (
            contextlib.closing(sqlite3.connect(database_file)) as database,
            watchers(folder, 2) as processes,
        ):
            return _run(mi, database, [each.pid for each in processes], changes_without_leader)
    finally:
        mi.stop()


def _run(mi: FakeMi, database: sqlite3.Connection, watchers: list[int], without_leader: int) -> Takeover:
    assert wait_until(lambda: len(_states(database)) == DESTINATIONS, 60)
    changes: list[datetime] = []
    for _ in range(BATCHES):
        _change(mi, changes, BATCH)
        assert wait_until(lambda: len(_stored(database)) == len(changes), 60)
    killed = _leader(database)
    leading = int(killed.split("/")[1])
    [waiting] = [pid for pid in watchers if pid != leading]
    os.kill(waiting, signal.SIGSTOP)
    os.kill(leading, signal.SIGKILL)
    killed_at = time.monotonic()
    _change(mi, changes, without_leader)
    os.kill(waiting, signal.SIGCONT)
    assert wait_until(lambda: _leader(database) != killed, 60)
    led_again_after_s = time.monotonic() - killed_at
    assert wait_until(lambda: _states(database) == _truth(mi), 60)
    for _ in range(BATCHES):
        _change(mi, changes, BATCH)
        assert wait_until(lambda: _states(database) == _truth(mi), 60)
    # What a list does not show any more is found in the reports with the visit after it.
    wait_until(lambda: len(_stored(database)) == len(changes), 6)
    return Takeover(tuple(changes), _stored(database), _gaps(database), led_again_after_s)


def _change(mi: FakeMi, changes: list[datetime], count: int) -> None:
    """Have `count` changes happen, and the ring go on to another second: reports have no finer moment."""
    for number in range(count):
        changes.append(datetime.now(UTC))
        fail_or_recover(mi, mi.sets[1][number % DESTINATIONS])
    last = changes[-1].replace(microsecond=0)
    assert wait_until(lambda: datetime.now(UTC) >= last + A_SECOND)


def _truth(mi: FakeMi) -> dict[str, str]:
    return {each["URI"]: each["state"].lower() for each in mi.sets[1]}


def _leader(database: sqlite3.Connection) -> str:
    return str(database.execute("SELECT holder FROM efcp_watcher_heartbeat").fetchone()[0])


def _states(database: sqlite3.Connection) -> dict[str, str]:
    return dict(database.execute("SELECT uri, state FROM efcp_known_destination").fetchall())


def _stored(database: sqlite3.Connection) -> tuple[Stored, ...]:
    rows = database.execute(
        "SELECT uri, at, state_before, state_after FROM efcp_state_change ORDER BY at, id"
    ).fetchall()
    return tuple(Stored(uri, _moment(at), before, after) for uri, at, before, after in rows)


def _gaps(database: sqlite3.Connection) -> tuple[tuple[datetime, datetime], ...]:
    rows = database.execute('SELECT "begin", "end" FROM efcp_history_gap').fetchall()
    return tuple((_moment(begin), _moment(end)) for begin, end in rows)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
