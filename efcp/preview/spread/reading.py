"""Reading one column of a call log in batches, with what of it is broken.

Only a job's own process imports this: it needs pyarrow, the extra `replay`.
"""

from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from efcp.jobs.kinds import JobError
from efcp.preview.models import CallLog as StoredLog
from efcp.preview.spread.sniffing import Format

BLOCK_BYTES = 4 << 20
"""What is read of a CSV file at once; also the longest line."""
BATCH_ROWS = 1 << 17
BROKEN_SHOWN = 10
TEXT_SHOWN = 200
HOPELESS_AFTER = 100_000
"""Broken rows without a good one before them, after which the file is taken as of another make."""

_LINES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Layout:
    """How a log is to be read; the delimiter and the header are CSV's alone."""

    format: Format
    columns: tuple[str, ...]
    delimiter: str
    has_header: bool

    @classmethod
    def of(cls, log: StoredLog, *, has_header: bool) -> "Layout":
        """How an upload is to be read."""
        return cls(Format(log.format), tuple(log.columns), log.delimiter, has_header)


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that is left out.

    `line` is counted from 1 without empty lines, of a Parquet file it is the row; None where it is lost.
    """

    line: int | None
    why: str
    text: str


@dataclass(slots=True)
class Broken:
    """How many rows were left out, and the first of them."""

    count: int = 0
    first: list[BrokenRow] = field(default_factory=list)

    def add(self, line: int | None, why: str, text: str, rows: int = 1) -> None:
        """Count a row, or several that hang together, and keep it while there are few."""
        self.count += rows
        if len(self.first) < BROKEN_SHOWN:
            self.first.append(BrokenRow(line, why, text[:TEXT_SHOWN]))


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows' values of the column: a pyarrow array of (large) binary.

    `line_of` tells the line of the row at an index of it. `position` is how much of the whole is read.
    """

    values: Any
    line_of: Callable[[int], int | None]
    position: int


@dataclass(slots=True)
class CallLog:
    """A log that is read once, from its beginning. `broken` grows meanwhile.

    `size` is the whole, in `unit`: what a batch's position counts.
    """

    path: Path
    layout: Layout
    broken: Broken = field(default_factory=Broken)
    _swallowed: list[tuple[int, int]] = field(default_factory=list)
    """Broken lines: where, and how many hang together."""

    @property
    def size(self) -> int:
        """Bytes of a CSV file, rows of a Parquet file."""
        if self.layout.format is Format.CSV:
            return self.path.stat().st_size
        try:
            return int(_parquet(self.path).metadata.num_rows)
        except (pa.ArrowInvalid, OSError) as error:
            raise JobError(f"The Parquet file can't be read: {str(error)[:200]}") from None

    @property
    def unit(self) -> str:
        """What `size` counts."""
        return "bytes" if self.layout.format is Format.CSV else "rows"

    def batches(self, column: int) -> Iterator[Batch]:
        """The values of the column at an index, in bounded batches.

        Raises JobError where the file can't be read (on), or has other columns than its beginning has.
        """
        read = self._csv if self.layout.format is Format.CSV else self._parquet
        return read(column)

    def _csv(self, column: int) -> Iterator[Batch]:
        names = [f"c{index}" for index in range(len(self.layout.columns))]
        wanted = names[column]
        good = 0
        with pa.OSFile(str(self.path)) as file:
            try:
                # One thread: only so the numbers of broken lines are known.
                reader = csv.open_csv(
                    file,
                    csv.ReadOptions(
                        use_threads=False,
                        block_size=BLOCK_BYTES,
                        column_names=names,
                        skip_rows=1 if self.layout.has_header else 0,
                    ),
                    csv.ParseOptions(
                        delimiter=self.layout.delimiter,
                        invalid_row_handler=lambda row: self._skip(row, good),
                    ),
                    csv.ConvertOptions(
                        include_columns=[wanted],
                        column_types={wanted: pa.binary()},
                        check_utf8=False,
                        strings_can_be_null=False,
                    ),
                )
                for batch in reader:
                    first = good
                    good += batch.num_rows
                    yield Batch(batch.column(0), partial(self._line_after, first), file.tell())
            except pa.ArrowInvalid as error:
                raise JobError(_said_of_csv(error, self.broken.count)) from None

    def _skip(self, row: Any, good: int) -> str:
        """Take note of a line with another number of columns; of several, where an open quote joins them."""
        lines = row.text.count("\n") + 1
        line = None
        if row.number is not None and len(self._swallowed) < _LINES_KEPT:
            line = row.number + sum(extra - 1 for _at, extra in self._swallowed)
            insort(self._swallowed, (line, lines))
        why = (
            f"{row.actual_columns} column{'s' * (row.actual_columns != 1)} instead of {row.expected_columns}"
        )
        self.broken.add(line, why, row.text, lines)
        return "error" if not good and self.broken.count >= HOPELESS_AFTER else "skip"

    def _line_after(self, first: int, index: int) -> int | None:
        """The line of a good row; None where too many lines before it are broken."""
        if len(self._swallowed) >= _LINES_KEPT:
            return None
        line = first + index + (2 if self.layout.has_header else 1)
        for at, lines in self._swallowed:
            if at > line:
                break
            line += lines
        return line

    def _parquet(self, column: int) -> Iterator[Batch]:
        try:
            file = _parquet(self.path)
            name = self.layout.columns[column]
            if self.layout.columns.count(name) > 1:
                raise JobError(f"Several columns are called {name}, so that none can be chosen by it.")
            at = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=[name], use_threads=False):
                line_of = partial(_row_after, at)
                at += batch.num_rows
                yield Batch(_as_binary(batch.column(0), name), line_of, at)
        except (pa.ArrowInvalid, pa.ArrowKeyError, IndexError, OSError) as error:
            raise JobError(f"The Parquet file can't be read (on): {str(error)[:200]}") from None


def _parquet(path: Path) -> Any:
    """The file, read as a stream: neither mapped nor fetched ahead."""
    return parquet.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=1 << 20)


def _row_after(first: int, index: int) -> int:
    return first + index + 1


def _as_binary(values: Any, name: str) -> Any:
    """A column's values as the bytes of their texts."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
        kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return values
    if pa.types.is_large_string(kind):
        return values.cast(pa.large_binary())
    if pa.types.is_integer(kind):
        values = values.cast(pa.string())
    elif not pa.types.is_string(kind):
        raise JobError(f"The column {name} holds {kind}: choose one that holds texts.")
    return values.cast(pa.binary())


def _said_of_csv(error: Exception, broken: int) -> str:
    text = str(error)
    if "straddling object" in text:
        return f"A line is longer than {BLOCK_BYTES >> 20} MB: this is no call log."
    if broken >= HOPELESS_AFTER:
        return f"Each of the first {broken} lines has another number of columns than the first line."
    return f"The CSV file can't be read (on): {text[:200]}"
