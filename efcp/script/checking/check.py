"""What is wrong with a script: all checks, one after the other, over one look at it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from efcp.script.checking import (
    armed,
    databases,
    dialplans,
    functions,
    groups,
    marking,
    modules,
    parameters,
    reach,
    replies,
    results,
    routes,
    selection,
)
from efcp.script.checking.accepting import Checked, accept
from efcp.script.checking.overview import Overview, overview
from efcp.script.checking.tables import Tables
from efcp.script.findings import Finding, Severity, in_order
from efcp.script.knowledge.facts import Knowledge
from efcp.script.language.syntax import Script

Check = Callable[[Overview], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    *modules.CHECKS,
    *parameters.CHECKS,
    *functions.CHECKS,
    *routes.CHECKS,
    *armed.CHECKS,
    *selection.CHECKS,
    *groups.CHECKS,
    *marking.CHECKS,
    *results.CHECKS,
    *replies.CHECKS,
    *databases.CHECKS,
    *reach.CHECKS,
    *dialplans.CHECKS,
)

MAXIMUM_ALIKE = 100
"""How many findings of one code are told."""


def check(script: Script, knowledge: Knowledge, tables: Tables | None = None) -> Checked:
    """Everything that is wrong with a script, in order, with what reading it has found.

    `tables` is what the panel knows besides; without it nothing is said of sets and dialplans.
    """
    seen = overview(script, knowledge, tables or Tables())
    found = in_order((*script.findings, *(finding for each in CHECKS for finding in each(seen))))
    checked = accept(found, script.accepts)
    return Checked(in_order(_bounded(in_order(checked.findings))), checked.accepted)


def _bounded(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The first ones of each code; the first one left out is replaced by a hint that there are more."""
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.code] += 1
        if counts[finding.code] <= MAXIMUM_ALIKE:
            yield finding
        elif counts[finding.code] == MAXIMUM_ALIKE + 1:
            text = f"There are more than {MAXIMUM_ALIKE} findings of {finding.code}: the rest is not told."
            yield Finding(Severity.HINT, "more-alike", finding.place, text)
