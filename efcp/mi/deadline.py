"""One limit on the whole time of a request."""

import math
import time
from dataclasses import dataclass
from typing import Self

from efcp.mi.errors import Stage, TooSlowError


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, by the monotonic clock, at which a request that may take `limit_s` seconds is given up."""

    ends_at: float
    limit_s: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The deadline `seconds` from now. Raises ValueError for anything but a positive, finite number."""
        if not (math.isfinite(seconds) and seconds > 0):
            raise ValueError(f"A timeout must be a positive number of seconds, not {seconds!r}.")
        return cls(time.monotonic() + seconds, seconds)

    def remaining(self, stage: Stage) -> float:
        """Seconds left, more than 0; raise TooSlowError, naming `stage`, where none are left."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise self.passed_at(stage)
        return left

    def at_most(self, seconds: float) -> "Deadline":
        """This deadline, or the one `seconds` from now, whichever comes first."""
        return Deadline(min(self.ends_at, time.monotonic() + seconds), self.limit_s)

    def passed_at(self, stage: Stage) -> TooSlowError:
        """The error that says that this deadline passed at `stage`."""
        return TooSlowError(stage, self.limit_s)
