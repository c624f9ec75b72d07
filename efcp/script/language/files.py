"""Reading scripts: a file with its includes, or a text that was pasted or uploaded.

Includes are put in place line by line before anything else is looked at, as OpenSIPS does it (cfg_pp.c): also
within a route, a comment or a string. A missing file stops the proxy, whether it is named by include_file or
by import_file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from efcp.script.findings import Finding, Place, Severity, in_order
from efcp.script.language.parsing import parse, parse_source
from efcp.script.language.sources import INCLUDE, Piece, Source
from efcp.script.language.syntax import Script
from efcp.script.language.tokens import MAXIMUM_CHARACTERS

MAXIMUM_FILES = 200
MAXIMUM_DEPTH = 50
"""Of includes within includes, as OpenSIPS has it."""
NO_TEXT = "This is no text, so it was not read."
TOO_LARGE = f"The script is larger than {MAXIMUM_CHARACTERS:,} bytes: the rest is not read."
_SAMPLE = 8192
_CONTROLS = bytes(set(range(32)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A file to read: the name it goes by, the place that asks for it, the files that it is within."""

    path: Path
    place: Place
    within: tuple[Path, ...]


class _Reader:
    """Puts a file and its includes together, within the bounds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings: list[Finding] = []
        self.pieces: list[Piece] = []
        self.parts: list[str] = []
        self.lines = 0
        self.room = MAXIMUM_CHARACTERS
        self.full = False
        self.files = 0

    @property
    def source(self) -> Source:
        """What was read so far."""
        return Source("".join(self.parts), tuple(self.pieces))

    def find(self, severity: Severity, code: str, place: Place, text: str) -> None:
        """Adds a finding."""
        self.findings.append(Finding(severity, code, place, text))

    def include(self, asked: _Asked) -> None:
        """Adds a file where it may be read; a finding at the place that asks for it where not."""
        try:
            self._include(asked, asked.path.resolve())
        except (OSError, RuntimeError, ValueError) as error:
            reason = (
                error.strerror if isinstance(error, OSError) and error.strerror else "its path is no path"
            )
            text = f"{asked.path} can not be read: {reason}."
            self.find(Severity.ERROR, "include-missing", asked.place, text)

    def _include(self, asked: _Asked, resolved: Path) -> None:
        if not resolved.is_relative_to(self.folder):
            text = f"{asked.path} lies outside of the folder {self.folder}, so it was not read."
            self.find(Severity.WARNING, "include-outside", asked.place, text)
        elif resolved in asked.within:
            text = f"{asked.path} includes itself, directly or by way of others."
            self.find(Severity.ERROR, "include-circle", asked.place, text)
        elif len(asked.within) > MAXIMUM_DEPTH:
            text = f"Includes are nested more than {MAXIMUM_DEPTH} deep."
            self.find(Severity.ERROR, "nested-too-deep", asked.place, text)
        elif not resolved.is_file():
            self.find(Severity.ERROR, "include-missing", asked.place, f"There is no file {asked.path}.")
        else:
            self.add(asked, resolved)

    def add(self, asked: _Asked, resolved: Path) -> None:
        """Adds the file, its includes in their places, as far as the bounds allow."""
        if self.full:
            return
        if self.files == MAXIMUM_FILES:
            self._stop(asked.place, f"More than {MAXIMUM_FILES} files: this one and the rest are not read.")
            return
        self.files += 1
        with resolved.open("rb") as file:
            data = file.read(self.room + 1)
        name = str(asked.path)
        if _is_binary(data):
            self.find(Severity.ERROR, "binary", Place(name, 1), NO_TEXT)
            return
        room, self.room = self.room, self.room - len(data)
        text = _whole_lines(data, room)
        self._add_text(text, asked, (*asked.within, resolved))
        if len(data) > room:
            self._stop(Place(name, text.count("\n") + 1), TOO_LARGE)

    def _stop(self, place: Place, text: str) -> None:
        if not self.full:
            self.find(Severity.ERROR, "too-large", place, text)
        self.full = True

    def _add_text(self, text: str, asked: _Asked, within: tuple[Path, ...]) -> None:
        name, line, position = str(asked.path), 1, 0
        for match in INCLUDE.finditer(text):
            chunk = text[position : match.start()]
            self._append(chunk, name, line)
            line += chunk.count("\n")
            place = Place(name, line)
            self.include(_Asked(asked.path.parent / match["path"], place, within))
            position = match.end()
        self._append(text[position:], name, line)

    def _append(self, text: str, name: str, line: int) -> None:
        self.pieces.append(Piece(self.lines + 1, name, line))
        self.parts.append(text)
        self.lines += text.count("\n")


def _is_binary(data: bytes) -> bool:
    """A NUL, or no UTF-8 and full of control characters."""
    if b"\0" in data:
        return True
    sample = data[:_SAMPLE]
    return len(sample) - len(sample.translate(None, _CONTROLS)) > len(sample) // 20


def _whole_lines(data: bytes, room: int) -> str:
    """The text of as many lines as there is room for. What is not UTF-8 is taken as latin-1."""
    if len(data) > room:
        data = data[: data.rfind(b"\n", 0, room) + 1]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text if text.endswith("\n") or not text else text + "\n"


def read(path: Path, folder: Path | None = None) -> Script:
    """The script in the file, its includes in their places.

    Only files within `folder` are read, symbolic links resolved; it is the file's own one unless given.
    Relative names count from the folder of the file that includes them. Raises OSError where the first file
    can not be read; all else is a finding.
    """
    resolved = path.resolve(strict=True)
    within = (folder or path.parent).resolve()
    reader = _Reader(within)
    asked = _Asked(path, Place(str(path), 1), ())
    if resolved.is_relative_to(within):
        reader.add(asked, resolved)
    else:
        reader.include(asked)
    if not reader.pieces:
        return Script((), findings=in_order(reader.findings))
    return _with(parse_source(reader.source), reader.findings)


def read_text(text: str | bytes, name: str) -> Script:
    """The script in a text that came without its folder: its includes are named in hints."""
    data = text[: MAXIMUM_CHARACTERS + 1]
    data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if _is_binary(data):
        return Script((), findings=(Finding(Severity.ERROR, "binary", Place(name, 1), NO_TEXT),))
    kept = _whole_lines(data, MAXIMUM_CHARACTERS)
    findings = list(_not_read(kept, name))
    if len(data) > MAXIMUM_CHARACTERS:
        place = Place(name, kept.count("\n") + 1)
        findings.append(Finding(Severity.ERROR, "too-large", place, TOO_LARGE))
    return _with(parse(kept, name), findings)


def _not_read(text: str, name: str) -> Iterator[Finding]:
    line, position = 1, 0
    for match in islice(INCLUDE.finditer(text), MAXIMUM_FILES):
        line += text.count("\n", position, match.start())
        position = match.start()
        said = f"{match['path']} is not read, as a text comes without its folder."
        yield Finding(Severity.HINT, "include-not-read", Place(name, line), said)


def _with(script: Script, findings: list[Finding]) -> Script:
    """The script with more findings; that it is too large is told once."""
    own = script.findings
    if any(finding.code == "too-large" for finding in findings):
        own = tuple(finding for finding in own if finding.code != "too-large")
    return replace(script, findings=in_order((*own, *findings)))
