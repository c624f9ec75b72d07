"""What an uploaded file is, from its first bytes: CSV with which columns, or Parquet; or neither, and why."""

import csv
import io
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LOOKED_AT = 64 * 1024
FIRST_ROWS = 8
MAX_COLUMNS = 500
CELL_SHOWN = 120

_DELIMITERS = ",;\t|"
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\v")
_PARQUET = b"PAR1"
_BINARY_KINDS = (
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet: unpack it, or save it as CSV, first"),
    (b"BZh", "compressed by bzip2: unpack it first"),
    (b"\xfd7zXZ", "compressed by xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF"),
    (b"\xff\xfe", "UTF-16 text: save it as UTF-8 first"),
    (b"\xfe\xff", "UTF-16 text: save it as UTF-8 first"),
    (b"ORC", "ORC, not Parquet"),
    (b"\xd4\xc3\xb2\xa1", "a capture of packets, not a log of calls"),
)


class Format(StrEnum):
    """How a log is written."""

    CSV = "csv"
    PARQUET = "parquet"


class NoLogError(Exception):
    """The file is no call log; the message tells people why."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A log's format, columns and first rows. `delimiter` and `has_header` are CSV's alone."""

    format: Format
    columns: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    delimiter: str = ""
    has_header: bool = False


def format_of(start: bytes) -> Format:
    """The format of a file that starts so; raises NoLogError where it is none that can be read."""
    if not start.strip():
        raise NoLogError("The file is empty.")
    if start.startswith(_PARQUET):
        return Format.PARQUET
    for magic, what in _BINARY_KINDS:
        if start.startswith(magic):
            raise NoLogError(f"This is no CSV or Parquet file: it is {what}.")
    if any(byte < 32 and byte not in _TEXT_CONTROLS for byte in set(start)):
        raise NoLogError("This is no CSV or Parquet file: it is binary.")
    return Format.CSV


def sketch_of_csv(path: Path) -> Sketch:
    """Look at the beginning of a CSV file; raises NoLogError."""
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    format_of(start)
    lines = start.decode("utf-8-sig", "replace").splitlines(keepends=True)
    if len(start) == LOOKED_AT:
        lines.pop()
    if not lines:
        raise NoLogError(f"The first line is longer than {LOOKED_AT // 1024} KB: this is no call log.")
    delimiter = max(_DELIMITERS, key=lines[0].count)
    rows = _first_rows(lines, delimiter)
    if len(rows[0]) > MAX_COLUMNS:
        raise NoLogError(f"It has {len(rows[0])} columns; at most {MAX_COLUMNS} can be read.")
    has_header = _looks_like_names(rows[0])
    return Sketch(
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
        raise NoLogError(f"This is no CSV file: {error}.") from None
    if not rows:
        raise NoLogError("The file has no lines but empty ones.")
    return rows


def _looks_like_names(row: list[str]) -> bool:
    """Whether a first row names columns: no cell empty or twice, none with what only values hold."""
    if len(set(row)) < len(row):
        return False
    return all(cell.strip() and not set(cell) & set("@:<>") and not cell.strip().isdigit() for cell in row)
