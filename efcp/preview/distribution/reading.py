"""Read one column of an uploaded log in batches, and count the broken rows.

Only a job's own process imports this: it needs pyarrow, the extra `replay`.
"""

from bisect import insort
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import csv, parquet

from efcp.jobs.job_types import JobError
from efcp.preview.distribution.log_formats import Format
from efcp.preview.models import CallLog

BLOCK_BYTES = 4 << 20
"""What is read of a CSV file at once; also the longest line."""
BATCH_ROWS = 1 << 17
BROKEN_SHOWN = 10
TEXT_SHOWN = 200
HOPELESS_AFTER = 100_000
"""Broken rows without a good one before them, after which the file is taken for something else."""

_LINES_KEPT = 10_000

BatchT = TypeVar("BatchT")


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that is left out.

    `line` counts from 1 without empty lines, in a Parquet file rows; None where the count is lost.
    """

    line: int | None
    why: str
    text: str


@dataclass(slots=True)
class BrokenRows:
    """How many rows were left out, and the first of them."""

    count: int = 0
    first: list[BrokenRow] = field(default_factory=list)

    def add(self, line: int | None, why: str, text: str, rows: int = 1) -> None:
        """Count a row, or several that hang together, and keep the first ones."""
        self.count += rows
        if len(self.first) < BROKEN_SHOWN:
            self.first.append(BrokenRow(line, why, text[:TEXT_SHOWN]))


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """The column's values in some rows: a pyarrow array of (large) binary.

    `line_of` gives the line of the row at an index. `position` is how much of the log has been read.
    """

    values: Any
    line_of: Callable[[int], int | None]
    position: int


@dataclass(slots=True)
class LogReader:
    """Reads a log once, from its start; the delimiter and the header are for CSV only. `broken` grows."""

    path: Path
    format: Format
    columns: tuple[str, ...]
    delimiter: str
    has_header: bool
    broken: BrokenRows = field(default_factory=BrokenRows)
    _swallowed: list[tuple[int, int]] = field(default_factory=list)
    """Broken lines: where, and how many hang together."""

    @classmethod
    def of(cls, log: CallLog, *, has_header: bool) -> "LogReader":
        """The reader of an upload."""
        return cls(log.path, Format(log.format), tuple(log.columns), log.delimiter, has_header)

    @property
    def size(self) -> int:
        """Bytes of a CSV file, rows of a Parquet file; what a batch's position counts."""
        if self.format is Format.CSV:
            return self.path.stat().st_size
        try:
            return int(_parquet(self.path).metadata.num_rows)
        except (pa.ArrowInvalid, OSError) as error:
            raise JobError(f"The Parquet file can't be read: {str(error)[:200]}") from None

    @property
    def unit(self) -> str:
        """What `size` counts."""
        return "bytes" if self.format is Format.CSV else "rows"

    def batches(self, column: int) -> Iterator[ColumnBatch]:
        """The values of the column at an index, in bounded batches.

        Raises JobError where the file can't be read (on), or its columns change.
        """
        return self._csv(column) if self.format is Format.CSV else self._parquet(column)

    def _csv(self, column: int) -> Iterator[ColumnBatch]:
        names = [f"c{index}" for index in range(len(self.columns))]
        name = names[column]
        good = 0
        with pa.OSFile(str(self.path)) as file:
            try:
                # A single thread: only then are the numbers of broken lines known.
                reader = csv.open_csv(
                    file,
                    csv.ReadOptions(
                        use_threads=False,
                        block_size=BLOCK_BYTES,
                        column_names=names,
                        skip_rows=1 if self.has_header else 0,
                    ),
                    csv.ParseOptions(
                        delimiter=self.delimiter,
                        invalid_row_handler=lambda row: self._skip(row, good),
                    ),
                    csv.ConvertOptions(
                        include_columns=[name],
                        column_types={name: pa.binary()},
                        check_utf8=False,
                        strings_can_be_null=False,
                    ),
                )
                for batch in reader:
                    first = good
                    good += batch.num_rows
                    yield ColumnBatch(batch.column(0), partial(self._line_after, first), file.tell())
            except pa.ArrowInvalid as error:
                raise JobError(_csv_problem(error, self.broken.count)) from None

    def _skip(self, row: Any, good: int) -> str:
        """Note a line with another number of columns, or several that an open quote joins."""
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
        line = first + index + (2 if self.has_header else 1)
        for at, lines in self._swallowed:
            if at > line:
                break
            line += lines
        return line

    def _parquet(self, column: int) -> Iterator[ColumnBatch]:
        try:
            file = _parquet(self.path)
            name = self.columns[column]
            if self.columns.count(name) > 1:
                raise JobError(f"Several columns are named {name}: rename them first.")
            at = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=[name], use_threads=False):
                line_of = partial(_row_after, at)
                at += batch.num_rows
                yield ColumnBatch(_as_binary(batch.column(0), name), line_of, at)
        except (pa.ArrowInvalid, pa.ArrowKeyError, IndexError, OSError) as error:
            raise JobError(f"The Parquet file can't be read any further: {str(error)[:200]}") from None


def read_ahead(batches: Iterator[BatchT]) -> Iterator[BatchT]:
    """The same batches, each read by a thread of its own while the one before is worked on.

    pyarrow and numpy release the interpreter's lock, so that two cores are used.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        following = reader.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = reader.submit(next, batches, None)
            yield batch


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
        raise JobError(f"Column {name} contains {kind}: select a text column.")
    return values.cast(pa.binary())


def _csv_problem(error: Exception, broken: int) -> str:
    text = str(error)
    if "straddling object" in text:
        return f"A line is longer than {BLOCK_BYTES >> 20} MB: not a call log."
    if broken >= HOPELESS_AFTER:
        return f"None of the first {broken} lines has as many columns as the first line."
    return f"The CSV file can't be read: {text[:200]}"
