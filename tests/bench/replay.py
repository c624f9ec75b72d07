"""How many selections a second a replay makes from keys in memory, beside a compiled loop as a bound."""

import ctypes
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dispatcher.routing.destinations import LiveSet
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.replay import Calls, Keys, Replay
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selection import Algorithm

CALLS = 2_000_000
TIMES = 5
# The sum over words of one key, as dispatch.c of the module makes it, written independently.
LOOP = """
#include <stdint.h>
uint32_t all(const signed char *data, const int64_t *offsets, int64_t count, uint32_t total, uint32_t *per) {
  for (int64_t i = 0; i < count; i++) {
    const signed char *at = data + offsets[i], *end = data + offsets[i + 1];
    uint32_t sum = 0, word;
    for (; at + 4 <= end; at += 4) {
      word = ((uint32_t)at[0] << 24) + ((uint32_t)at[1] << 16) + ((uint32_t)at[2] << 8) + (uint32_t)at[3];
      sum += word ^ (word >> 3);
    }
    for (word = 0; at < end; at++) word = (word << 8) + (uint32_t)*at;
    sum += word ^ (word >> 3);
    sum += (sum >> 11) + (sum >> 13) + (sum >> 23);
    per[(sum ? sum : 1) % total]++;
  }
  return per[0];
}
"""


def measure() -> None:
    """Print a line for each kind of algorithm, and one for the compiled loop."""
    dice = random.Random(1)
    keys = Keys.of(
        b"%x-%d@10.0.%d.%d"
        % (dice.getrandbits(64), dice.randrange(10**6), dice.randrange(256), dice.randrange(256))
        for _ in range(CALLS)
    )
    hosts = Keys.of(b"gw%d.example.org" % dice.randrange(500) for _ in range(CALLS))
    live, impaired = _set([]), _set([3, 7])
    print(f"Replay of {CALLS:,} calls, keys of {len(keys.data) / CALLS:.0f} bytes, 10 destinations:")
    for name, act in (
        ("one key", lambda: Replay(live, Algorithm.CALL_ID).choose(Calls(keys))),
        ("one key, 2 of 10 down", lambda: Replay(impaired, Algorithm.CALL_ID).choose(Calls(keys))),
        ("two keys (a URI)", lambda: Replay(live, Algorithm.TO_URI).choose(Calls(keys, hosts))),
        ("round robin", lambda: Replay(live, Algorithm.ROUND_ROBIN).choose_unkeyed(CALLS)),
    ):
        _report(name, act)
    _compiled(keys)


def _set(inactive: list[int]) -> LiveSet:
    memory = ProxyMemory(Environment(resolve=lambda _host, _port, _transport: ("192.0.2.1",)))
    memory.reload(
        DestinationRow(
            1, f"sip:192.0.2.1:{6000 + number}", weight=str(1 + number), state=int(number in inactive)
        )
        for number in range(10)
    )
    return memory.sets[1]


def _report(name: str, act: Callable[[], object]) -> None:
    best = min(_seconds(act) for _ in range(TIMES))
    print(f"       {name:<24}{CALLS / best / 1e6:8.1f} million selections a second", flush=True)


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _compiled(keys: Keys) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        print("       no compiler here, so no bound")
        return
    with TemporaryDirectory(prefix="efcp-bench-") as folder:
        source, library = Path(folder, "loop.c"), Path(folder, "loop.so")
        source.write_text(LOOP)
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        loop = ctypes.CDLL(str(library)).all
        per = np.zeros(55, np.uint32)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (keys.data, keys.offsets, per)]
        count, total = ctypes.c_int64(CALLS), ctypes.c_uint32(len(per))
        _report("a compiled loop", lambda: loop(pointers[0], pointers[1], count, total, pointers[2]))


if __name__ == "__main__":
    measure()
