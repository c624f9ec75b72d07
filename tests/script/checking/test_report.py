"""Findings as JSON and as an exit code."""

import json

import pytest

from efcp.script.checking.check import Checked, as_json, exit_code
from efcp.script.findings import Location, ScriptFinding, ScriptSeverity

ERROR = ScriptFinding(
    ScriptSeverity.ERROR, "module-twice", Location("a.cfg", 7), "Loaded already.", (Location("b.cfg", 2),)
)
WARNING = ScriptFinding(ScriptSeverity.WARNING, "never-armed", Location("a.cfg", 9), "Never run.")
HINT = ScriptFinding(ScriptSeverity.HINT, "parameter-old", Location("a.cfg", 3), "An old name.")


@pytest.mark.parametrize(
    ("findings", "code"), [((), 0), ((HINT,), 0), ((WARNING, HINT), 0), ((WARNING, ERROR), 1)]
)
def test_only_an_error_stops_a_build(findings: tuple[ScriptFinding, ...], code: int) -> None:
    assert exit_code(findings) == code
    assert as_json(Checked(findings), 0)["exit_code"] == code


def test_a_report_has_all_of_a_finding_and_counts_them() -> None:
    report = as_json(Checked((ERROR, WARNING, HINT), (HINT,)), 4)
    assert report["findings"][0] == {
        "file": "a.cfg",
        "line": 7,
        "severity": "error",
        "code": "module-twice",
        "text": "Loaded already.",
        "also": [{"file": "b.cfg", "line": 2}],
    }
    assert (report["errors"], report["warnings"], report["hints"], report["skipped"]) == (1, 1, 1, 4)
    assert report["accepted"] == 1


def test_a_report_is_plain_json() -> None:
    report = as_json(Checked((ERROR, WARNING, HINT)), 0)
    assert json.loads(json.dumps(report)) == report
