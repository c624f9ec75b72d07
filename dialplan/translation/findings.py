"""What a proxy would make of a rule, said as values: each finding has a code, an effect and a text."""

from dataclasses import dataclass
from enum import Enum, auto


class Effect(Enum):
    """How far a finding reaches."""

    PROXY_CRASHES = auto()
    RELOAD_FAILS = auto()
    RULE_DROPPED = auto()
    MAY_BE_DROPPED = auto()
    """Whether the rule loads depends on what was loaded before it."""
    SURPRISE = auto()


class Code(Enum):
    """What was found; a form maps codes to fields and help."""

    OPERATOR_UNKNOWN = auto()
    MATCH_DOES_NOT_COMPILE = auto()
    SUBSTITUTION_DOES_NOT_COMPILE = auto()
    EQUAL_RULE_EMPTY = auto()
    TOO_MANY_ESCAPES = auto()
    VARIABLE_INVALID = auto()
    VARIABLE_OF_NEWER_RELEASE = auto()
    GROUP_MISSING = auto()
    GROUP_WITHOUT_SUBSTITUTION = auto()
    ESCAPE_MISPLACED = auto()
    VARIABLE_TEXT_COPIED = auto()
    SYNTAX_OF_NEWER_PCRE2 = auto()
    RECURRENCE_INVALID = auto()
    RECURRENCE_CRASHES = auto()
    TRAILING_SPACES_LOST = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a proxy makes of one rule.

    `rule` is the row's id (None for a row not saved yet), `column` the table's column, `position` a byte
    offset into that column's text where the cause can be marked; of an expression that does not compile it is
    the last byte that PCRE2 read.
    """

    code: Code
    effect: Effect
    text: str
    rule: int | None
    column: str
    position: int | None = None
