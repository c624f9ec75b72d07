"""A script's text, its includes put in their places, and which line of which file each line of it is."""

import bisect
import re
from dataclasses import dataclass

from efcp.script.findings import Place

INCLUDE = re.compile(
    r"""^[ \t\r]*+(?:include|import)_file[^\S\n]*+(?P<quote>["'])(?P<path>(?:(?!(?P=quote))[^\n]){2,}+)"""
    r"(?P=quote)[^\n]*+",
    re.MULTILINE,
)
"""A line that stands for a file; what follows the closing quote does not count (cfg_pp.c)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of one file in a row: line `first` of the text (from 1) is line `line` of `file`."""

    first: int
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Source:
    """The text to parse and where its lines come from: `pieces`, at least one, in the order of the text."""

    text: str
    pieces: tuple[Piece, ...]

    def place(self, line: int) -> Place:
        """Where a line of the text (from 1) stands."""
        index = bisect.bisect_right(self.pieces, line, key=lambda piece: piece.first) - 1
        piece = self.pieces[max(index, 0)]
        return Place(piece.file, piece.line + line - piece.first)


def one_file(text: str, file: str) -> Source:
    """A text that is one file."""
    return Source(text, (Piece(1, file, 1),))
