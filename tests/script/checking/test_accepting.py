"""A script says by a comment that a finding is meant."""

import pytest

from efcp.script.checking.check import Checked, check
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text

THRESHOLD = 'modparam("dispatcher", "ds_probing_threshold", 1)'


def checked(text: str) -> Checked:
    """A fragment with a threshold of 1, which deserves the hints `fragment` and `threshold-low`."""
    return check(read_text(text, "t.cfg"), knowledge_of("3.4"))


def codes(text: str) -> tuple[list[str], list[str]]:
    """What is found, and what is accepted."""
    result = checked(text)
    return [each.code for each in result.findings], [each.code for each in result.accepted]


DISPATCHER = 'loadmodule "db_mysql.so"\nloadmodule "dispatcher.so"\n'


def test_without_a_comment_both_hints_come() -> None:
    assert {"fragment", "threshold-low"} <= set(codes(f"{DISPATCHER}{THRESHOLD}\n")[0])


@pytest.mark.parametrize(
    "text",
    [
        f"{DISPATCHER}# efcp: accept threshold-low\n{THRESHOLD}\n",
        f"{DISPATCHER}#efcp:accept threshold-low - one is what we want\n\n# why\n{THRESHOLD}\n",
        f"{DISPATCHER}{THRESHOLD} # efcp: accept threshold-low\n",
        f"# efcp: accept fragment, threshold-low\n{DISPATCHER}{THRESHOLD}\n",
    ],
)
def test_a_comment_on_the_line_before_it_or_at_the_head_accepts(text: str) -> None:
    found, accepted = codes(text)
    assert "threshold-low" in accepted
    assert "threshold-low" not in found


def test_a_comment_elsewhere_accepts_nothing_and_is_reported() -> None:
    found, accepted = codes(f"{DISPATCHER}{THRESHOLD}\nexit_me=1\n# efcp: accept threshold-low\n")
    assert {"threshold-low", "accept-unused"} <= set(found)
    assert accepted == []


def test_a_code_that_does_not_exist_is_reported() -> None:
    assert "accept-unused" in codes(f"# efcp: accept no-such-thing\n{DISPATCHER}")[0]


def test_an_error_can_t_be_accepted() -> None:
    found, accepted = codes('# efcp: accept module-twice\nloadmodule "tm.so"\nloadmodule "tm.so"\n')
    assert {"module-twice", "accept-unused"} <= set(found)
    assert accepted == []


def test_the_words_in_a_string_are_no_comment() -> None:
    text = f'{DISPATCHER}{THRESHOLD}\nroute[a] {{ xlog("# efcp: accept threshold-low"); }}\n'
    assert "threshold-low" in codes(text)[0]
