"""The form of a rule: what is special to it. Its fields are declared in dialplan/table.py."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from django import forms

from dialplan.neighbours import findings_among
from dialplan.table import RULES
from dialplan.translation.rules import RuleRow
from dialplan.validation import check
from efcp.editing.findings import Finding, Severity
from efcp.editing.forms import RowForm

CASELESS = 1
"""The flag of `match_flags` that OpenSIPS knows."""


class RuleForm(RowForm[RuleRow]):
    """The eight fields of the old panel under their column names; `timerec` and `disabled` under "more"."""

    compares_with_others: ClassVar[bool] = True
    """Whether the rule is also checked among the others of its dialplan."""

    table = RULES
    check_url = "dialplan:check"
    clone_notice = "Unsaved copy. Change what differs, then save. Its priority is the next free one."

    match_only = forms.BooleanField(label="Match only (number unchanged)", required=False)

    @classmethod
    def initial_of(cls, row: RuleRow) -> dict[str, Any]:
        """What the fields show of a row."""
        return super().initial_of(row) | {
            "match_flags": bool(row.match_flags & CASELESS),
            "match_only": not (row.subst_exp or row.repl_exp),
        }

    def findings(self) -> Iterator[Finding]:
        """What the proxy would do with the rule, alone and among the others of its dialplan."""
        if not {"dpid", "pr", "match_op"} <= self.cleaned_data.keys():
            return
        row = self.row()
        found = list(check(row))
        yield from found
        if not self.compares_with_others or self.errors:
            return
        if all(each.severity is Severity.WARNING for each in found):
            yield from findings_among(row)

    def row(self) -> RuleRow:
        """The row to write: of the flags only the known one is set or not, the others stay."""
        row, data = super().row(), self.cleaned_data
        others = self.original_row().match_flags & ~CASELESS if self.stored is not None else 0
        row = replace(row, match_flags=others | (CASELESS if data.get("match_flags") else 0))
        if not data.get("match_only"):
            return row
        return replace(row, subst_exp=self._without("subst_exp"), repl_exp=self._without("repl_exp"))

    def _without(self, column: str) -> str | None:
        """No text: as empty as the original was."""
        original = None if self.stored is None else getattr(self.original_row(), column)
        return "" if original == "" else None


class RuleOfBatchForm(RuleForm):
    """The form that checks one of many rules, alone: the test cases are run on all of them together."""

    compares_with_others = False
