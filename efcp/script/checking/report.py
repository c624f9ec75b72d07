"""Findings for programs: as JSON, and as an exit code."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from efcp.script.checking.accepting import Checked
from efcp.script.findings import Finding, Place, Severity


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where there is an error, else 0: warnings and hints do not stop a build."""
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def as_json(checked: Checked, skipped: int) -> dict[str, Any]:
    """The findings with how many there are of each severity, as values that json.dumps takes.

    `skipped` is how many constructs were not understood.
    """
    findings = checked.findings
    counts = Counter(finding.severity for finding in findings)
    return {
        "findings": [_finding(finding) for finding in findings],
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
        "hints": counts[Severity.HINT],
        "accepted": len(checked.accepted),
        "skipped": skipped,
        "exit_code": exit_code(findings),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        **_place(finding.place),
        "severity": finding.severity.value,
        "code": finding.code,
        "text": finding.text,
        "also": [_place(place) for place in finding.also],
    }


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line}
