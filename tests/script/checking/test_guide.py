"""The guide's text, its blocks put together to a file: no error, and exactly the hints that it deserves."""

from dataclasses import replace
from pathlib import Path

import pytest

from efcp.script.checking.check import check
from efcp.script.checking.overview import SetFacts, TableFacts
from efcp.script.findings import ScriptSeverity
from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.language.reading import read
from efcp.script.language.syntax import Script

GUIDE = Path(__file__).parent.parent / "language" / "guide.cfg"


@pytest.fixture(scope="module")
def guide() -> Script:
    return read(GUIDE)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_guide_gives_its_hints_and_nothing_else(guide: Script, version: str) -> None:
    found = check(guide, knowledge_of(version)).findings
    assert {finding.severity for finding in found} == {ScriptSeverity.HINT}
    assert [(finding.code, finding.place.line) for finding in found] == [
        ("fragment", 2),
        ("password-default", 6),
        ("parameter-old", 10),
        ("threshold-low", 10),
        ("reply-500", 18),
    ]


def test_each_hint_shows_what_to_write_instead(guide: Script) -> None:
    texts = {finding.code: finding.text for finding in check(guide, knowledge_of("3.4")).findings}
    assert "Use ds_probing_threshold." in texts["parameter-old"]
    assert "Write 503" in texts["reply-500"]
    assert "Write 2 or 3" in texts["threshold-low"]


def test_the_guides_set_is_checked_against_the_table(guide: Script) -> None:
    tables = TableFacts(sets={1: SetFacts(2, 2)})
    assert "set-missing" not in codes(guide, tables)
    assert "set-missing" in codes(guide, replace(tables, sets={2: SetFacts(2, 2)}))


def codes(script: Script, tables: TableFacts) -> list[str]:
    return [finding.code for finding in check(script, knowledge_of("3.4"), tables).findings]
