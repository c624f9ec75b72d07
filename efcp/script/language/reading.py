"""Reading scripts: a file with its includes, or a text that was pasted or uploaded; never an exception.

Includes are put in place line by line before anything else is looked at, as OpenSIPS does it (cfg_pp.c):
also within a route, a comment or a string. A missing file stops the proxy, whether it is named by
include_file or by import_file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

from efcp.script.findings import Location, ScriptFinding, ScriptSeverity, error, hint, in_order
from efcp.script.language.cursor import Cursor
from efcp.script.language.items import items
from efcp.script.language.syntax import Accept, Item, Script
from efcp.script.language.tokens import (
    INCLUDE,
    MAXIMUM_CHARACTERS,
    Piece,
    SourceText,
    Token,
    TokenKind,
    one_file,
)

_FOLLOWING = frozenset({"not-understood", "stray-bracket", "syntax", "unclosed-block", "unclosed-string"})
"""What is found where the text is of another kind."""


def parse(text: str, file: str) -> Script:
    """The script in `text`, which is called `file` in places; its includes are left out."""
    return parse_source(one_file(INCLUDE.sub("", text), file))


def parse_source(source: SourceText) -> Script:
    """The script in a text with its includes."""
    cursor = Cursor(source)
    found = items(cursor)
    findings = _readable(cursor, found)
    return Script(found, cursor.skipped, in_order(findings), tuple(_accepts(cursor)))


def _readable(cursor: Cursor, found: tuple[Item, ...]) -> list[ScriptFinding]:
    """The findings; of a template, or of what is no script at all, not what follows from that."""
    findings = cursor.findings
    templates = list(template_findings(cursor.tokens, cursor.source))
    if templates and templates[0].severity is ScriptSeverity.ERROR:
        places = {templates[0].place, *templates[0].also}
        findings = [it for it in findings if it.code not in _FOLLOWING or it.place not in places]
    strange = [it for it in findings if it.code in _FOLLOWING]
    if strange and not found and not templates:
        first, *others = strange
        text = "Not an OpenSIPS script: nothing was recognized."
        findings = [it for it in findings if it.code not in _FOLLOWING]
        findings.append(error(first.code, first.place, text, tuple(it.place for it in others)))
    return [*findings, *templates]


def _accepts(cursor: Cursor) -> Iterator[Accept]:
    """What the script says to be meant; before the first token it is meant for the whole file."""
    for line, before, codes in cursor.accepts:
        following = cursor.source.place(cursor.tokens[before].line) if before else None
        yield Accept(cursor.source.place(line), codes, following)


MAXIMUM_FILES = 200
MAXIMUM_DEPTH = 50
"""Of includes within includes, as OpenSIPS has it."""
NO_TEXT = "Not a text file: skipped."
TOO_LARGE = f"The script is larger than {MAXIMUM_CHARACTERS:,} bytes: the rest was not read."
_SAMPLE = 8192
_CONTROLS = bytes(set(range(32)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"


@dataclass(frozen=True, slots=True)
class _Inclusion:
    """A file to read: its name, the place that includes it, the files around it."""

    path: Path
    place: Location
    within: tuple[Path, ...]


class _FileReader:
    """Puts a file and its includes together, within the bounds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings: list[ScriptFinding] = []
        self.pieces: list[Piece] = []
        self.parts: list[str] = []
        self.lines = 0
        self.room = MAXIMUM_CHARACTERS
        self.full = False
        self.files = 0

    @property
    def source(self) -> SourceText:
        """What was read so far."""
        return SourceText("".join(self.parts), tuple(self.pieces))

    def find(self, severity: ScriptSeverity, code: str, place: Location, text: str) -> None:
        """Adds a finding."""
        self.findings.append(ScriptFinding(severity, code, place, text))

    def include(self, inclusion: _Inclusion) -> None:
        """Adds a file where it may be read; a finding at the place that asks for it where not."""
        try:
            self._include(inclusion, inclusion.path.resolve())
        except (OSError, RuntimeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "invalid path"
            text = f"{inclusion.path} can not be read: {reason}."
            self.find(ScriptSeverity.ERROR, "include-missing", inclusion.place, text)

    def _include(self, inclusion: _Inclusion, resolved: Path) -> None:
        if not resolved.is_relative_to(self.folder):
            text = f"{inclusion.path} is outside the folder {self.folder}: skipped."
            self.find(ScriptSeverity.WARNING, "include-outside", inclusion.place, text)
        elif resolved in inclusion.within:
            text = f"{inclusion.path} includes itself."
            self.find(ScriptSeverity.ERROR, "include-circle", inclusion.place, text)
        elif len(inclusion.within) > MAXIMUM_DEPTH:
            text = f"Includes nested more than {MAXIMUM_DEPTH} levels deep."
            self.find(ScriptSeverity.ERROR, "nested-too-deep", inclusion.place, text)
        elif not resolved.is_file():
            self.find(
                ScriptSeverity.ERROR,
                "include-missing",
                inclusion.place,
                f"No such file: {inclusion.path}.",
            )
        else:
            self.add(inclusion, resolved)

    def add(self, inclusion: _Inclusion, resolved: Path) -> None:
        """Adds the file, its includes in their places, as far as the bounds allow."""
        if self.full:
            return
        if self.files == MAXIMUM_FILES:
            self._stop(
                inclusion.place, f"More than {MAXIMUM_FILES} files: this one and the rest were skipped."
            )
            return
        self.files += 1
        with resolved.open("rb") as file:
            data = file.read(self.room + 1)
        name = str(inclusion.path)
        if _is_binary(data):
            self.find(ScriptSeverity.ERROR, "binary", Location(name, 1), NO_TEXT)
            return
        room, self.room = self.room, self.room - len(data)
        text = _whole_lines(data, room)
        self._add_text(text, inclusion, (*inclusion.within, resolved))
        if len(data) > room:
            self._stop(Location(name, text.count("\n") + 1), TOO_LARGE)

    def _stop(self, place: Location, text: str) -> None:
        if not self.full:
            self.find(ScriptSeverity.ERROR, "too-large", place, text)
        self.full = True

    def _add_text(self, text: str, inclusion: _Inclusion, within: tuple[Path, ...]) -> None:
        name, line, position = str(inclusion.path), 1, 0
        for match in INCLUDE.finditer(text):
            chunk = text[position : match.start()]
            self._append(chunk, name, line)
            line += chunk.count("\n")
            place = Location(name, line)
            self.include(_Inclusion(inclusion.path.parent / match["path"], place, within))
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
    reader = _FileReader(within)
    inclusion = _Inclusion(path, Location(str(path), 1), ())
    if resolved.is_relative_to(within):
        reader.add(inclusion, resolved)
    else:
        reader.include(inclusion)
    if not reader.pieces:
        return Script((), findings=in_order(reader.findings))
    return _with(parse_source(reader.source), reader.findings)


def read_text(text: str | bytes, name: str) -> Script:
    """The script in a text that came without its folder: its includes are named in hints."""
    data = text[: MAXIMUM_CHARACTERS + 1]
    data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if _is_binary(data):
        return Script((), findings=(error("binary", Location(name, 1), NO_TEXT),))
    kept = _whole_lines(data, MAXIMUM_CHARACTERS)
    findings = list(_not_read(kept, name))
    if len(data) > MAXIMUM_CHARACTERS:
        place = Location(name, kept.count("\n") + 1)
        findings.append(error("too-large", place, TOO_LARGE))
    return _with(parse(kept, name), findings)


def _not_read(text: str, name: str) -> Iterator[ScriptFinding]:
    line, position = 1, 0
    for match in islice(INCLUDE.finditer(text), MAXIMUM_FILES):
        line += text.count("\n", position, match.start())
        position = match.start()
        message = f"{match['path']} was not read: pasted text has no folder."
        yield hint("include-not-read", Location(name, line), message)


def _with(script: Script, findings: list[ScriptFinding]) -> Script:
    """The script with more findings; its size is reported once."""
    own = script.findings
    if any(finding.code == "too-large" for finding in findings):
        own = tuple(finding for finding in own if finding.code != "too-large")
    return replace(script, findings=in_order((*own, *findings)))


MAXIMUM_PLACES = 100
_M4 = re.compile(
    r"^[ \t]*(?:dnl\b|changequote\b|divert\(|(?:define|undefine|ifdef|ifelse|s?include|esyscmd)\([^\n]*`)"
    r"|\bifelse\([^\n]*`|`[^`'\n]*'[ \t]*,[ \t]*`",
    re.MULTILINE,
)
_BRACES = {"{": "Jinja or Mustache", "%": "Jinja"}
_IN_TEXT = re.compile(r"\{\{[#/^>&!]?\s*[\w.|$ -]+\}\}|\{%.*%\}|<%=?.*%>", re.DOTALL)


def template_findings(tokens: Sequence[Token], source: SourceText) -> Iterator[ScriptFinding]:
    """An error where the proxy would meet parts of a template, a warning where they are in texts alone."""
    found = dict(_in_code(tokens, source.text))
    if found:
        kinds = " and ".join(dict.fromkeys(found.values()))
        text = f"This is a template ({kinds}), not a script: render it first and check the result."
        yield _finding(ScriptSeverity.ERROR, sorted(found), text, source)
        return
    in_texts = [
        token.line for token in tokens if token.kind is TokenKind.STRING and _IN_TEXT.search(token.text)
    ]
    if in_texts:
        text = "This text contains template code that the proxy would read literally: render it first."
        yield _finding(ScriptSeverity.WARNING, in_texts, text, source)


def _finding(severity: ScriptSeverity, lines: Sequence[int], text: str, source: SourceText) -> ScriptFinding:
    first, *others = (source.place(line) for line in dict.fromkeys(lines))
    return ScriptFinding(severity, "template", first, text, tuple(others[:MAXIMUM_PLACES]))


def _in_code(tokens: Sequence[Token], text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold a part of a template outside of texts, with its kind."""
    for token, following in pairwise(tokens):
        is_next = following.start == token.start + 1
        if token.text == "{" and is_next and following.text in _BRACES:
            yield token.line, _BRACES[following.text]
        elif token.text == "<" and is_next and following.text.startswith("%"):
            yield token.line, "ERB"
        elif token.kind is TokenKind.VARIABLE and token.text.startswith("${"):
            yield token.line, "variables of the environment"
    line, position = 1, 0
    for match in _M4.finditer(text):
        line += text.count("\n", position, match.start())
        position = match.start()
        yield line, "m4"
