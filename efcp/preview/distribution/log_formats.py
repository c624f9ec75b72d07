"""What an uploaded file is: CSV with which columns, or Parquet; or neither, and why.

`python -m efcp.preview.distribution.log_formats PATH` prints a Parquet file's columns and first rows as
JSON, in a process of its own with bounded memory and time: a file may be made to expand without limit, and
the library that reads it may crash on it. The panel's own processes never load that library.
"""

import csv
import io
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from efcp.configuration import PROJECT_DIR

SAMPLE_BYTES = 64 * 1024
FIRST_ROWS = 8
MAX_COLUMNS = 500
CELL_SHOWN = 120

_DELIMITERS = ",;\t|"
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\v")
_PARQUET = b"PAR1"
_BINARY_KINDS = (
    (b"\x1f\x8b", "compressed (gzip): unpack it first"),
    (b"PK\x03\x04", "a ZIP archive or spreadsheet: unpack it or save it as CSV"),
    (b"BZh", "compressed (bzip2): unpack it first"),
    (b"\xfd7zXZ", "compressed (xz): unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd): unpack it first"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF"),
    (b"\xff\xfe", "UTF-16 text: save it as UTF-8 first"),
    (b"\xfe\xff", "UTF-16 text: save it as UTF-8 first"),
    (b"ORC", "ORC, not Parquet"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture, not a call log"),
)

READER_MEMORY = 600_000_000
READER_TIMEOUT_S = 15.0


class Format(StrEnum):
    """How a log is written."""

    CSV = "csv"
    PARQUET = "parquet"


class NotACallLogError(Exception):
    """The file is no call log; the message says why."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log's format, columns and first rows. `delimiter` and `has_header` are for CSV only."""

    format: Format
    columns: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    delimiter: str = ""
    has_header: bool = False


def format_of(start: bytes) -> Format:
    """The format of a file that starts so; raises NotACallLogError where it is none that can be read."""
    if not start.strip():
        raise NotACallLogError("The file is empty.")
    if start.startswith(_PARQUET):
        return Format.PARQUET
    for magic, what in _BINARY_KINDS:
        if start.startswith(magic):
            raise NotACallLogError(f"Not a CSV or Parquet file, but {what}.")
    if any(byte < 32 and byte not in _TEXT_CONTROLS for byte in set(start)):
        raise NotACallLogError("Not a CSV or Parquet file, but binary data.")
    return Format.CSV


def read_csv_head(path: Path) -> LogHead:
    """Read the beginning of a CSV file; raises NotACallLogError."""
    with path.open("rb") as file:
        start = file.read(SAMPLE_BYTES)
    format_of(start)
    lines = start.decode("utf-8-sig", "replace").splitlines(keepends=True)
    if len(start) == SAMPLE_BYTES:
        lines.pop()
    if not lines:
        raise NotACallLogError(f"The first line is longer than {SAMPLE_BYTES // 1024} KB: not a call log.")
    delimiter = max(_DELIMITERS, key=lines[0].count)
    rows = _first_rows(lines, delimiter)
    if len(rows[0]) > MAX_COLUMNS:
        raise NotACallLogError(f"{len(rows[0]):,} columns; the limit is {MAX_COLUMNS}.")
    has_header = _looks_like_names(rows[0])
    return LogHead(
        format=Format.CSV,
        columns=tuple(rows[0]) if has_header else tuple(f"column {n + 1}" for n in range(len(rows[0]))),
        first_rows=tuple(map(shortened, rows[1:] if has_header else rows))[:FIRST_ROWS],
        delimiter=delimiter,
        has_header=has_header,
    )


def shortened(row: list[str]) -> tuple[str, ...]:
    """The cells of a row as a page shows them."""
    return tuple(cell if len(cell) <= CELL_SHOWN else f"{cell[:CELL_SHOWN]}…" for cell in row)


def _first_rows(lines: list[str], delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO("".join(lines)), delimiter=delimiter)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > FIRST_ROWS:
                break
    except csv.Error as error:
        raise NotACallLogError(f"Not a CSV file: {error}.") from None
    if not rows:
        raise NotACallLogError("The file has only empty lines.")
    return rows


def _looks_like_names(row: list[str]) -> bool:
    """Whether a first row names columns: no cell empty or twice, none with what only values hold."""
    if len(set(row)) < len(row):
        return False
    return all(cell.strip() and not set(cell) & set("@:<>") and not cell.strip().isdigit() for cell in row)


def can_read_logs() -> bool:
    """Whether the library that reads logs is installed (the extra `replay`)."""
    return find_spec("pyarrow") is not None


def read_parquet_head(path: Path) -> LogHead:
    """Read the beginning of a Parquet file; raises NotACallLogError."""
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and a path that is ours
            [sys.executable, "-m", "efcp.preview.distribution.log_formats", str(path)],
            cwd=PROJECT_DIR,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=READER_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotACallLogError(f"The first rows can't be read within {READER_TIMEOUT_S:g} seconds.") from None
    if done.returncode != 0:
        raise NotACallLogError("The Parquet file is corrupt or needs too much memory to read.")
    found = json.loads(done.stdout)
    if "problem" in found:
        raise NotACallLogError(found["problem"])
    return LogHead(Format.PARQUET, tuple(found["columns"]), tuple(map(tuple, found["rows"])))


def main(path: str) -> int:
    """Print the head of the Parquet file, or its problem, as JSON."""
    resource.setrlimit(resource.RLIMIT_DATA, (READER_MEMORY, READER_MEMORY))
    json.dump(_describe(path), sys.stdout)
    return 0


def _describe(path: str) -> dict[str, object]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=1 << 20)
        columns = file.schema_arrow.names
        if len(columns) > MAX_COLUMNS:
            return {"problem": f"{len(columns):,} columns; the limit is {MAX_COLUMNS}."}
        if not file.metadata.num_rows or not columns:
            return {"problem": "The file has no rows."}
        batch = next(file.iter_batches(batch_size=FIRST_ROWS, use_threads=False))
    except (pa.ArrowException, OSError) as error:
        return {"problem": f"The Parquet file can't be read: {str(error)[:200]}"}
    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return {"columns": columns, "rows": [shortened([_text(cell) for cell in row]) for row in rows]}


def _text(cell: object) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return "" if cell is None else str(cell)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
