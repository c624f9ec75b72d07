"""Running saved cases on the table as a proxy would after a reload, now."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from dialplan.dry_run import DryRun, try_inputs
from dialplan.models import SavedCase
from dialplan.selectors import TooManyRulesError, rules_for_each
from dialplan.translation.rules import RuleRow


@dataclass(frozen=True, slots=True)
class CheckedCase:
    """A case and what comes of its input."""

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
    cases: Iterable[SavedCase], unsaved: RuleRow | None = None, rule_id: int | None = None
) -> tuple[CheckedCase, ...]:
    """Run cases that stand by dialplan; `unsaved` stands for the row `rule_id`, or behind the others.

    Each dialplan is loaded once, all from a few queries. One that is too large to be run makes its cases
    fail, and says so.
    """
    checked: list[CheckedCase] = []
    grouped = [(dpid, list(group)) for dpid, group in groupby(cases, key=lambda case: case.dpid)]
    inputs = {dpid: [case.input for case in of_one] for dpid, of_one in grouped}
    stored = rules_for_each(inputs) if len(inputs) > 1 else {}
    for dpid, of_one in grouped:
        texts = inputs[dpid]
        try:
            dry_run = try_inputs(dpid, texts, unsaved, rule_id, stored.get(dpid))
        except TooManyRulesError as error:
            dry_run = tuple(DryRun(text, str(error), is_certain=False) for text in texts)
        checked += map(CheckedCase, of_one, dry_run)
    return tuple(checked)
