"""What a plan is: each change before it is carried out, for people and for writing."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from efcp.audit.services import Actor
from efcp.editing.batch import ChangeKind, RowChange
from efcp.editing.findings import Finding, Severity
from efcp.editing.repository import Repository
from efcp.operations.desired.document import SECTIONS, TABLES, TableSection

Scope = Mapping[str, frozenset[int] | None]
"""The sections that are compared; of some only these sets or dialplans."""


class ScopeError(ValueError):
    """The limit to some sections can't be read."""


def read_scope(only: Sequence[str]) -> Scope | None:
    """The scope that texts such as `sets=1,2` or `proxies` name; None without any. Raises ScopeError."""
    scope: dict[str, frozenset[int] | None] = {}
    numbered = {each.key for each in TABLES}
    for text in only:
        section, equals, numbers = text.partition("=")
        given = numbers.split(",") if equals else []
        if section not in SECTIONS or (equals and section not in numbered):
            raise ScopeError(
                f"{text[:50]}: name sets, dialplans, maintenance or proxies; with =1,2 the first two."
            )
        if not all(each.isascii() and each.isdigit() and len(each) < 11 for each in given):
            raise ScopeError(f"{text[:50]}: numbers are divided by commas.")
        scope[section] = frozenset(map(int, given)) if equals else None
    return scope or None


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One change for people: `columns` holds the values before and after, without secrets."""

    section: str
    kind: ChangeKind
    label: str
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)


class PlannedStep(Protocol):
    """A change beside the rows of tables."""

    def line(self) -> PlanLine:
        """It, for people."""

    def write(self, actor: Actor, reason: str) -> None:
        """Carry it out, if what it was planned for is still so."""

    def undo(self, actor: Actor) -> bool:
        """Put back what was before, where that can be done; False where somebody changed it since."""


@dataclass(frozen=True, slots=True)
class TablePlan:
    """The changes of one table's rows, and what they do to calls or test cases."""

    section: TableSection
    repository: Repository[Any]
    changes: list[RowChange[Any]]
    effect: list[dict[str, Any]]

    def lines(self) -> Iterator[PlanLine]:
        """The changes, for people."""
        table = self.section.table
        for change in self.changes:
            before = {} if change.before is None else table.masked(change.before)
            after = {} if change.after is None else table.masked(change.after)
            columns = {
                name: (before.get(name), after.get(name))
                for name in before | after
                if change.kind is not ChangeKind.CHANGED or before[name] != after[name]
            }
            yield PlanLine(self.section.key, change.kind, table.label(change.row), columns)


@dataclass(slots=True)
class DesiredPlan:
    """What a document changes; nothing may be written while it has an error among its findings."""

    tables: list[TablePlan] = field(default_factory=list)
    steps: list[PlannedStep] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """The findings that refuse it."""
        return [each for each in self.findings if each.severity is Severity.ERROR]

    @property
    def lines(self) -> list[PlanLine]:
        """Every change, for people."""
        rows = [line for each in self.tables for line in each.lines()]
        return rows + [each.line() for each in self.steps]

    @property
    def id(self) -> str:
        """A digest of the changes: the same plan has the same id."""
        text = json.dumps([asdict(each) for each in self.lines], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
