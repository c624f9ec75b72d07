"""From a log's column to calls that can be sent through a set; rows that hold no call are broken.

Only a job's own process imports this: it needs pyarrow, the extra `replay`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.replay import Calls, Keys
from dispatcher.routing.selection import SelectFlag
from efcp.preview.spread.fields import FIELD_OF, LABELS, URIS, Field
from efcp.preview.spread.packing import key_column, packed
from efcp.preview.spread.question import Question
from efcp.preview.spread.reading import BROKEN_SHOWN, Batch, CallLog

_NEEDED = URIS | {Field.CALL_ID}
"""Without an auth user or a custom key a proxy has an answer; a call without one of these is none."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some calls, which of them are broken, and how much of the log is read with them."""

    calls: Calls
    broken: NDArray[np.bool_] | None
    position: int


class LogCalls:
    """The calls of a log. `rows` counts those that are read and not broken."""

    def __init__(self, log: CallLog, question: Question, columns: dict[str, int]) -> None:
        self.rows = 0
        self._log = log
        self._field = FIELD_OF.get(question.algorithm)
        self._user_only = SelectFlag.USER_ONLY in question.flags
        self._dice = np.random.default_rng(0)
        # Where nothing is hashed any column tells how many rows there are.
        self._column = columns[self._field] if self._field else 0

    def portions(self) -> Iterator[Portion]:
        """The calls; raises JobError where the file can't be read (on)."""
        for batch in self._log.batches(self._column):
            portion = self._unkeyed(batch) if self._field is None else self._keyed(batch, self._field)
            self.rows += len(portion.calls)
            if portion.broken is not None:
                self.rows -= int(portion.broken.sum())
            yield portion

    def _unkeyed(self, batch: Batch) -> Portion:
        """Calls whose keys are random: they are hashed for algorithm 6 only."""
        count = len(batch.values)
        data = self._dice.integers(0, 256, 8 * count, np.uint8)
        return Portion(Calls(Keys(data, np.arange(count + 1, dtype=np.int64) * 8)), None, batch.position)

    def _keyed(self, batch: Batch, field: Field) -> Portion:
        column = key_column(field, batch.values, user_only=self._user_only)
        first, *others = (_keys(part) for part in column.parts)
        missing = column.missing
        calls = Calls(first, others[0] if others else None, missing)
        if missing is None or field not in _NEEDED:
            return Portion(calls, None, batch.position)
        self._tell_broken(batch, field, np.flatnonzero(missing))
        return Portion(calls, missing, batch.position)

    def _tell_broken(self, batch: Batch, field: Field, rows: NDArray[np.intp]) -> None:
        for row in rows[:BROKEN_SHOWN].tolist():
            value = batch.values[row].as_py() or b""
            self._log.broken.add(batch.line_of(row), _why(field, value), value.decode("utf-8", "replace"))
        self._log.broken.count += max(0, len(rows) - BROKEN_SHOWN)


def _keys(values: object) -> Keys:
    data, offsets = packed(values)
    return Keys(data, offsets.astype(np.int64, copy=False))


def _why(field: Field, value: bytes) -> str:
    if not value.strip():
        return f"no {LABELS[field]}"
    return "a proxy does not parse this URI" if field in URIS else f"no {LABELS[field]}"
