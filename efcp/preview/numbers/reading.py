"""The numbers in a column of an uploaded log, one line after the other."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_LINE = 10_000
"""Bytes of a line; a longer one is left out and counted."""

_URI = re.compile(r"(?:[^<]*<)?(?:sips?|tel):(?:(?P<user>[^@;>]*)@|(?P<tel>[^;>@]*))", re.IGNORECASE)


class Numbers:
    """What was read: `position` in bytes, `broken` lines that have no such column or are too long."""

    def __init__(self, path: Path, delimiter: str, column: int, *, has_header: bool) -> None:
        self._path = path
        self._delimiter = delimiter
        self._column = column
        self._has_header = has_header
        self.position = 0
        self.broken = 0

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return self._path.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for index, line in enumerate(self._lines(file)):
                if index == 0 and self._has_header:
                    continue
                number = self._number(line)
                if number is None:
                    self.broken += bool(line.strip())
                else:
                    yield number

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        """The lines; of one that is too long only its beginning is kept."""
        while line := file.readline(MAX_LINE + 1):
            self.position += len(line)
            rest = line
            while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE + 1)
                self.position += len(rest)
            yield line

    def _number(self, line: bytes) -> bytes | None:
        if len(line) > MAX_LINE:
            return None
        text = line.decode("latin-1").rstrip("\r\n")
        try:
            cells = next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:
            return None
        if self._column >= len(cells) or not cells[self._column]:
            return None
        return number_in(cells[self._column]).encode("latin-1") or None


def number_in(text: str) -> str:
    """The user part of a SIP or tel URI; any other text is the number itself."""
    found = _URI.match(text)
    if found is None:
        return text
    return found["user"] if found["user"] is not None else found["tel"]
