"""What is wrong with a script: all checks, one after the other, over one look at it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from efcp.script.checking import (
    argument_values,
    armed,
    databases,
    dialplans,
    functions,
    groups,
    marking,
    modules,
    parameters,
    reach,
    regular_expressions,
    replies,
    results,
    routes,
    selection,
    settings,
    values,
    variables,
)
from efcp.script.checking.accepting import Checked, accept
from efcp.script.checking.overview import Overview, overview
from efcp.script.checking.tables import Tables
from efcp.script.findings import MAXIMUM_PLACES, Finding, Severity, in_order
from efcp.script.knowledge.facts import Knowledge
from efcp.script.language.syntax import Script

Check = Callable[[Overview], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    *modules.CHECKS,
    *parameters.CHECKS,
    *values.CHECKS,
    *settings.CHECKS,
    *functions.CHECKS,
    *variables.CHECKS,
    *argument_values.CHECKS,
    *regular_expressions.CHECKS,
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
    return Checked(in_order(_bounded(_together(in_order(checked.findings)))), checked.accepted)


def _together(findings: Iterable[Finding]) -> Iterator[Finding]:
    """One finding for what is said alike of several places: the first, with the others besides."""
    alike: dict[tuple[Severity, str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.code, finding.text), []).append(finding)
    for first, *others in alike.values():
        places = dict.fromkeys((*first.also, *(place for it in others for place in (it.place, *it.also))))
        places.pop(first.place, None)
        yield replace(first, also=tuple(places)[:MAXIMUM_PLACES])


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
