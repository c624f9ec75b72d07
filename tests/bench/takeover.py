"""How long nobody watches after the leading watcher is killed, and what is stored of that time."""

import tempfile
from pathlib import Path

from tests.proxies.takeover import take_over

CHANGES_WITHOUT_LEADER = (100, 250)
"""Fewer and more than a proxy's 200 reports cover."""


def measure() -> None:
    """Print both."""
    for count in CHANGES_WITHOUT_LEADER:
        with tempfile.TemporaryDirectory() as folder:
            found = take_over(Path(folder), count)
        print(
            f"a watcher killed, then {count} changes: another led after {found.led_again_after_s:.1f} s;"
            f" {len(found.stored)} of {len(found.changes)} changes stored, {len(found.gaps)} gaps"
        )
