"""What a proxy would load of the whole table: how many rules, which it drops, and which break the load."""

from dataclasses import dataclass

from dialplan import selectors
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.rules import DialplanEnvironment, RuleEffect, RuleFinding, RuleRow


@dataclass(frozen=True, slots=True)
class LoadPrediction:
    """Rules loaded, discarded, left out as disabled; `dropped` says why, `breaking` what no load survives.

    `uncertain` of the loaded ones may be dropped, too, for the reasons in `dropped`.
    """

    loaded: int
    discarded: int
    disabled: int
    dropped: tuple[RuleFinding, ...] = ()
    breaking: RuleFinding | None = None
    uncertain: int = 0

    def allows(self, loaded: int, discarded: int) -> bool:
        """Whether a proxy's counts fit: each uncertain rule may count as loaded or as discarded."""
        total = self.loaded + self.discarded
        return loaded + discarded == total and self.fewest <= loaded <= self.loaded

    @property
    def fewest(self) -> int:
        """The rules that load for certain."""
        return self.loaded - self.uncertain


def predict_load() -> LoadPrediction | None:
    """Load the table as a proxy would; None where it is too large to be loaded for a page."""
    try:
        rows, plain = selectors.all_but_plain_rules()
    except selectors.TooManyRulesError:
        return None
    disabled = sum(row.disabled != 0 for row in rows)
    result = load(map(RuleRow.of, rows), DialplanEnvironment())
    if isinstance(result, LoadBroken):
        return LoadPrediction(0, 0, disabled, breaking=result.cause)
    reported = (RuleEffect.RULE_DROPPED, RuleEffect.MAY_BE_DROPPED)
    dropped = tuple(each for each in result.findings if each.effect in reported)
    return LoadPrediction(
        result.loaded + plain, result.discarded, disabled, dropped, uncertain=result.uncertain
    )
