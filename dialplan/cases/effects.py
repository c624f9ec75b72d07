"""What an edit does to the saved cases: which of them pass before it and not behind it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dialplan.cases.running import CheckedCase, run_cases
from dialplan.cases.selectors import cases_of
from dialplan.models import SavedCase
from dialplan.translation.rules import RuleRow


@dataclass(frozen=True, slots=True)
class CaseEffect:
    """What each case gives after an edit that is not saved; `broken` and `mended` are ids of cases."""

    checked: tuple[CheckedCase, ...]
    broken: frozenset[int]
    mended: frozenset[int]

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
    return CaseEffect(after, broken=before - then, mended=then - before)


def effect_of_deleting(stored: RuleRow) -> CaseEffect:
    """What deleting `stored` would do: the same as disabling it."""
    return effect_of(replace(stored, disabled=1), stored)


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
        return CaseEffect(checked, broken=(self.passed & run) - now, mended=now - self.passed)


def case_snapshot(*dpids: int) -> CaseSnapshot:
    """How the cases of these dialplans stand now, to be held against them after a write."""
    return CaseSnapshot(frozenset(dpids), passing(_cases_of_all(dpids)))


def passing(cases: Iterable[SavedCase]) -> frozenset[int]:
    """The ids of the cases that pass on the table as it is."""
    return frozenset(each.case.pk for each in run_cases(cases) if each.passes)


def _cases_of_all(dpids: Iterable[int]) -> tuple[SavedCase, ...]:
    return tuple(case for dpid in sorted(set(dpids)) for case in cases_of(dpid))
