"""Running saved cases on the table as a proxy would after a reload, and what an edit does to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from dialplan.cases.selectors import cases_of
from dialplan.dry_run import DryRun, try_inputs
from dialplan.models import Rule, SavedCase
from dialplan.selectors import MAX_RULES, TooManyRulesError, rules_for_each
from dialplan.table import RULES
from dialplan.translation.rules import RuleRow
from efcp.editing.batch import RowChange, rows_after, stored_rows
from efcp.figures import counted


@dataclass(frozen=True, slots=True)
class CheckedCase:
    """A case and the output of its input."""

    case: SavedCase
    dry_run: DryRun

    @property
    def passes(self) -> bool:
        """Whether exactly what is expected comes out, in every possible order of equal priorities."""
        return self.dry_run.always_gives(self.case.expected)

    @property
    def words(self) -> str:
        """What comes out and what should, for people."""
        expected = "nothing" if self.case.expected is None else f"“{self.case.expected}”"
        gives = self.dry_run.words if self.dry_run.output is None else f"output “{self.dry_run.output}”."
        return f"Test case “{self.case.input}” fails: {gives} Expected: {expected}."


def run_cases(
    cases: Iterable[SavedCase],
    unsaved: RuleRow | None = None,
    rule_id: int | None = None,
    rows: Mapping[int, Iterable[RuleRow]] | None = None,
) -> tuple[CheckedCase, ...]:
    """Run cases that stand by dialplan; `unsaved` stands for the row `rule_id`, or behind the others.

    `rows` are the rules by dialplan, where they are not those of the table.

    Each dialplan is loaded once, all from a few queries. The cases of one that is too large to be run
    fail with that reason.
    """
    checked: list[CheckedCase] = []
    grouped = [(dpid, list(group)) for dpid, group in groupby(cases, key=lambda case: case.dpid)]
    inputs = {dpid: [case.input for case in of_one] for dpid, of_one in grouped}
    stored: Mapping[int, Iterable[Rule | RuleRow]] = {}
    if rows is not None:
        stored = rows
    elif len(inputs) > 1:
        stored = rules_for_each(inputs)
    for dpid, of_one in grouped:
        texts = inputs[dpid]
        try:
            dry_run = try_inputs(dpid, texts, unsaved, rule_id, stored.get(dpid))
        except TooManyRulesError as error:
            dry_run = tuple(DryRun(text, str(error), is_certain=False) for text in texts)
        checked += map(CheckedCase, of_one, dry_run)
    return tuple(checked)


@dataclass(frozen=True, slots=True)
class CaseEffect:
    """What each case gives after an edit that is not saved; `broken` and `fixed` are ids of cases."""

    checked: tuple[CheckedCase, ...]
    broken: frozenset[int]
    fixed: frozenset[int]

    @property
    def failing(self) -> int:
        """How many fail after the edit, as before or newly."""
        return sum(not each.passes for each in self.checked)


def effect_of(unsaved: RuleRow, stored: RuleRow | None = None) -> CaseEffect:
    """What saving `unsaved` would do, in place of `stored` or as a new rule.

    A rule that moves to another dialplan is checked with the cases of both.
    """
    cases = _cases_of_all({unsaved.dpid} | ({stored.dpid} if stored else set()))
    after = run_cases(cases, unsaved, stored.id if stored else None)
    before, then = passing(cases), frozenset(each.case.pk for each in after if each.passes)
    return CaseEffect(after, broken=before - then, fixed=then - before)


def effect_of_deleting(stored: RuleRow) -> CaseEffect:
    """What deleting `stored` would do: the same as disabling it."""
    return effect_of(replace(stored, disabled=1), stored)


MAX_SHOWN = 20
"""Test cases whose outcome changes that are listed of one batch."""


def case_effects(changes: Sequence[RowChange[RuleRow]]) -> list[dict[str, Any]]:
    """A card of the test cases that fail after the changes or pass again; none where no outcome changes."""
    dpids = {row.dpid for each in changes for row in (each.before, each.after) if row is not None}
    cases = _cases_of_all(dpids)
    if not cases:
        return []
    dpids = {case.dpid for case in cases}
    rows: dict[int, list[RuleRow]] = {dpid: [] for dpid in dpids}
    for row in rows_after(stored_rows(RULES, dpids), changes):
        if row.dpid in rows:
            rows[row.dpid].append(row)
    if any(len(of_one) > MAX_RULES for of_one in rows.values()):
        note = f"Not run: a dialplan would have more than {MAX_RULES:,} rules."
        return [{"title": "Test cases", "notes": [("warning", note)]}]
    before = passing(cases)
    after = run_cases(cases, rows=rows)
    broken = [each for each in after if each.case.pk in before and not each.passes]
    fixed = [each for each in after if each.case.pk not in before and each.passes]
    sums = f"{len(broken)} would fail that pass now, {len(fixed)} would pass again"
    return [
        {
            "title": f"{counted(len(after), 'test case')}: {sums}",
            "notes": [("error", each.words) for each in broken[:MAX_SHOWN]],
            "more": f"{counted(len(broken) - MAX_SHOWN, 'more')}." if len(broken) > MAX_SHOWN else "",
        }
    ]


@dataclass(frozen=True, slots=True)
class CaseSnapshot:
    """Which cases of some dialplans passed at a moment."""

    dpids: frozenset[int]
    passed: frozenset[int]

    def now(self) -> CaseEffect:
        """The cases as they stand now, with what changed since that moment."""
        checked = run_cases(_cases_of_all(self.dpids))
        now = frozenset(each.case.pk for each in checked if each.passes)
        run = frozenset(each.case.pk for each in checked)
        return CaseEffect(checked, broken=(self.passed & run) - now, fixed=now - self.passed)


def case_snapshot(*dpids: int) -> CaseSnapshot:
    """Which cases of these dialplans pass now, to compare with after a write."""
    return CaseSnapshot(frozenset(dpids), passing(_cases_of_all(dpids)))


def passing(cases: Iterable[SavedCase]) -> frozenset[int]:
    """The ids of the cases that pass on the table as it is."""
    return frozenset(each.case.pk for each in run_cases(cases) if each.passes)


def _cases_of_all(dpids: Iterable[int]) -> tuple[SavedCase, ...]:
    return tuple(case for dpid in sorted(set(dpids)) for case in cases_of(dpid))
