"""What a proxy would make of the whole table: how many rules it loads, and which it drops or breaks over."""

from dataclasses import dataclass

from dialplan import selectors
from dialplan.services import Values
from dialplan.translation.findings import Effect, Finding
from dialplan.translation.loading import LoadBroken, load
from dialplan.translation.rules import Environment
from dialplan.validation import as_rule


@dataclass(frozen=True, slots=True)
class Foretold:
    """Rules loaded, discarded, left out as disabled; `dropped` says why, `breaking` what no load survives."""

    loaded: int
    discarded: int
    disabled: int
    dropped: tuple[Finding, ...] = ()
    breaking: Finding | None = None


def foretell() -> Foretold | None:
    """Load the table as a proxy would; None where it is too large to be loaded for a page."""
    try:
        rows = selectors.all_rules()
    except selectors.TooManyRulesError:
        return None
    disabled = sum(row.disabled != 0 for row in rows)
    result = load((as_rule(Values.of(row), row.pk) for row in rows), Environment())
    if isinstance(result, LoadBroken):
        return Foretold(0, 0, disabled, breaking=result.cause)
    dropped = tuple(each for each in result.findings if each.effect is Effect.RULE_DROPPED)
    return Foretold(result.loaded, result.discarded, disabled, dropped)
