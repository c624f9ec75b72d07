"""Calls with a start and a duration: generated, or out of a pasted log. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

import numpy as np
from numpy.typing import NDArray

MAX_CALLS = 20_000
MAX_DURATION_S = 7 * 24 * 3600.0
SHOWN_BROKEN = 5

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls in the order of their starts, which count from the first one. Both arrays are in seconds."""

    starts: Seconds
    durations: Seconds

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def ends(self) -> Seconds:
        """When each call ends."""
        return self.starts + self.durations

    @property
    def variation(self) -> float:
        """The durations' standard deviation over their mean; 0 where all are the same."""
        mean = float(self.durations.mean()) if len(self) else 0.0
        return float(self.durations.std()) / mean if mean else 0.0


@dataclass(frozen=True, slots=True)
class BrokenLines:
    """Lines of a log that are no calls: how many, and number and text of the first few."""

    count: int
    shown: tuple[tuple[int, str], ...]


def generated_traffic(count: int, rate: float, mean_s: float, sigma: float, seed: int) -> Traffic:
    """Poisson arrivals of `rate` calls a second, with log-normal durations of mean `mean_s`.

    `sigma` is the standard deviation of the durations' logarithm: 0 makes all durations equal.
    """
    dice = np.random.default_rng(seed)
    starts = np.cumsum(dice.exponential(1 / rate, count))
    durations = dice.lognormal(np.log(mean_s) - sigma**2 / 2, sigma, count)
    return Traffic(starts - starts[0], np.minimum(durations, MAX_DURATION_S))


def parse_traffic(lines: Iterable[str]) -> tuple[Traffic, BrokenLines]:
    """Read `start,duration` lines: seconds or an ISO time, and seconds; at most MAX_CALLS calls.

    The first line may be a heading. Lines that are neither are counted as broken.
    """
    found: list[tuple[float, float]] = []
    shown: list[tuple[int, str]] = []
    broken = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        call = _call(line)
        if call is not None:
            found.append(call)
        elif number > 1:
            broken += 1
            if len(shown) < SHOWN_BROKEN:
                shown.append((number, line.strip()[:80]))
        if len(found) == MAX_CALLS:
            break
    found.sort()
    starts = np.array([start for start, _duration in found])
    durations = np.array([duration for _start, duration in found])
    return Traffic(starts - starts[0] if len(found) else starts, durations), BrokenLines(broken, tuple(shown))


def _call(line: str) -> tuple[float, float] | None:
    parts = [part.strip().strip('"') for part in line.replace(";", ",").replace("\t", ",").split(",")]
    if len(parts) < 2:
        return None
    try:
        start, duration = _moment(parts[0]), float(parts[1])
    except (ValueError, OverflowError):
        return None
    is_call = isfinite(start) and 0 <= duration <= MAX_DURATION_S
    return (start, duration) if is_call else None


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
