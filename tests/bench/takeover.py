"""How long a killed watcher leaves the proxies unwatched, and how many of a thousand changes that costs."""

import tempfile
from pathlib import Path

from tests.proxies.takeover import CHANGES, take_over

RATES = (25, 100)
"""Changes a second: fewer and more than a proxy's 200 reports cover in the time of a takeover."""


def measure() -> None:
    """Print what came of it at each rate."""
    for rate in RATES:
        with tempfile.TemporaryDirectory() as folder:
            found = take_over(Path(folder), rate)
        print(
            f"a watcher killed at {rate} changes a second: another led after {found.led_again_after_s:.1f} s;"
            f" of {CHANGES} changes {found.lost} were lost, in {len(found.gaps)} recorded gaps",
            flush=True,
        )
