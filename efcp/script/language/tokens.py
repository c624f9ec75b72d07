"""A script's text and the words in it: what OpenSIPS's scanner (cfg.lex) makes of a text.

A source is the text with its includes put in their places, and which line of which file each line of it
is. The scanner drops characters that mean nothing to it, and so does this one, with a hint.
"""

import bisect
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from efcp.script.findings import Location, ScriptFinding, ScriptSeverity

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
class SourceText:
    """The text to parse and where its lines come from: `pieces`, at least one, in the order of the text."""

    text: str
    pieces: tuple[Piece, ...]

    def place(self, line: int) -> Location:
        """Where a line of the text (from 1) stands."""
        index = bisect.bisect_right(self.pieces, line, key=lambda piece: piece.first) - 1
        piece = self.pieces[max(index, 0)]
        return Location(piece.file, piece.line + line - piece.first)


def one_file(text: str, file: str) -> SourceText:
    """A text that is one file."""
    return SourceText(text, (Piece(1, file, 1),))


MAXIMUM_CHARACTERS = 2_000_000
MAXIMUM_TOKENS = 200_000
MAXIMUM_STEPS = 500_000
"""Tokens, blanks, comments and dropped characters together."""
MAXIMUM_HINTS = 20
MAXIMUM_FINDINGS = 200
PATIENCE = 20
"""How many brackets and quotes of a kind may turn out not to be closed before others are sought in their
line alone: it keeps the time from growing with the square of the length."""


class TokenKind(Enum):
    """What a token is. Brackets and punctuation are operators."""

    WORD = auto()
    NUMBER = auto()
    STRING = auto()
    VARIABLE = auto()
    ADDRESS = auto()
    """An IP address, with its network's length where one is written."""
    OPERATOR = auto()
    END = auto()


class Token(NamedTuple):
    """A token as written (a string with its quotes), the line of the source where it begins, its offset."""

    kind: TokenKind
    text: str
    line: int
    start: int


@dataclass(slots=True)
class Tokens:
    """The tokens of a source, then an END on the last one's line. `skipped` counts what was dropped."""

    tokens: list[Token] = field(default_factory=list)
    findings: list[ScriptFinding] = field(default_factory=list)
    skipped: int = 0
    reported: set[int] = field(default_factory=set)
    """The lines of the source that errors were found in."""
    accepts: list[tuple[int, int, tuple[str, ...]]] = field(default_factory=list)
    """Each comment that accepts findings: its line, how many tokens stand before it, the codes."""


_HEX4 = "[0-9A-Fa-f]{1,4}"
_IPV6 = (
    rf"(?:(?:{_HEX4}:){{7}}{_HEX4}"
    rf"|(?:{_HEX4}(?::{_HEX4}){{0,6}})?::(?:{_HEX4}(?::{_HEX4}){{0,6}})?)(?:/\d+)?"
)
_IPV4 = r"\d+\.\d+\.\d+\.\d+(?:/\d+(?:\.\d+\.\d+\.\d+)?)?"
_TOKEN = re.compile(
    rf"""
      (?P<space>[\s\x08]++|\\\n)
    | (?P<remark>\#[^\n]*+)
    | (?P<comment>/\*)
    | (?P<string>["'])
    | (?P<typographic>[“”„‟][^“”„‟"\n]*+[“”"]|[‘’][^‘’'\n]*+[‘’'])
    | (?P<variable>\$)
    | (?P<address>{_IPV6}|{_IPV4})
    | (?P<number>0x[0-9A-Fa-f]+|\d++)
    | (?P<word>mem-group|read-only|[A-Za-z_]\w*+)
    | (?P<operator>[-+*/%&|^:]=|==|=~|!=|!~|<=|>=|<<|>>|&&|\|\||[-+*/%&|^~!<>=(){{}}\[\],;:.])
    | (?P<junk>[^\s\w"'$\#(){{}}\[\],;:.=+*/%&|^~!<>-]++|.)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_DOUBLE = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SINGLE = re.compile(r"'[^']*+'")
_ACCEPT = re.compile(r"#[ \t]*efcp:[ \t]*accept[ \t]+(?P<codes>[a-z-]+(?:[ \t]*,[ \t]*[a-z-]+)*)")
_CODE = re.compile(r"[a-z]+(?:-[a-z]+)*")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_VARIABLE_NAME = re.compile(r"\$(?:(?!and|or|not|:=)[^\s();,=+\-*/%&|^~<>!])*+")
"""Up to what ends a variable outside of round brackets (the state SCRIPTVARS of cfg.lex): words like `and`
do, square brackets and braces don't."""
_ROUND = re.compile(r"[()]")
_RUNS_ON = re.compile(r"[ \t]*+(?!(?:and|or)\b)[\w$\[(\\]", re.ASCII)
"""What can't follow a string: then the quote that seemed to close it opened the next one."""


class _Scanner:
    """Goes through the source once."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.text = source.text[:MAXIMUM_CHARACTERS]
        self.position = 0
        self.line = 1
        self.line_end = -1
        self.result = Tokens()
        self.unclosed: Counter[str] = Counter()
        self.handlers: dict[str, Callable[[], None]] = {
            "remark": self._remark,
            "comment": self._comment,
            "string": self._string,
            "typographic": self._typographic,
            "variable": self._variable,
        }

    def run(self) -> Tokens:
        """The tokens up to the end or the bounds."""
        plain = {kind.name.lower(): kind for kind in TokenKind}
        text, tokens, match_at = self.text, self.result.tokens, _TOKEN.match
        for _ in range(MAXIMUM_STEPS):
            match = match_at(text, self.position)
            if match is None or len(tokens) >= MAXIMUM_TOKENS:
                break
            kind = match.lastgroup or ""
            if handler := self.handlers.get(kind):
                handler()
                continue
            if kind == "space":
                self.line += match[0].count("\n")
            elif kind == "junk":
                self._junk(match[0])
            else:
                tokens.append(Token(plain[kind], match[0], self.line, self.position))
            self.position = match.end()
        self._end()
        return self.result

    def _end(self) -> None:
        if self.position < len(self.source.text):
            self._find(
                ScriptSeverity.ERROR,
                "too-large",
                self.line,
                "The script is too large: reading stopped at this line.",
            )
        tokens = self.result.tokens
        tokens.append(Token(TokenKind.END, "", tokens[-1].line if tokens else 1, self.position))

    def _find(self, severity: ScriptSeverity, code: str, line: int, text: str) -> None:
        if len(self.result.findings) < MAXIMUM_FINDINGS or code == "too-large":
            self.result.findings.append(ScriptFinding(severity, code, self.source.place(line), text))
        if severity is ScriptSeverity.ERROR:
            self.result.reported.add(line)

    def _take(self, kind: TokenKind, end: int) -> None:
        text = self.text[self.position : end]
        self.result.tokens.append(Token(kind, text, self.line, self.position))
        self._move(end)

    def _move(self, end: int) -> None:
        self.line += self.text.count("\n", self.position, end)
        self.position = end

    def _rest_of_line(self) -> int:
        """Where the line ends that is being read."""
        if self.line_end < self.position:
            end = self.text.find("\n", self.position)
            self.line_end = end if end >= 0 else len(self.text)
        return self.line_end

    def _remark(self) -> None:
        if match := _ACCEPT.match(self.text, self.position, self._rest_of_line()):
            codes = tuple(_CODE.findall(match["codes"]))
            if len(self.result.accepts) < MAXIMUM_FINDINGS:
                self.result.accepts.append((self.line, len(self.result.tokens), codes))
        self.position = self._rest_of_line()

    def _comment(self) -> None:
        """A comment; comments nest."""
        depth = 0
        for edge in _COMMENT_EDGE.finditer(self.text, self.position):
            depth += 1 if edge[0] == "/*" else -1
            if depth == 0:
                self._move(edge.end())
                return
        if len(self.text) == len(self.source.text):
            text = "Unclosed comment: everything after it is part of the comment (comments nest)."
            self._find(ScriptSeverity.ERROR, "unclosed-comment", self.line, text)
        self._move(len(self.text))

    def _string(self) -> None:
        quote = self.text[self.position]
        pattern = _DOUBLE if quote == '"' else _SINGLE
        end = self._rest_of_line()
        match = pattern.match(self.text, self.position, end) or self._over_lines(pattern, quote)
        if match:
            self._take(TokenKind.STRING, match.end())
            return
        self._find(ScriptSeverity.ERROR, "unclosed-string", self.line, f"This string has no closing {quote}.")
        meant = self.text[self.position + 1 : end].rstrip(" \t\r,;(){}")
        self._take(TokenKind.STRING, self.position + 1 + len(meant))

    def _over_lines(self, pattern: re.Pattern[str], quote: str) -> re.Match[str] | None:
        """A string of several lines, unless what follows shows that its last quote opens another string."""
        if self.unclosed[quote] >= PATIENCE:
            return None
        match = pattern.match(self.text, self.position)
        if match and not _RUNS_ON.match(self.text, match.end()):
            return match
        self.unclosed[quote] += 1 if match else PATIENCE
        return None

    def _typographic(self) -> None:
        match = _TOKEN.match(self.text, self.position)
        text = "Typographic quotes: OpenSIPS only accepts straight ones."
        self._find(ScriptSeverity.ERROR, "syntax", self.line, text)
        self._take(TokenKind.STRING, match.end() if match else self.position + 1)

    def _variable(self) -> None:
        """A variable with what belongs to it: `$ru`, `$(ru{uri.user})`. Its first round bracket ends it."""
        match = _VARIABLE_NAME.match(self.text, self.position)
        end = match.end() if match else self.position + 1
        if self.text.startswith("(", end):
            end = self._closing(end)
        self._take(TokenKind.VARIABLE, end)

    def _closing(self, start: int) -> int:
        """The end of the round bracket that opens at `start`, the line's end where it isn't closed."""
        limit = len(self.text) if self.unclosed["("] < PATIENCE else self._rest_of_line()
        depth = 0
        for bracket in _ROUND.finditer(self.text, start, limit):
            depth += 1 if bracket[0] == "(" else -1
            if depth == 0:
                return bracket.end()
        self.unclosed["("] += PATIENCE
        self._find(ScriptSeverity.ERROR, "syntax", self.line, "A variable's ( is not closed.")
        return self._rest_of_line()

    def _junk(self, text: str) -> None:
        self.result.skipped += 1
        if self.result.skipped <= MAXIMUM_HINTS:
            shown = text[:40].encode("ascii", "backslashreplace").decode()
            self._find(
                ScriptSeverity.HINT,
                "not-understood",
                self.line,
                f"Unexpected characters: {shown}",
            )


def tokenize(source: SourceText) -> Tokens:
    """The tokens of the source; time grows with its length alone."""
    return _Scanner(source).run()


_ESCAPE = re.compile(r'\\(?:([nrat"\\])|x([0-9A-Fa-f]{1,2})|([0-7]{2,3})|(\n))')
_CLOSING = {'"': '"', "'": "'"} | dict.fromkeys("“”„‟", '“”"') | dict.fromkeys("‘’", "‘’'")
_LETTERS = {"n": "\n", "r": "\r", "a": "\a", "t": "\t", '"': '"', "\\": "\\"}


def _resolve(match: re.Match[str]) -> str:
    letter, hexadecimal, octal, _ = match.groups()
    if letter:
        return _LETTERS[letter]
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    return chr(int(octal, 8) & 0xFF) if octal else ""


def unquoted(text: str) -> str:
    """What a string token says: without its quotes; escapes count between double quotes only."""
    inner = text[1:-1] if len(text) > 1 and text[-1] in _CLOSING[text[0]] else text[1:]
    return _ESCAPE.sub(_resolve, inner) if text[0] == '"' and "\\" in inner else inner
