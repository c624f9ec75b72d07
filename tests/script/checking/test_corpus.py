"""Each broken file gives the findings that it names, and no others; sound ones give none."""

import pytest

from efcp.script.checking.check import check
from efcp.script.findings import ScriptFinding
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text
from tests.script.checking.corpus import CorpusFile, cases

BROKEN = cases("broken")
SOUND = cases("sound")


def found(case: CorpusFile) -> tuple[ScriptFinding, ...]:
    return check(
        read_text(case.path.read_bytes(), case.path.name), knowledge_of(case.version), case.tables
    ).findings


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.path.stem)
def test_a_broken_file_gives_what_it_names_and_nothing_else(case: CorpusFile) -> None:
    assert case.expected
    assert sorted((finding.code, finding.place.line) for finding in found(case)) == sorted(case.expected)


@pytest.mark.parametrize("case", SOUND, ids=lambda case: case.path.stem)
def test_nothing_is_found_in_a_sound_file(case: CorpusFile) -> None:
    assert not case.expected
    assert found(case) == ()


def test_the_corpus_is_as_large_as_was_promised() -> None:
    assert len(BROKEN) >= 45
    assert len(SOUND) >= 12


def test_every_text_is_a_sentence_or_more() -> None:
    for case in BROKEN:
        for finding in found(case):
            assert finding.text[0].isprintable()
            assert finding.text[-1] in ".?;}"
            assert len(finding.text) < 400
