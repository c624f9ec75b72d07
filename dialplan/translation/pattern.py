"""PCRE2 expressions as the dialplan module compiles and matches them: on bytes, without JIT or UTF mode.

The module passes no option but PCRE2_CASELESS. The `pcre2` package adds PCRE2_ALT_BSUX, which changes what
`\\x`, `\\u` and `\\U` mean, and PCRE2_NEVER_BACKSLASH_C; its public interface cannot take them back, so this
module calls the extension below it. That is also several times faster.

The package's PCRE2 (10.47) is newer than those of current distributions (10.36 to 10.46). `newer_syntax`
finds what older ones read differently.

PCRE2's own limit bounds one search of one rule; two thousand rules that each stay below it take a minute. So
all searches of one request share one `Effort`, which also keeps what the request has compiled: the rules of a
dialplan are loaded several times per request, to validate a rule, to compare it with others, for test cases.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pcre2 import _cy

SEARCHES: Final = 1_000_000
"""Searches of one expression in one text, and steps through two expressions that are compared."""
SECONDS: Final = 1.5

# Match points before a search is given up. The proxy's own limit is PCRE2's default of 10,000,000, about
# 0.1 s for one search; a tenth of that keeps a page quick.
DEFAULT_EFFORT: Final = 1_000_000
PROXY_EFFORT: Final = 10_000_000
_HEAP_KIB: Final = 64 * 1024

_CASELESS: Final = 0x00000008
_ADDED_BY_PACKAGE: Final = 0x00000002 | 0x00100000
_BACKSLASH_C_DISABLED: Final = 185
_MATCH_LIMIT: Final = -47
_DEPTH_LIMIT: Final = -53
_HEAP_LIMIT: Final = -63

_LEADING_ITEMS = re.compile(
    rb"(?:\(\*(?:UTF8?|UCP|NOTEMPTY|NOTEMPTY_ATSTART|NO_AUTO_POSSESS|NO_DOTSTAR_ANCHOR|NO_JIT|NO_START_OPT"
    rb"|CR|LF|CRLF|ANYCRLF|ANY|NUL|BSR_ANYCRLF|BSR_UNICODE"
    rb"|LIMIT_(?:MATCH|DEPTH|RECURSION|HEAP)=[0-9]+)\))*"
)
_OWN_MATCH_LIMIT = re.compile(rb"\(\*LIMIT_MATCH=([0-9]+)\)")
_OWN_MEMORY_LIMIT = re.compile(rb"\(\*LIMIT_(?:DEPTH|RECURSION|HEAP)=")

_ANY_BYTE: Final = b"(?s:.)"

# From PCRE2 10.43 on `{,3}` and `{1, 3}` are quantifiers, which older ones read as text; and a lookbehind may
# vary in length, for which older ones drop the rule.
_NEWER_SYNTAX = re.compile(
    rb"\{(?:[ \t]*,[ \t]*[0-9]+[ \t]*\}|[ \t]+[0-9]|[0-9]+[ \t]+[,}]|[0-9]+,[ \t]+)"
    rb"|\(\?<[=!][^()]*(?:[?*+]|\{[0-9]*,)"
)

_CONTEXT = _cy.create_match_context()


class Effort:
    """What a request may still spend: `searches`, and `seconds` by `clock` from now on.

    `compiled` has each expression that the request has compiled, by its arguments.
    """

    __slots__ = ("_clock", "_deadline", "_left", "compiled", "is_spent", "seconds")

    def __init__(self, searches: int, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._left = searches
        self.seconds = seconds
        self.is_spent = False
        self.compiled: dict[tuple[bytes, bool, int], Pattern | CompileError] = {}

    def spend(self) -> bool:
        """Spend one step; False where none was left."""
        if not self.is_spent:
            self._left -= 1
            self.is_spent = self._left < 0 or self._clock() > self._deadline
        return not self.is_spent


_current: ContextVar[Effort | None] = ContextVar("effort", default=None)


@contextmanager
def limited(effort: Effort) -> Iterator[None]:
    """Everything within spends of `effort`; without it there is no limit across rules."""
    token = _current.set(effort)
    try:
        yield
    finally:
        _current.reset(token)


def spend() -> bool:
    """Spend one step of this request's effort, if it is limited; False where none was left."""
    effort = _current.get()
    return effort is None or effort.spend()


def is_spent() -> bool:
    """Whether the findings so far are incomplete because the effort is spent."""
    effort = _current.get()
    return effort is not None and effort.is_spent


class Miss(Enum):
    """Why a search found nothing."""

    NO_MATCH = auto()
    GAVE_UP = auto()
    """More effort than allowed here; the proxy tries longer, and may find a match."""
    ERROR = auto()
    """PCRE2 refused to go on (an endless recursion, bad UTF-8 in UTF mode, a limit set in the expression):
    for the proxy that is no match."""


@dataclass(frozen=True, slots=True)
class CompileError:
    """PCRE2's own message, and its own place: the byte of the expression up to which it had read."""

    message: str
    position: int


@dataclass(frozen=True, slots=True)
class Match:
    """The byte spans of a match's groups, up to the highest group that took part; None for one unset."""

    spans: tuple[tuple[int, int] | None, ...]


class Pattern:
    """A compiled expression. `groups` is the number of its capturing groups.

    `limits_here` are PCRE2's error codes for limits that only the preview sets, not the proxy.
    """

    __slots__ = ("_limits_here", "code", "expression", "groups")

    def __init__(self, expression: bytes, code: object, limits_here: frozenset[int]) -> None:
        self.expression = expression
        self.code = code
        self.groups: int = _cy.pattern_capture_count(code)
        self._limits_here = limits_here

    def search(self, subject: bytes) -> Match | Miss:
        """The first match anywhere in `subject`."""
        try:
            data = match_data(self.code, subject)
        except _cy.LibraryError as error:
            return self.miss_of(error)
        if data is None:
            return Miss.NO_MATCH
        return self.match_of(data, subject)

    def match_of(self, data: object, subject: bytes) -> Match:
        """The spans in what `match_data` returned for this pattern and `subject`."""
        spans = [_cy.match_substring_span_bynumber(data, subject, group) for group in range(self.groups + 1)]
        while spans[-1] == (-1, -1):
            spans.pop()
        return Match(tuple(None if span == (-1, -1) else span for span in spans))

    def miss_of(self, error: Exception) -> Miss:
        """What an exception of `match_data` means for this pattern."""
        is_limit_here = isinstance(error, EffortSpentError) or getattr(error, "code", 0) in self._limits_here
        return Miss.GAVE_UP if is_limit_here else Miss.ERROR


MatchError: Final = _cy.LibraryError


class EffortSpentError(_cy.LibraryError):  # type: ignore[misc]
    """The request's effort for all rules together is spent (see effort)."""


def match_data(code: object, subject: bytes) -> object | None:
    """PCRE2's match data for a compiled code, or None; raises `MatchError`. For loops over many patterns."""
    if not spend():
        raise EffortSpentError(_MATCH_LIMIT)
    data: object | None = _cy.match(code, subject, len(subject), 0, _CONTEXT)[0]
    return data


def compile_pattern(
    expression: bytes, caseless: bool, effort: int = DEFAULT_EFFORT
) -> Pattern | CompileError:
    """Compile as the proxy does; `effort` bounds each search, in PCRE2's match points.

    The library has no call for that bound here, so it is written in front of the expression, behind the items
    that may only stand there. A lower bound of the expression's own is the proxy's too, and stays. At
    `PROXY_EFFORT` the preview gives up where the proxy does, for which that is no match. Within one request
    each expression is compiled once.
    """
    request = _current.get()
    if request is None:
        return _compile(expression, caseless, effort)
    key = (expression, caseless, effort)
    if key not in request.compiled:
        request.compiled[key] = _compile(expression, caseless, effort)
    return request.compiled[key]


def _compile(expression: bytes, caseless: bool, effort: int) -> Pattern | CompileError:
    head = _leading_items(expression)
    own = [int(number) for number in _OWN_MATCH_LIMIT.findall(head)][-1:]
    limit = min([effort, PROXY_EFFORT, *own])
    limits = b"(*LIMIT_MATCH=%d)" % limit
    limits_here: frozenset[int] = frozenset()
    if limit != PROXY_EFFORT and limit not in own:
        limits_here |= {_MATCH_LIMIT}
    if not _OWN_MEMORY_LIMIT.search(head):
        limits += b"(*LIMIT_HEAP=%d)" % _HEAP_KIB
        limits_here |= {_DEPTH_LIMIT, _HEAP_LIMIT}
    body = expression[len(head) :]
    while True:
        try:
            code = _cy.compile(head + limits + body, _CASELESS if caseless else 0, _ADDED_BY_PACKAGE)
        except _cy.PatternError as error:
            place = error.pos - len(head) - len(limits)
            if error.code == _BACKSLASH_C_DISABLED and b"UTF" not in head:
                # One byte, whatever it is: the same thing in words that this build of PCRE2 takes.
                body = body[: place - len(rb"\C")] + _ANY_BYTE + body[place:]
                continue
            return CompileError(_message(error), _position(error.pos - len(limits), expression, head + body))
        return Pattern(expression, code, limits_here)


def newer_syntax(expression: bytes) -> int | None:
    """Where `expression` holds what PCRE2 before 10.43 reads differently or refuses, or None."""
    found = _NEWER_SYNTAX.search(expression)
    return found.start() if found else None


def _leading_items(expression: bytes) -> bytes:
    found = _LEADING_ITEMS.match(expression)
    return found.group() if found else b""


def _position(place: int, expression: bytes, compiled: bytes) -> int:
    """A place in what was compiled as a place in what was written."""
    return max(0, min(place - (len(compiled) - len(expression)), len(expression)))


def _message(error: Exception) -> str:
    """PCRE2's words without the package's preface, whose position counts the bound in front."""
    return str(error).partition("; ")[2]
