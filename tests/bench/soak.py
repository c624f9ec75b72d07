"""`make soak`: whether the watcher's memory stays flat at twenty proxies of a thousand destinations.

A proxy's destinations fail and recover all the while. Each line is a minute: resident memory in MB, processor
time in percent of one core, changes stored so far.
"""

import argparse
import contextlib
import itertools
import os
import random
import sqlite3
import tempfile
import time
from pathlib import Path

from tests.proxies.mi_server import FakeMi, listed
from tests.proxies.watchers import fail_or_recover, prepare, watchers

PROXIES = 20
DESTINATIONS = 1000
CHANGES_A_SECOND = 5
SETS = 50
_PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the curve, and how the last quarter compares with the second."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    minutes = parser.parse_args().minutes
    proxies = [_proxy() for _ in range(PROXIES)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            database_file = prepare(Path(folder), [mi.url for mi in proxies])
            with (
                contextlib.closing(sqlite3.connect(database_file)) as database,
                watchers(Path(folder), 1) as (watcher,),
            ):
                curve = [_minute(number, proxies, database, watcher.pid) for number in range(minutes)]
    finally:
        for mi in proxies:
            mi.stop()
    quarter = max(1, len(curve) // 4)
    early, late = max(curve[quarter : 2 * quarter] or curve), max(curve[-quarter:])
    print(f"most memory in the second quarter {early:.1f} MB, in the last {late:.1f} MB")


def _proxy() -> FakeMi:
    per_set = DESTINATIONS // SETS
    sets = {
        setid: [listed(f"sip:gw{number}.set{setid}.example.net:5060") for number in range(per_set)]
        for setid in range(1, SETS + 1)
    }
    mi = FakeMi(sets=sets, reports=[])
    mi.start()
    return mi


def _minute(number: int, proxies: list[FakeMi], database: sqlite3.Connection, pid: int) -> float:
    """Let a minute go by with changes all the while; print its line, and return the memory in MB."""
    dice = random.Random(number)
    ticks_before = ticks(pid)
    started = time.monotonic()
    for change in itertools.count():
        if time.monotonic() - started > 60:
            break
        mi = dice.choice(proxies)
        fail_or_recover(mi, dice.choice(mi.sets[dice.randint(1, SETS)]))
        time.sleep(max(0.0, started + (change + 1) / CHANGES_A_SECOND - time.monotonic()))
    percent = 100 * (ticks(pid) - ticks_before) / TICKS_A_SECOND / (time.monotonic() - started)
    memory_mb = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20
    stored = database.execute("SELECT count(*) FROM efcp_state_change").fetchone()[0]
    print(f"minute {number + 1:>3}: {memory_mb:6.1f} MB {percent:5.1f} % {stored:>6} changes", flush=True)
    return memory_mb


def ticks(pid: int) -> int:
    """The processor's ticks that a process used, its threads and the system's work for it included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
