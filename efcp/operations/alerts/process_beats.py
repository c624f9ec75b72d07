"""Which of the panel's own processes have stopped, as the others see it.

The watcher and the worker each beat in a row of the database. The observer measures by its own clock for how
long a beat stands still, and compares no two machines' clocks: after STOPPED_AFTER the process has stopped.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F

from efcp.operations.alerts.models import ProcessBeat
from efcp.proxies.models import WatcherHeartbeat

STOPPED_AFTER = timedelta(seconds=60)
WORKER = "worker"
WATCHER = "watcher"


@dataclass(slots=True)
class Observer:
    """What this process saw of the others' beats: the number, and when it was new by the monotonic clock."""

    observed: dict[str, tuple[int, float]] = field(default_factory=dict)

    def stopped(self, now: datetime, monotonic_s: float) -> dict[str, datetime]:
        """Processes whose beat stands still, and the last time of each."""
        found = {}
        for name, (beats, beat_at) in _beats().items():
            before = self.observed.get(name)
            if before is None or before[0] != beats:
                self.observed[name] = (beats, monotonic_s)
            elif monotonic_s - before[1] >= STOPPED_AFTER.total_seconds():
                found[name] = min(beat_at, now)
        return found


_OBSERVER = Observer()


def stopped_processes(now: datetime) -> dict[str, datetime]:
    """The processes that stopped, and since when, as this process has observed them."""
    return _OBSERVER.stopped(now, time.monotonic())


def beat(name: str, now: datetime) -> None:
    """Show that this process works."""
    if not ProcessBeat.objects.filter(name=name).update(beats=F("beats") + 1, beat_at=now):
        ProcessBeat.objects.get_or_create(name=name, defaults={"beats": 1, "beat_at": now})


def _beats() -> dict[str, tuple[int, datetime]]:
    found = {each.name: (each.beats, each.beat_at) for each in ProcessBeat.objects.all()[:10]}
    watcher = WatcherHeartbeat.objects.filter(pk=1).values_list("beats", "beat_at").first()
    return found | ({WATCHER: watcher} if watcher else {})
