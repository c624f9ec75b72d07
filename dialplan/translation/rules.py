"""Rows of table `dialplan`, what a proxy makes of each (`build_rule` in `dp_db.c`), and findings on them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from enum import Enum, IntEnum, auto
from operator import attrgetter
from typing import Final

from dialplan.translation.pattern import DEFAULT_EFFORT, CompileError, Pattern, compile_pattern, newer_syntax
from dialplan.translation.replacement import (
    MAX_PLACES,
    InvalidReplacement,
    PlaceholderKind,
    Replacement,
    TooManyPlaces,
    read_replacement,
)
from dialplan.translation.timerec import InvalidRecurrence, TimeExpression, parse_timerec

_CASELESS_FLAG: Final = 1


class RuleEffect(Enum):
    """How far a finding reaches."""

    PROXY_CRASHES = auto()
    RELOAD_FAILS = auto()
    RULE_DROPPED = auto()
    MAY_BE_DROPPED = auto()
    """Whether the rule loads depends on what was loaded before it."""
    SURPRISE = auto()


class RuleCode(Enum):
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
class RuleFinding:
    """One thing that a proxy makes of one rule.

    `rule` is the row's id (None for a row not saved yet), `column` the table's column, `position` a byte
    offset into that column's text where the cause can be marked; of an expression that does not compile it is
    the last byte that PCRE2 read.
    """

    code: RuleCode
    effect: RuleEffect
    text: str
    rule: int | None
    column: str
    position: int | None = None


class MatchOp(IntEnum):
    """The column `match_op`."""

    EQUAL = 0
    REGEX = 1


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A row of the table `dialplan`, column for column: the one type from a form's values to the loader.

    NULL is None. `id` is None for a row that is not stored yet, and has no part in comparisons.
    """

    dpid: int
    pr: int = 0
    match_op: int = 1
    match_exp: str = ""
    match_flags: int = 0
    subst_exp: str | None = None
    repl_exp: str | None = None
    attrs: str | None = None
    timerec: str | None = None
    disabled: int = 0
    id: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, stored: object) -> "RuleRow":
        """The row that a model's instance was read with."""
        return cls(*_columns_of(stored))


COLUMNS = tuple(each.name for each in fields(RuleRow))
"""The names of the columns, in the order of the fields."""

_columns_of = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True)
class DialplanEnvironment:
    """What besides the rows decides how a proxy loads them.

    `variables` are the names that its loaded modules export (the core's are known), `zone` its local time
    zone as in TZ, `encoding` that of its database connection. `effort` bounds each search in the preview.
    """

    variables: Collection[str] = ()
    zone: str = "UTC"
    encoding: str = "utf-8"
    effort: int = DEFAULT_EFFORT


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule in a proxy's memory. `position` is its place among all rows read, in their order.

    `pattern` is None for an equal rule, whose text is `match`.
    """

    rule: RuleRow
    position: int
    match: bytes
    caseless: bool
    pattern: Pattern | None
    substitution: Pattern | None
    replacement: Replacement | None
    recurrence: TimeExpression | None
    attributes: bytes

    @property
    def may_be_dropped(self) -> bool:
        """Whether it loads or not by chance: a group in `repl_exp` is compared with an unset count of groups.

        `build_rule` reads PCRE2_INFO_CAPTURECOUNT of no expression, which leaves its variable as it was: seen
        on 3.4, 3.6 and 4.0, the rule loads behind one whose `subst_exp` has that many groups, and else not.
        """
        return (
            self.substitution is None and self.replacement is not None and self.replacement.highest_group > 0
        )


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rule that is not in memory after loading; `cause` says what happens instead."""

    cause: RuleFinding


def read_rule(
    rule: RuleRow, environment: DialplanEnvironment, position: int = 0
) -> tuple[LoadedRule | Rejected, tuple[RuleFinding, ...]]:
    """What a proxy loads of one row, with all findings.

    The checks stand in the module's order: a rule dropped for its expression never gets so far as to crash
    the proxy by its replacement. `disabled` rows are read like the others; the proxy does not ask for them.
    """
    reader = _RuleReader(rule, environment)
    try:
        loaded = reader.read(position)
    except _RejectedError as error:
        return Rejected(error.finding), (*reader.findings, error.finding)
    return loaded, tuple(reader.findings)


class _RejectedError(Exception):
    """The rule does not load."""

    def __init__(self, finding: RuleFinding) -> None:
        super().__init__(finding.text)
        self.finding = finding


class _RuleReader:
    def __init__(self, rule: RuleRow, environment: DialplanEnvironment) -> None:
        self._rule = rule
        self._environment = environment
        self._caseless = bool(rule.match_flags & _CASELESS_FLAG)
        self.findings: list[RuleFinding] = []

    def read(self, position: int) -> LoadedRule:
        rule = self._rule
        if rule.match_op not in {int(operator) for operator in MatchOp}:
            text = f"match_op {rule.match_op} is neither 0 nor 1: the proxy silently drops the rule."
            raise self._rejected(RuleCode.OPERATOR_UNKNOWN, text, "match_op")
        match = self._octets("match_exp", rule.match_exp)
        is_regex = rule.match_op == MatchOp.REGEX
        pattern = self._pattern("match_exp", match, RuleCode.MATCH_DOES_NOT_COMPILE) if is_regex else None
        substitution = self._substitution()
        replacement = self._replacement(substitution)
        attributes = self._octets("attrs", rule.attrs)
        recurrence = self._recurrence()
        if not is_regex and not match:
            text = "An equal rule with empty text makes the whole reload fail; the old rules stay."
            raise self._rejected(RuleCode.EQUAL_RULE_EMPTY, text, "match_exp", effect=RuleEffect.RELOAD_FAILS)
        return LoadedRule(
            rule=rule,
            position=position,
            match=match,
            caseless=self._caseless,
            pattern=pattern,
            substitution=substitution,
            replacement=replacement,
            recurrence=recurrence,
            attributes=attributes,
        )

    def _octets(self, column: str, text: str | None) -> bytes:
        """A CHAR column as the proxy gets it: a C string, without the trailing spaces that MariaDB drops."""
        octets = (text or "").encode(self._environment.encoding, "replace").partition(b"\0")[0]
        stripped = octets.rstrip(b" ")
        if stripped != octets:
            note = "The table drops trailing spaces."
            self._note(RuleCode.TRAILING_SPACES_LOST, note, column, len(stripped))
        return stripped

    def _pattern(self, column: str, expression: bytes, code: RuleCode) -> Pattern:
        pattern = compile_pattern(expression, self._caseless, self._environment.effort)
        if isinstance(pattern, CompileError):
            text = f"{pattern.message}: the proxy silently drops the rule."
            raise self._rejected(code, text, column, max(0, pattern.position - 1))
        place = newer_syntax(expression)
        if place is not None:
            text = "PCRE2 before 10.43 reads this differently or rejects the rule."
            self._note(RuleCode.SYNTAX_OF_NEWER_PCRE2, text, column, place)
        return pattern

    def _substitution(self) -> Pattern | None:
        expression = self._octets("subst_exp", self._rule.subst_exp)
        if not expression:
            return None
        return self._pattern("subst_exp", expression, RuleCode.SUBSTITUTION_DOES_NOT_COMPILE)

    def _replacement(self, substitution: Pattern | None) -> Replacement | None:
        text = self._octets("repl_exp", self._rule.repl_exp)
        if not text:
            return None
        replacement = read_replacement(text, self._environment.variables)
        if isinstance(replacement, TooManyPlaces):
            reason = f"More than {MAX_PLACES} escapes and variables crash the proxy on load."
            raise self._rejected(
                RuleCode.TOO_MANY_ESCAPES,
                reason,
                "repl_exp",
                replacement.position,
                RuleEffect.PROXY_CRASHES,
            )
        if isinstance(replacement, InvalidReplacement):
            reason = f"{replacement.reason}: the proxy silently drops the rule."
            raise self._rejected(RuleCode.VARIABLE_INVALID, reason, "repl_exp", replacement.position)
        if substitution is not None and replacement.highest_group > substitution.groups:
            missing = f"subst_exp has no group {replacement.highest_group}"
            reason = f"{missing}: the proxy silently drops the rule."
            raise self._rejected(RuleCode.GROUP_MISSING, reason, "repl_exp", _place_of_highest(replacement))
        self.findings.extend(self._surprises(replacement, substitution))
        return replacement

    def _surprises(self, replacement: Replacement, substitution: Pattern | None) -> Iterator[RuleFinding]:
        for place in replacement.places:
            if place.since:
                text = f"{place.variable} needs OpenSIPS {place.since}; older releases drop the rule."
                yield self._surprise(RuleCode.VARIABLE_OF_NEWER_RELEASE, text, "repl_exp", place.offset)
        if substitution is None:
            if replacement.highest_group:
                text = (
                    "A group without a subst_exp: the proxy may drop the rule (that depends on the rules "
                    "loaded before it), and if it loads, the output is this text as it stands."
                )
                yield RuleFinding(
                    RuleCode.GROUP_WITHOUT_SUBSTITUTION,
                    RuleEffect.MAY_BE_DROPPED,
                    text,
                    self._rule.id,
                    "repl_exp",
                    _place_of_highest(replacement),
                )
            return
        for index, place in enumerate(replacement.places):
            if place.kind is PlaceholderKind.CHARACTER and place.offset > 0:
                text = "The escaped character overwrites the output's first and leaves a stray byte here."
                yield self._surprise(RuleCode.ESCAPE_MISPLACED, text, "repl_exp", place.offset)
            elif place.kind is not PlaceholderKind.GROUP and index + 1 < len(replacement.places):
                text = "These characters are copied to the output literally."
                yield self._surprise(RuleCode.VARIABLE_TEXT_COPIED, text, "repl_exp", place.offset)

    def _recurrence(self) -> TimeExpression | None:
        text = self._octets("timerec", self._rule.timerec).decode("latin-1")
        if not text:
            return None
        recurrence = parse_timerec(text, self._environment.zone)
        if isinstance(recurrence, InvalidRecurrence):
            reason = f"{recurrence.reason}: the proxy silently drops the rule."
            raise self._rejected(RuleCode.RECURRENCE_INVALID, reason, "timerec", recurrence.position)
        if recurrence.can_crash:
            reason = "The interval is 0: the proxy crashes when it evaluates this rule."
            self._note(RuleCode.RECURRENCE_CRASHES, reason, "timerec", effect=RuleEffect.PROXY_CRASHES)
        return recurrence

    def _note(
        self,
        code: RuleCode,
        text: str,
        column: str,
        position: int | None = None,
        effect: RuleEffect = RuleEffect.SURPRISE,
    ) -> None:
        self.findings.append(RuleFinding(code, effect, text, self._rule.id, column, position))

    def _surprise(self, code: RuleCode, text: str, column: str, position: int) -> RuleFinding:
        return RuleFinding(code, RuleEffect.SURPRISE, text, self._rule.id, column, position)

    def _rejected(
        self,
        code: RuleCode,
        text: str,
        column: str,
        position: int | None = None,
        effect: RuleEffect = RuleEffect.RULE_DROPPED,
    ) -> _RejectedError:
        return _RejectedError(RuleFinding(code, effect, text, self._rule.id, column, position))


def _place_of_highest(replacement: Replacement) -> int:
    groups = (place for place in replacement.places if place.kind is PlaceholderKind.GROUP)
    return max(groups, key=lambda place: place.value).offset
