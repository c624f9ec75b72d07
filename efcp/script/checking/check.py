"""What is wrong with a script: all checks over one look at it, what the script itself accepts, and the
report.

A script accepts a finding by a comment: `# efcp: accept threshold-low - one is what we want`. Errors
can't be accepted: a proxy does not start over a comment. What is accepted is counted, and an acceptance
that fits nothing is reported, so that none outlives its reason.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from efcp.script.checking import (
    deployment,
    dispatcher,
    functions,
    modules,
    regular_expressions,
    results,
    routes,
    settings,
    values,
    variables,
)
from efcp.script.checking.overview import Overview, TableFacts, overview
from efcp.script.findings import MAXIMUM_PLACES, Location, ScriptFinding, ScriptSeverity, hint, in_order
from efcp.script.knowledge.facts import Knowledge
from efcp.script.language.syntax import Accept, Script


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a script, and what of that it says to be meant."""

    findings: tuple[ScriptFinding, ...]
    accepted: tuple[ScriptFinding, ...] = ()


def accept(findings: Iterable[ScriptFinding], accepts: Sequence[Accept]) -> Checked:
    """Take out what is accepted; add a hint for each code of an acceptance that fits nothing."""
    left: list[ScriptFinding] = []
    accepted: list[ScriptFinding] = []
    used: set[tuple[Accept, str]] = set()
    for finding in findings:
        fitting = {(each, finding.code) for each in accepts if _fits(each, finding)}
        used |= fitting
        (accepted if fitting else left).append(finding)
    return Checked((*left, *_unused(accepts, used)), tuple(accepted))


def _fits(accept: Accept, finding: ScriptFinding) -> bool:
    if finding.severity is ScriptSeverity.ERROR or finding.code not in accept.codes:
        return False
    if accept.following is None:
        return finding.place.file == accept.place.file
    return finding.place in (accept.place, accept.following)


def _unused(accepts: Iterable[Accept], used: set[tuple[Accept, str]]) -> Iterator[ScriptFinding]:
    for each in accepts:
        for code in each.codes:
            if (each, code) not in used:
                text = f"No finding {code} here to accept: remove this line."
                yield hint("accept-unused", each.place, text)


Check = Callable[[Overview], Iterator[ScriptFinding]]

CHECKS: tuple[Check, ...] = (
    *modules.CHECKS,
    *values.CHECKS,
    *settings.CHECKS,
    *functions.CHECKS,
    *variables.CHECKS,
    *regular_expressions.CHECKS,
    *routes.CHECKS,
    *dispatcher.CHECKS,
    *results.CHECKS,
    *deployment.CHECKS,
)

MAXIMUM_ALIKE = 100
"""How many findings of one code are reported."""


def check(script: Script, knowledge: Knowledge, tables: TableFacts | None = None) -> Checked:
    """Everything that is wrong with a script, in order, with what reading it has found.

    `tables` is what the panel knows besides; without it sets and dialplans are not checked.
    """
    view = overview(script, knowledge, tables or TableFacts())
    found = in_order((*script.findings, *(finding for each in CHECKS for finding in each(view))))
    checked = accept(found, script.accepts)
    return Checked(in_order(_bounded(_together(in_order(checked.findings)))), checked.accepted)


def _together(findings: Iterable[ScriptFinding]) -> Iterator[ScriptFinding]:
    """One finding for the same fault in several places: the first, with the others added."""
    alike: dict[tuple[ScriptSeverity, str, str], list[ScriptFinding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.code, finding.text), []).append(finding)
    for first, *others in alike.values():
        places = dict.fromkeys((*first.also, *(place for it in others for place in (it.place, *it.also))))
        places.pop(first.place, None)
        yield replace(first, also=tuple(places)[:MAXIMUM_PLACES])


def _bounded(findings: Iterable[ScriptFinding]) -> Iterator[ScriptFinding]:
    """The first ones of each code; the first one left out is replaced by a hint that there are more."""
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.code] += 1
        if counts[finding.code] <= MAXIMUM_ALIKE:
            yield finding
        elif counts[finding.code] == MAXIMUM_ALIKE + 1:
            text = f"More than {MAXIMUM_ALIKE} findings of {finding.code}: the rest is not listed."
            yield hint("more-alike", finding.place, text)


def exit_code(findings: Sequence[ScriptFinding]) -> int:
    """1 where there is an error, else 0: warnings and hints do not stop a build."""
    return int(any(finding.severity is ScriptSeverity.ERROR for finding in findings))


def as_json(checked: Checked, skipped: int) -> dict[str, Any]:
    """The findings with how many there are of each severity, as values that json.dumps takes.

    `skipped` is how many constructs were not understood.
    """
    findings = checked.findings
    counts = Counter(finding.severity for finding in findings)
    return {
        "findings": [_finding(finding) for finding in findings],
        "errors": counts[ScriptSeverity.ERROR],
        "warnings": counts[ScriptSeverity.WARNING],
        "hints": counts[ScriptSeverity.HINT],
        "accepted": len(checked.accepted),
        "skipped": skipped,
        "exit_code": exit_code(findings),
    }


def _finding(finding: ScriptFinding) -> dict[str, Any]:
    return {
        **_place(finding.place),
        "severity": finding.severity.value,
        "code": finding.code,
        "text": finding.text,
        "also": [_place(place) for place in finding.also],
    }


def _place(place: Location) -> dict[str, Any]:
    return {"file": place.file, "line": place.line}
