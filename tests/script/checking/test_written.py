"""What the panel writes itself, over all combinations of answers: its own check finds nothing."""

import pytest

from efcp.script.checking.check import check
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text
from efcp.script.writing.answers import Answers
from efcp.script.writing.script import write
from tests.script.combinations import combinations


def expected_codes(answers: Answers) -> list[str]:
    """The hints that these answers deserve: a part of a script, the guide's threshold, a known password."""
    shows_password = answers.show_passwords and "opensipsrw" in answers.database_url
    hints = {
        "fragment": not answers.minimal,
        "password-default": shows_password,
        "threshold-low": answers.threshold == 1,
    }
    return [code for code, deserved in hints.items() if deserved]


@pytest.mark.parametrize("answers", list(combinations()), ids=lambda answers: answers.version)
def test_nothing_is_found_in_a_written_script(answers: Answers) -> None:
    script = read_text(write(answers).text, "opensips.cfg")
    checked = check(script, knowledge_of(answers.version))
    assert checked.findings == ()
    assert sorted(finding.code for finding in checked.accepted) == sorted(expected_codes(answers))


@pytest.mark.parametrize("answers", list(combinations())[:40], ids=lambda answers: answers.version)
def test_without_its_acceptances_a_written_script_gives_the_hints_that_its_answers_ask_for(
    answers: Answers,
) -> None:
    lines = write(answers).text.splitlines(keepends=True)
    text = "".join(line for line in lines if "efcp: accept" not in line)
    found = check(read_text(text, "opensips.cfg"), knowledge_of(answers.version)).findings
    assert sorted(finding.code for finding in found) == sorted(expected_codes(answers))
