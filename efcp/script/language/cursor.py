"""Where the parser stands among the tokens, what it found, and how it gets past what is not understood."""

from efcp.script.findings import Finding, Place, Severity
from efcp.script.language.sources import Source
from efcp.script.language.syntax import RouteKind
from efcp.script.language.tokens import MAXIMUM_FINDINGS, MAXIMUM_HINTS, Token, TokenKind, tokenize

MAXIMUM_DEPTH = 64
"""Of brackets and blocks: it keeps parsing, and walking through what was parsed, far from Python's bound."""
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_NEVER_WITHIN = frozenset(";{}")
_OFTEN_SEVERAL = frozenset({"syntax", "stray-bracket"})
"""What one slip often looks like several of: they are told of a line that has no error yet."""
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_ENDS_BRACKET = _NEVER_WITHIN | {")"}
ROUTE_WORDS = frozenset(kind.value for kind in RouteKind)


class NotUnderstoodError(Exception):
    """The tokens at hand fit nothing known: who catches it skips them. Never leaves parsing."""


class TooDeepError(NotUnderstoodError):
    """Brackets or blocks are nested too deep."""


class Cursor:
    """The tokens of a source and a place among them."""

    def __init__(self, source: Source) -> None:
        scanned = tokenize(source)
        self.source = source
        self.tokens = scanned.tokens
        self.findings = scanned.findings
        self.skipped = scanned.skipped
        self.room = MAXIMUM_FINDINGS
        self.told = scanned.told
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
        """Takes the token if it is `text`, and says whether it was."""
        if self.token.text != text:
            return False
        self.take()
        return True

    def expect(self, text: str) -> None:
        """Takes `text`; raises NotUnderstoodError where something else stands."""
        if not self.accept(text):
            raise NotUnderstoodError

    def place(self, token: Token) -> Place:
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
        if self.room > 0 and not (code in _OFTEN_SEVERAL and token.line in self.told):
            self.told.add(token.line)
            self.room -= 1
            self.findings.append(Finding(Severity.ERROR, code, self.place(token), text))

    def not_understood(self, start: int) -> None:
        """Counts what stands between the token of index `start` and the one at hand, with an error where none
        was told of its lines: the proxy takes it for a syntax error, too."""
        self.skipped += 1
        lines = range(self.tokens[start].line, self.previous.line + 1)
        if self.hints >= MAXIMUM_HINTS or not self.told.isdisjoint(lines):
            return
        self.hints += 1
        shown = self.written(start, min(max(self.index, start + 1), start + 12))[:60]
        place = self.place(self.tokens[start])
        text = f"This is not understood, and stops the proxy as a syntax error: {shown}"
        self.findings.append(Finding(Severity.ERROR, "not-understood", place, text))

    def deeper(self) -> None:
        """One level of nesting more; raises TooDeepError, with a finding the first time, beyond the bound."""
        if self.depth >= MAXIMUM_DEPTH:
            if self.too_deep:
                raise TooDeepError
            self.too_deep = True
            text = f"Nested more than {MAXIMUM_DEPTH} deep: what is within is not read."
            self.error("nested-too-deep", self.token, text)
            raise TooDeepError
        self.depth += 1

    def unclosed(self, opening: Token) -> None:
        """A bracket that isn't closed: of several that end at one place, the innermost is told."""
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
