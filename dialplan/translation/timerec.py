"""The column `timerec`: recurrences and their combination, read and checked as the core's `time_rec.c` does.

`[tz|]dtstart|dtend|duration|freq|until|interval|byday|bymonthday|byyearday|byweekno|bymonth|wkst`, with `&`,
`/`, `!` and brackets between recurrences; only one kind of operator per pair of brackets. `wkst` is not read.
"""

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from dialplan.translation.recurrence import DivisionByZeroError, Recurrence
from dialplan.translation.recurrence_fields import RecurrenceError, parse_recurrence

_BLANKS: Final = " \t\r\n"


class Timing(Enum):
    """Whether a rule applies at a time."""

    APPLIES = auto()
    DOES_NOT = auto()
    CRASHES = auto()
    """The proxy divides by an interval of 0, and crashes."""


class Operator(Enum):
    """What joins the parts of an expression."""

    AND = "&"
    OR = "/"


@dataclass(frozen=True, slots=True)
class InvalidRecurrence:
    """A `timerec` that the proxy does not take: it drops the rule. `position` is where the fault shows."""

    reason: str
    position: int


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """Recurrences and bracketed expressions, each perhaps inverted, under one operator."""

    operator: Operator | None
    operands: tuple["Recurrence | TimeExpression", ...]
    inverted: frozenset[int]
    """The indexes of operands that a `!` stands before."""
    ends_inverted: bool = False
    """A `!` with nothing behind it inverts the whole; it can only stand alone."""

    def check(self, now: int) -> Timing:
        """Whether the expression applies at the Unix time `now`."""
        try:
            return Timing.APPLIES if self._applies(now) else Timing.DOES_NOT
        except DivisionByZeroError:
            return Timing.CRASHES

    @property
    def can_crash(self) -> bool:
        """Whether checking it crashes the proxy at some time."""
        return any(operand.can_crash for operand in self.operands)

    def _applies(self, now: int) -> bool:
        results = []
        for index, operand in enumerate(self.operands):
            applies = operand.applies(now) if isinstance(operand, Recurrence) else operand._applies(now)
            results.append(applies is not (index in self.inverted))
        if self.operator is Operator.AND:
            return all(results)
        return any(results) is not self.ends_inverted


@lru_cache(maxsize=4096)
def parse_timerec(text: str, zone: str = "UTC") -> TimeExpression | InvalidRecurrence:
    """Read a `timerec`. `zone` is the local zone of the proxy, for recurrences that name none.

    Characters stand for bytes (Latin-1). An unknown zone is UTC, as for the C library.
    """
    try:
        return _TimerecParser(text, zone).parse()
    except _TimerecError as error:
        return InvalidRecurrence(str(error), error.position)


class _TimerecError(Exception):
    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.position = position


class _TimerecParser:
    """Follows `tmrec_expr_parse`: operand and operator in turn, each level with one kind of operator."""

    def __init__(self, text: str, zone: str, offset: int = 0) -> None:
        self._text = text
        self._zone = zone
        self._offset = offset
        self._at = 0
        self._operator: Operator | None = None
        self._operands: list[Recurrence | TimeExpression] = []
        self._inverted: set[int] = set()
        self._invert_next = False
        self._needs_operand = True

    def parse(self) -> TimeExpression:
        while self._at < len(self._text):
            if self._text[self._at] in _BLANKS:
                self._at += 1
            elif self._needs_operand:
                self._operand()
            else:
                self._operator_between()
        if self._needs_operand and self._operator is not None:
            raise self._error("no recurrence after the last operator", len(self._text))
        return TimeExpression(
            self._operator, tuple(self._operands), frozenset(self._inverted), self._invert_next
        )

    def _operand(self) -> None:
        here = self._text[self._at]
        if here in ")&/":
            raise self._error(f"“{here}” instead of a recurrence", self._at)
        if here == "!":
            self._invert_next = not self._invert_next
            self._at += 1
        elif here == "(":
            self._bracketed()
        else:
            self._single()

    def _bracketed(self) -> None:
        begin = self._at + 1
        depth = 1
        end = begin
        while end < len(self._text):
            depth += {"(": 1, ")": -1}.get(self._text[end], 0)
            if depth == 0:
                break
            end += 1
        if depth:
            raise self._error("a closing bracket is missing", self._at)
        inside = self._text[begin:end]
        lead = len(inside) - len(inside.lstrip(_BLANKS))
        self._add(_TimerecParser(inside.strip(_BLANKS), self._zone, self._offset + begin + lead).parse())
        self._at = end + 1
        self._needs_operand = False

    def _single(self) -> None:
        """One recurrence, up to a blank, `&`, or a `/` behind its first `|` (zones hold slashes, too)."""
        begin = self._at
        end = begin + 1
        has_separator = False
        while end < len(self._text):
            here = self._text[end]
            if here in "!()":
                raise self._error(f"“{here}” inside a recurrence", end)
            if here in _BLANKS or here == "&" or (here == "/" and has_separator):
                break
            has_separator = has_separator or here == "|"
            end += 1
        try:
            recurrence = parse_recurrence(self._text[begin:end], self._zone)
        except RecurrenceError as error:
            raise self._error(str(error), begin + error.position) from error
        self._add(recurrence)
        stop = self._text[end : end + 1]
        if stop in ("&", "/"):
            self._set_operator(Operator(stop), end)
        self._needs_operand = stop in ("&", "/")
        self._at = end + 1 if stop else len(self._text)

    def _operator_between(self) -> None:
        here = self._text[self._at]
        if here not in ("&", "/"):
            raise self._error(f"“{here}” instead of “&” or “/”", self._at)
        self._set_operator(Operator(here), self._at)
        self._needs_operand = True
        self._at += 1

    def _set_operator(self, operator: Operator, position: int) -> None:
        if self._operator not in (None, operator):
            raise self._error("“&” and “/” are mixed without brackets", position)
        self._operator = operator

    def _add(self, operand: "Recurrence | TimeExpression") -> None:
        # A “!” before a bracket that holds nothing but another “!” is lost: the proxy keeps one mark.
        is_marked = isinstance(operand, TimeExpression) and operand.ends_inverted
        if self._invert_next and not is_marked:
            self._inverted.add(len(self._operands))
        self._invert_next = False
        self._operands.append(operand)

    def _error(self, reason: str, position: int) -> _TimerecError:
        return _TimerecError(reason, self._offset + position)
