"""Where the parser stands among the tokens, what single tokens mean, and how it recovers from an error."""

from efcp.script.findings import Location, error
from efcp.script.language.syntax import ArgumentKind, RouteKind
from efcp.script.language.tokens import (
    MAXIMUM_FINDINGS,
    MAXIMUM_HINTS,
    SourceText,
    Token,
    TokenKind,
    tokenize,
    unquoted,
)

MAXIMUM_DEPTH = 64
"""Of brackets and blocks: it keeps parsing, and walking through what was parsed, far from Python's bound."""
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_NEVER_WITHIN = frozenset(";{}")
_OFTEN_SEVERAL = frozenset({"syntax", "stray-bracket"})
"""Findings that one slip often causes several of: only the first of a line is reported."""
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_ENDS_BRACKET = _NEVER_WITHIN | {")"}
ROUTE_WORDS = frozenset(kind.value for kind in RouteKind)


class NotUnderstoodError(Exception):
    """The tokens at hand fit nothing known: who catches it skips them. Never leaves parsing."""


class TooDeepError(NotUnderstoodError):
    """Brackets or blocks are nested too deep."""


class Cursor:
    """The tokens of a source and a place among them."""

    def __init__(self, source: SourceText) -> None:
        scanned = tokenize(source)
        self.source = source
        self.tokens = scanned.tokens
        self.findings = scanned.findings
        self.skipped = scanned.skipped
        self.room = MAXIMUM_FINDINGS
        self.reported = scanned.reported
        self.accepts = scanned.accepts
        self.hints = min(scanned.skipped, MAXIMUM_HINTS)
        self.index = 0
        self.depth = 0
        self.operators = 0
        self.loops = 0
        self.too_deep = False
        self.unclosed_at = -1
        self.token: Token = self.tokens[0]
        self._place = source.place(1)
        self._place_of = 1

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.token.kind is TokenKind.END

    @property
    def previous(self) -> Token:
        """The token before the one at hand."""
        return self.tokens[max(self.index - 1, 0)]

    def ahead(self, by: int = 1) -> Token:
        """The token `by` further on, the END beyond it."""
        return self.tokens[min(self.index + by, len(self.tokens) - 1)]

    def take(self) -> Token:
        """The token at hand; the next one is then at hand. The END stays."""
        token = self.token
        if token.kind is not TokenKind.END:
            self.index += 1
            self.token = self.tokens[self.index]
        return token

    def return_to(self, index: int) -> None:
        """Back to the token of that index."""
        self.index = index
        self.token = self.tokens[index]

    def accept(self, text: str) -> bool:
        """Take the token if it is `text`; return whether it was."""
        if self.token.text != text:
            return False
        self.take()
        return True

    def expect(self, text: str) -> None:
        """Takes `text`; raises NotUnderstoodError where something else stands."""
        if not self.accept(text):
            raise NotUnderstoodError

    def place(self, token: Token) -> Location:
        """Where a token stands."""
        if token.line != self._place_of:
            self._place_of = token.line
            self._place = self.source.place(token.line)
        return self._place

    def written(self, start: int, end: int) -> str:
        """The tokens from one index up to another as written; blanks and comments between them are one
        blank."""
        parts: list[str] = []
        reached = self.tokens[start].start
        for token in self.tokens[start:end]:
            if token.start > reached:
                parts.append(" ")
            parts.append(token.text)
            reached = token.start + len(token.text)
        return "".join(parts)

    def error(self, code: str, token: Token, text: str) -> None:
        """A finding of severity error at a token, and no more than MAXIMUM_FINDINGS."""
        if self.room > 0 and not (code in _OFTEN_SEVERAL and token.line in self.reported):
            self.reported.add(token.line)
            self.room -= 1
            self.findings.append(error(code, self.place(token), text))

    def not_understood(self, start: int) -> None:
        """Counts what stands between the token of index `start` and the one at hand, with an error where its
        lines have none: the proxy takes it for a syntax error, too."""
        self.skipped += 1
        lines = range(self.tokens[start].line, self.previous.line + 1)
        if self.hints >= MAXIMUM_HINTS or not self.reported.isdisjoint(lines):
            return
        self.hints += 1
        shown = self.written(start, min(max(self.index, start + 1), start + 12))[:60]
        place = self.place(self.tokens[start])
        text = f"Syntax error, the proxy does not start: {shown}"
        self.findings.append(error("not-understood", place, text))

    def deeper(self) -> None:
        """One level of nesting more; raises TooDeepError, with a finding the first time, beyond the bound."""
        if self.depth >= MAXIMUM_DEPTH:
            if self.too_deep:
                raise TooDeepError
            self.too_deep = True
            text = f"Nested more than {MAXIMUM_DEPTH} levels deep: the contents were not read."
            self.error("nested-too-deep", self.token, text)
            raise TooDeepError
        self.depth += 1

    def unclosed(self, opening: Token) -> None:
        """Report an unclosed bracket: of several that end at one place, the innermost."""
        if self.unclosed_at != self.index:
            self.unclosed_at = self.index
            self.error(
                "unclosed-block", opening, f"This {opening.text} has no closing {_PAIRS[opening.text]}."
            )

    def starts_route(self) -> bool:
        """Whether a route's definition begins here (a call of one has a round bracket)."""
        return self.token.text in ROUTE_WORDS and self.ahead().text in ("[", "{")

    def skip_nested(self) -> None:
        """Past the bracket that opens here and all within; round and square ones end before a statement's
        end, braces before the next route."""
        ends = _NEVER_WITHIN if self.token.text != "{" else frozenset[str]()
        depth = 0
        while not (self.at_end or self.token.text in ends or self.starts_route()):
            text = self.take().text
            if text in _OPENING:
                depth += 1
            elif text in _CLOSING:
                depth -= 1
            if depth <= 0:
                return

    def skip_bracket(self) -> None:
        """Past the bracket that opens here, whatever stands within, but not into the next route."""
        opening = self.token
        closing = _PAIRS[opening.text]
        depth = 0
        while not (self.at_end or self.starts_route()):
            text = self.take().text
            depth += (text == opening.text) - (text == closing)
            if depth == 0:
                return
        self.unclosed(opening)

    def skip_to_closing(self) -> None:
        """To the `)` that closes the bracket one is in, or what ends the statement before it."""
        while not self.at_end and self.token.text not in _ENDS_BRACKET:
            if self.token.text in ("(", "["):
                self.skip_nested()
            else:
                self.take()

    def skip_statement(self) -> None:
        """Past the `;` or the block that ends the statement, or up to the `}` of the block one is in."""
        while not self.at_end and self.token.text != "}" and not self.starts_route():
            if self.token.text == "{":
                self.skip_nested()
                return
            if self.take().text == ";":
                return


# fmt: off
RESERVED = frozenset({
    "alias", "and", "any", "anycast", "assert", "async", "break", "case", "default", "dns", "drop", "else",
    "error", "exit", "expire", "for", "frag", "if", "in", "launch", "loadmodule", "log", "maxbuffer",
    "mhomed", "modparam", "mpath", "not", "null", "NULL", "or", "return", "route", "socket", "switch", "sync",
    "tag", "tos", "while", "xdbg", "xlog",
})
# fmt: on
"""Words that the scanner knows as its own in all versions, so that they can't be a route's name."""

NULLS = frozenset({"NULL", "null"})

_WORDS_NOW = {
    "af": "$socket_in(af)",
    "dst_ip": "$socket_in(ip)",
    "dst_port": "$socket_in(port)",
    "dst_uri": "$du",
    "from_uri": "$fu",
    "max_len": "$ml",
    "method": '$rm == "INVITE" or is_method("INVITE")',
    "msg": "$ml for its length",
    "proto": "$socket_in(proto)",
    "retcode": "$rc",
    "src_ip": "$si",
    "src_port": "$sp",
    "status": "$rs",
    "to_uri": "$tu",
    "uri": "$ru, and is_myself() for uri == myself",
    "myself": "is_myself()",
}
OLD_WORDS = {
    old: f"Versions before 3.0 knew {old}; the proxy does not start. Write {now}."
    for old, now in _WORDS_NOW.items()
}
"""What to say of words that conditions knew before 3.0 (the list of the migration to 3.0)."""
_KINDS = {
    TokenKind.NUMBER: ArgumentKind.NUMBER,
    TokenKind.VARIABLE: ArgumentKind.VARIABLE,
    TokenKind.WORD: ArgumentKind.NAME,
    TokenKind.ADDRESS: ArgumentKind.NAME,
}
SWITCHES = {"yes": 1, "true": 1, "on": 1, "enable": 1, "no": 0, "false": 0, "off": 0, "disable": 0}
"""The words that the scanner takes as numbers."""


def number(text: str) -> int:
    """What a number says: decimal, 0x… hexadecimal, 0… octal, or one of the words for 1 and 0."""
    if text in SWITCHES:
        return SWITCHES[text]
    if text.startswith("0x"):
        return int(text[2:18], 16)
    octal = len(text) > 1 and text.startswith("0") and not set(text) - set("01234567")
    return int(text[:20], 8 if octal else 10)


def is_number(token: Token) -> bool:
    """Whether the token is a number, or a word that stands for one."""
    return token.kind is TokenKind.NUMBER or token.text in SWITCHES


def kind_of(token: Token) -> ArgumentKind | None:
    """The kind of argument that a token is by itself; None for strings, brackets and operators."""
    return ArgumentKind.NUMBER if token.text in SWITCHES else _KINDS.get(token.kind)


def strings(cursor: Cursor) -> str:
    """What a string says, or several in a row, which are one."""
    text = unquoted(cursor.take().text)
    while cursor.token.kind is TokenKind.STRING:
        text += unquoted(cursor.take().text)
    return text
