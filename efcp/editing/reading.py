"""Reading uploaded tables: CSV, JSON, XLSX, INSERTs of a SQL dump, and lists of `setid uri ...` lines.

Every format is a header of column names and rows of cells, each with its line. Whatever is wrong with a file
is an UnreadableFileError with a message for people. Nothing here knows what the columns mean.
"""

import codecs
import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from efcp.editing.export import plain_cell
from efcp.jobs.job_types import JobError

MAX_BYTES = 40_000_000
MAX_COLUMNS = 64
MAX_ROWS = 100_000
SAMPLE_ROWS = 10
_HEAD_BYTES = 1_000_000
"""How much of a file is read for its header and sample."""
_MAX_UNPACKED = 200_000_000
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
ENCODINGS = (
    ("utf-8-sig", "UTF-8"),
    ("cp1252", "Windows-1252 (Western European)"),
    ("latin-1", "ISO 8859-1 (latin1)"),
    ("utf-16", "UTF-16"),
    ("utf-16-le", "UTF-16 without a mark, little-endian"),
    ("utf-16-be", "UTF-16 without a mark, big-endian"),
)
_DELIMITERS = ",;\t|"
_INSERT = r"INSERT\s+(?:IGNORE\s+)?INTO\s+[`\"]?(?:\w+[`\"]?\.[`\"]?)?{table}[`\"]?(?=[\s(])"
_CREATE = r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?[`\"]?(?:\w+[`\"]?\.[`\"]?)?{table}[`\"]?\s*\("
_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|[A-Za-z_]\w*|[-+]?[\d.]+|.""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)|''", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "Z": "\x1a", "b": "\b"}


class UnreadableFileError(JobError):
    """The file can't be read as a table; the message says why, for people."""


class FileFormat(StrEnum):
    """What a file is."""

    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    SQL = "sql"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file and how it is read; `encoding` is empty where it has to be chosen, or has no part in it."""

    path: Path
    format: FileFormat
    encoding: str = ""
    delimiter: str = ","
    table: str = ""


Line = tuple[int, list[Any]]
"""The number of a line or row of a file, from 1, and its cells."""


@dataclass(frozen=True, slots=True)
class FileHead:
    """The names of the columns, and the first rows."""

    columns: tuple[str, ...]
    rows: tuple[Line, ...]
    is_whole: bool
    """Whether these are all rows."""


def inspect(path: Path, table: str) -> TableFile:
    """Find out what a file is. Raises UnreadableFileError."""
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.strip():
        raise UnreadableFileError("The file is empty.")
    if start.startswith(b"PK\x03\x04"):
        return TableFile(path, FileFormat.XLSX, table=table)
    encoding = encoding_of(path)
    text = _text(path, encoding or "cp1252", _HEAD_BYTES)
    found = _format_of(text)
    return TableFile(path, found, encoding, _delimiter_of(text), table)


def encoding_of(path: Path) -> str:
    """The encoding of a text file; empty where it is neither UTF-8 nor UTF-16. Raises UnreadableFileError."""
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if b"\0" in start:
            for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
                if zeros.count(0) > 0.7 * len(zeros):
                    return encoding
            raise UnreadableFileError("This is no text, JSON or XLSX file.")
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return ""
    return "utf-8-sig"


def _text(path: Path, encoding: str, limit: int = MAX_BYTES) -> str:
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if limit == MAX_BYTES and len(content) > limit:
        raise UnreadableFileError(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
    try:
        return content[:limit].decode(encoding, "strict" if limit == MAX_BYTES else "ignore")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableFileError(f"Line {line:,} is not {encoding}: choose another encoding.") from None


def _format_of(text: str) -> FileFormat:
    start = text.lstrip()
    if start[:1] in "[{":
        return FileFormat.JSON
    if re.search(r"^\s*(?:INSERT\s+INTO|CREATE\s+TABLE|PRAGMA\s|-- M)", text, re.IGNORECASE | re.MULTILINE):
        return FileFormat.SQL
    lines = [line for line in text.splitlines()[:50] if line.strip() and not line.lstrip().startswith("#")]
    if lines and all(re.match(r"\s*\d+\s+\"?sips?:\S+", line, re.IGNORECASE) for line in lines[:-1] or lines):
        return FileFormat.LIST
    return FileFormat.CSV


def _delimiter_of(text: str) -> str:
    first = text.partition("\n")[0]
    return max(_DELIMITERS, key=lambda each: (first.count(each), -_DELIMITERS.index(each)))


def read_head(file: TableFile) -> FileHead:
    """The header and the first rows, of the first megabyte at most. Raises UnreadableFileError."""
    rows = read_rows(file, limit=_HEAD_BYTES)
    columns = _checked_columns(next(rows, (0, []))[1])
    found = tuple(islice(rows, SAMPLE_ROWS + 1))
    if not found:
        raise UnreadableFileError("The file has no rows.")
    return FileHead(columns, found[:SAMPLE_ROWS], len(found) <= SAMPLE_ROWS)


def read_rows(file: TableFile, limit: int = MAX_BYTES) -> Iterator[Line]:
    """The header, then every row. With a smaller `limit` only so many bytes are read, and the end is lenient.

    Raises UnreadableFileError.
    """
    whole = limit == MAX_BYTES or file.path.stat().st_size <= limit
    if file.format is FileFormat.XLSX:
        rows = _xlsx_rows(file.path, limit if limit != MAX_BYTES else _MAX_UNPACKED)
    elif file.format is FileFormat.SQL:
        rows = _sql_rows(_sql_text(file, limit), file.table, whole)
    else:
        text = _text(file.path, file.encoding or "cp1252", limit)
        if file.format is FileFormat.JSON:
            rows = _json_rows(text, whole)
        elif file.format is FileFormat.LIST:
            rows = _list_rows(text)
        else:
            rows = _csv_rows(text, file.delimiter, whole)
    return _bounded(rows)


def _bounded(rows: Iterator[Line]) -> Iterator[Line]:
    for number, row in enumerate(rows):
        if number > MAX_ROWS:
            raise UnreadableFileError(f"The file has more than {MAX_ROWS:,} rows: split it.")
        yield row


def _checked_columns(cells: Sequence[Any]) -> tuple[str, ...]:
    names = tuple(str(cell).strip() for cell in cells)
    if len(names) > MAX_COLUMNS:
        raise UnreadableFileError(f"{len(names):,} columns; at most {MAX_COLUMNS} can be imported.")
    if len(names) == 1 and not names[0]:
        raise UnreadableFileError("The first line names no column.")
    return names


def _csv_rows(text: str, delimiter: str, whole: bool) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    began = 1
    try:
        for row in reader:
            if any(row):
                yield began, [plain_cell(cell) for cell in row]
            began = reader.line_num + 1
    except csv.Error as error:
        if whole or began == 1:
            why = str(error)
            if "field limit" in why or "unexpected end" in why:
                why = "a quote that is opened there is never closed"
            raise UnreadableFileError(f"Line {began:,}: {why}.") from None


def _list_rows(text: str) -> Iterator[Line]:
    """Lines of `setid destination flags priority attributes`, as in Kamailio's dispatcher.list."""
    yield 0, ["setid", "destination", "flags", "priority", "attrs"]
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split(None, 4)
        if parts and not parts[0].startswith("#"):
            yield number, [part.strip('"') for part in parts]


def _json_rows(text: str, whole: bool) -> Iterator[Line]:
    """The objects of the first list; the header is the keys of the first objects."""
    objects = _json_objects(text, whole)
    first = list(islice(objects, SAMPLE_ROWS))
    columns = list(dict.fromkeys(key for _line, each in first for key in each))
    known = set(columns)
    yield 0, columns
    for line, each in (*first, *objects):
        if more := each.keys() - known:
            name = sorted(more)[0][:50]
            raise UnreadableFileError(f"Row {line:,} has a column that the first rows lack: {name}.")
        yield line, [_json_cell(each.get(name)) for name in columns]


def _json_objects(text: str, whole: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = json.JSONDecoder()
    place = text.find("[")
    if place < 0 or place > 10_000:
        raise UnreadableFileError("The JSON file has no list of objects.")
    number, place = 0, _after_space(text, place + 1)
    while place < len(text) and text[place] != "]":
        number += 1
        try:
            found, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            if whole or number == 1:
                raise UnreadableFileError(f"Row {number:,} is no valid JSON: {error}.") from None
            return
        if not isinstance(found, dict):
            raise UnreadableFileError(f"Row {number:,} is no object of columns and values.")
        yield number, found
        place = _after_space(text, place)
        if text[place : place + 1] == ",":
            place = _after_space(text, place + 1)
    if whole and text[place : place + 1] != "]":
        raise UnreadableFileError("The JSON list is never closed.")


def _after_space(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _json_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return value if value is None else str(value)


def _sql_text(file: TableFile, limit: int) -> str:
    """The dump; for its header the statements about the table, wherever they stand."""
    text = _text(file.path, file.encoding or "cp1252", MAX_BYTES)
    if limit == MAX_BYTES:
        return text
    create = re.search(_CREATE.format(table=file.table), text, re.IGNORECASE)
    insert = re.search(_INSERT.format(table=file.table), text, re.IGNORECASE)
    if insert is None:
        raise UnreadableFileError(f"The SQL dump has no INSERT INTO {file.table}.")
    end = min(create.start() + 20_000, insert.start()) if create else 0
    head = text[create.start() : end] + "\n" if create else ""
    return head + text[insert.start() : insert.start() + limit]


def _sql_rows(text: str, table: str, whole: bool) -> Iterator[Line]:
    create = re.search(_CREATE.format(table=table), text, re.IGNORECASE)
    columns = _created_columns(text[create.end() :]) if create else []
    header: list[str] = []
    number = 0
    for insert in re.finditer(_INSERT.format(table=table), text, re.IGNORECASE):
        tokens = _Tokens(text, insert.end(), whole)
        named = tokens.names() or columns
        for cells in tokens.rows():
            number += 1
            if not header:
                header = named or _columns_by_count(table, len(cells))
                yield 0, header
            if len(cells) != len(header) or (named and named != header):
                raise UnreadableFileError(f"Row {number:,} of {table} has other columns than the first one.")
            yield number, cells
    if not header and whole:
        raise UnreadableFileError(f"The SQL dump has no INSERT INTO {table}.")


KNOWN_COLUMNS = {
    ("dispatcher", 7): "id setid destination flags priority attrs description",
    ("dispatcher", 9): "id setid destination socket state weight priority attrs description",
    ("dispatcher", 10): "id setid destination socket state probe_mode weight priority attrs description",
    ("dialplan", 8): "id dpid pr match_op match_exp match_len subst_exp repl_exp attrs",
    ("dialplan", 11): "id dpid pr match_op match_exp match_flags subst_exp repl_exp timerec disabled attrs",
}
"""The columns of tables by how many there are, for INSERTs that name none (scripts/mysql of the releases)."""


def _columns_by_count(table: str, count: int) -> list[str]:
    names = KNOWN_COLUMNS.get((table, count))
    return names.split() if names else [f"column {number}" for number in range(1, count + 1)]


def _created_columns(text: str) -> list[str]:
    """The names of the columns of a CREATE TABLE, behind its opening parenthesis."""
    names: list[str] = []
    depth, at_start = 0, True
    for found in _TOKEN.finditer(text[:20_000]):
        word = found[0]
        if word.isspace():
            continue
        if word in "()":
            depth += 1 if word == "(" else -1
            if depth < 0:
                return names
        elif depth == 0 and word == ",":
            at_start = True
            continue
        elif at_start and depth == 0 and not re.fullmatch("PRIMARY|UNIQUE|KEY|CONSTRAINT|INDEX", word, re.I):
            names.append(word.strip('`"').lower())
        at_start = False
    return names


class _Tokens:
    """The tokens of one INSERT, from behind the table's name to its semicolon."""

    def __init__(self, text: str, place: int, whole: bool) -> None:
        self._text = text
        self._place = place
        self._whole = whole

    def _next(self) -> str:
        """The next word; empty at the end of the text."""
        while True:
            found = _TOKEN.match(self._text, self._place)
            if found is None:
                return ""
            self._place = found.end()
            word = found[0]
            if not (word.isspace() or word.startswith(("--", "/*"))):
                return word

    def names(self) -> list[str]:
        """The columns that it names, if it does; the word VALUES is read, too."""
        names: list[str] = []
        word = self._next()
        if word == "(":
            while (word := self._next()) not in (")", ""):
                if word != ",":
                    names.append(word.strip('`"').lower())
            word = self._next()
        if word.upper() != "VALUES":
            raise UnreadableFileError("An INSERT without VALUES can't be read.")
        return names

    def rows(self) -> Iterator[list[Any]]:
        """The rows of its values."""
        while (word := self._next()) in ("(", ","):
            if word == ",":
                continue
            cells: list[Any] = []
            while (word := self._next()) != ")":
                if word == "" or word == "'":
                    if not self._whole:
                        return
                    line = self._text.count("\n", 0, self._place) + 1
                    raise UnreadableFileError(f"Line {line:,}: an INSERT or a quote in it is never closed.")
                if word != ",":
                    cells.append(_sql_value(word))
            yield cells


def _sql_value(word: str) -> str | None:
    if word.startswith(("'", '"')):
        return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]) if found[1] else "'", word[1:-1])
    return None if word.upper() == "NULL" else word


def _xlsx_rows(path: Path, limit: int) -> Iterator[Line]:
    """The rows of the first sheet (ECMA-376)."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {each.filename: each.file_size for each in archive.infolist()}
            if sum(sizes.values()) > _MAX_UNPACKED:
                most = _MAX_UNPACKED // 1_000_000
                raise UnreadableFileError(f"Unpacked, the workbook is larger than {most} MB.")
            sheets = sorted(name for name in sizes if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name))
            if not sheets:
                raise UnreadableFileError("The file is no XLSX workbook.")
            texts = _SharedTexts(archive, limit) if "xl/sharedStrings.xml" in sizes else None
            with archive.open(min(sheets, key=lambda name: (len(name), name))) as sheet:
                yield from _sheet_rows(sheet, texts, limit)
    except (zipfile.BadZipFile, ElementTree.ParseError, NotImplementedError, EOFError, ValueError) as error:
        raise UnreadableFileError(f"The workbook is damaged: {error}.") from None


def _elements(stream: IO[bytes], tag: str, limit: int) -> Iterator[ElementTree.Element]:
    """The elements of a tag, each forgotten once it was used; only `limit` bytes are read."""
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(("end",))
    while limit > 0 and (chunk := stream.read(min(1 << 16, limit))):
        limit -= len(chunk)
        if b"<!DOCTYPE" in chunk:
            raise UnreadableFileError("The workbook has a document type, which no spreadsheet writes.")
        parser.feed(chunk)
        for event in parser.read_events():
            element = event[-1]
            if isinstance(element, ElementTree.Element) and element.tag == tag:
                yield element
                element.clear()


class _SharedTexts:
    """The texts that the cells of a workbook share, read as far as they are needed."""

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._texts: list[str] = []
        self._more = self._read(archive, limit)

    @staticmethod
    def _read(archive: zipfile.ZipFile, limit: int) -> Iterator[str]:
        with archive.open("xl/sharedStrings.xml") as stream:
            for element in _elements(stream, f"{_SHEET}si", limit):
                yield "".join(part.text or "" for part in element.iter(f"{_SHEET}t"))

    def __getitem__(self, index: int) -> str:
        while len(self._texts) <= index:
            text = next(self._more, None)
            if text is None:
                return ""
            self._texts.append(text)
        return self._texts[index]


def _sheet_rows(sheet: IO[bytes], texts: _SharedTexts | None, limit: int) -> Iterator[Line]:
    for number, row in enumerate(_elements(sheet, f"{_SHEET}row", limit), 1):
        cells: list[Any] = []
        for cell in row.iter(f"{_SHEET}c"):
            place = _place_of(cell.get("r", "")) if cell.get("r") else len(cells)
            if place > 16_384:
                raise UnreadableFileError("The workbook is damaged: a cell beyond its last column.")
            cells += [None] * (place - len(cells))
            cells.append(_cell_value(cell, texts))
        if any(cell not in (None, "") for cell in cells):
            yield number, ["" if cell is None and number == 1 else cell for cell in cells]


def _place_of(reference: str) -> int:
    """The index of the column in a reference such as `C5`."""
    place = 0
    for letter in re.match(r"[A-Z]{0,3}", reference)[0]:  # type: ignore[index]
        place = place * 26 + ord(letter) - 64
    return place - 1


def _cell_value(cell: ElementTree.Element, texts: _SharedTexts | None) -> str | None:
    kind, value = cell.get("t", "n"), cell.findtext(f"{_SHEET}v")
    if kind == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_SHEET}t"))
    if value is None:
        return None
    if kind == "s":
        return texts[int(value)] if texts is not None else ""
    return value.removesuffix(".0") if kind == "n" else value
