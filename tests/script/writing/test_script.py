"""What a written script holds."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.script.checking.overview import TableFacts
from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.writing.answers import Answers, Dialplan, GroupAnswers, MarkAction
from efcp.script.writing.modules import PLACEHOLDER
from efcp.script.writing.script import WrittenScript, write
from tests.script.combinations import combinations

ALL = tuple(combinations())


def text_of(**values: Any) -> str:
    """The text for one group of these values."""
    return write(Answers(groups=(GroupAnswers(**values),))).text


def loaded(written: WrittenScript) -> list[str]:
    return re.findall(r'^loadmodule "(\w+)\.so"$', written.text, re.MULTILINE)


def test_there_are_at_least_200_combinations_and_all_differ() -> None:
    assert len(ALL) >= 200
    assert len(set(ALL)) == len(ALL)


@pytest.fixture(params=range(len(ALL)), ids=str)
def answers(request: pytest.FixtureRequest) -> Answers:
    """Each combination in turn."""
    number: int = request.param
    return ALL[number]


def test_every_combination_is_written_with_a_reason_for_each_line(answers: Answers) -> None:
    written = write(answers)
    assert written.refusals == ()
    assert all(line.why for line in written.lines if line.text)
    assert written.text.count("{") == written.text.count("}")


def test_every_combination_loads_each_module_once_after_what_it_needs(answers: Answers) -> None:
    known, modules = knowledge_of(answers.version).modules, loaded(write(answers))
    assert len(set(modules)) == len(modules)
    for position, name in enumerate(modules):
        for needed in known[name].prerequisites:
            if not needed.when or needed.when == "ds_ping_interval":
                assert set(needed.one_of) & set(modules[:position])


def test_every_combination_sets_only_parameters_that_the_version_has(answers: Answers) -> None:
    known = knowledge_of(answers.version).modules
    for module, name in re.findall(r'^modparam\("(\w+)", "(\w+)"', write(answers).text, re.MULTILINE):
        assert known[module].parameters[name].replaced_by == ""


def test_every_combination_shows_its_password_only_on_request(answers: Answers) -> None:
    assert (
        "opensipsrw" in write(replace(answers, database_url=Answers().database_url)).text
    ) is answers.show_passwords


@given(
    st.text(
        st.characters(codec="ascii", exclude_categories=("C", "Z"), exclude_characters="\"'\\"), min_size=1
    )
)
def test_no_part_of_a_password_is_shown(password: str) -> None:
    secret = f"{password}8f3k{password}"
    written = write(Answers(database_url=f"mysql://user:{secret}@host/db", dialplans=(Dialplan(1),)))
    assert "8f3k" not in written.text + "".join(line.why for line in written.lines)
    assert written.text.count(f"mysql://user:{PLACEHOLDER}@host/db") == 2


def test_a_refusal_does_not_show_the_password() -> None:
    written = write(Answers(database_url="mysql://user:secret phrase@host/db"))
    assert written.refusals
    assert "secret" not in str(written)


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    assert (
        '"sqlite:///etc/opensips/opensips.db"'
        in write(Answers(database_url="sqlite:///etc/opensips/opensips.db")).text
    )


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("mysql://a@b/c", "db_mysql"),
        ("postgres://a@b/c", "db_postgres"),
        ("sqlite:///a", "db_sqlite"),
        ("text:///a", "db_text"),
    ],
)
def test_the_url_picks_the_module_of_the_database(url: str, driver: str) -> None:
    assert driver in loaded(write(Answers(database_url=url)))


@pytest.mark.parametrize(
    ("values", "call"),
    [
        ({}, 'ds_select_dst(1, 2, "f")'),
        ({"flags": "", "failure_route": ""}, "ds_select_dst(1, 2)"),
        ({"maximum": 3}, 'ds_select_dst(1, 2, "f", , 3)'),
        ({"set_id": 70, "algorithm": 4, "flags": "fd"}, 'ds_select_dst(70, 4, "fd")'),
    ],
)
def test_a_destination_is_chosen_as_requested(values: dict[str, object], call: str) -> None:
    assert call in text_of(**values)


@pytest.mark.parametrize(
    ("algorithm", "parameter", "line"),
    [
        (7, "$hdr(X-Tenant)", 'modparam("dispatcher", "hash_pvar", "$hdr(X-Tenant)")'),
        (9, "$stat(load_%u)", 'modparam("dispatcher", "pvar_algo_pattern", "$stat(load_%u)")'),
        (10, "score", 'modparam("dispatcher", "algo_route", "score")'),
    ],
)
def test_an_algorithm_gets_what_it_goes_by(algorithm: int, parameter: str, line: str) -> None:
    assert line in text_of(algorithm=algorithm, parameter=parameter)


def test_the_route_that_scores_is_written_and_does_not_end_the_script() -> None:
    assert "route[score] {\n    return(1);\n}" in text_of(algorithm=10, parameter="score")


@pytest.mark.parametrize(
    ("codes", "timeouts", "condition"),
    [
        ("5[0-9][0-9]", False, 'if (t_check_status("5[0-9][0-9]")) {'),
        ("", True, 'if (t_local_replied("all") && t_check_status("408")) {'),
    ],
)
def test_a_failure_is_what_was_requested(codes: str, timeouts: bool, condition: str) -> None:
    assert condition in text_of(failure_codes=codes, failure_timeouts=timeouts)


@pytest.mark.parametrize(
    ("mark", "call"), [(MarkAction.PROBING, 'ds_mark_dst("p");'), (MarkAction.INACTIVE, 'ds_mark_dst("i");')]
)
def test_a_destination_is_marked_as_requested(mark: MarkAction, call: str) -> None:
    assert call in text_of(mark=mark)


def test_nothing_is_marked_by_default() -> None:
    assert "ds_mark_dst" not in text_of(mark=MarkAction.NOTHING)


def test_giving_up_answers_the_caller_at_once() -> None:
    text = text_of(try_next=False)
    assert "ds_next_dst" not in text
    assert 't_reply(503, "Service Unavailable");' in text


def test_without_a_failure_route_none_is_armed() -> None:
    assert "failure" not in text_of(failure_route="").partition("route[")[2]


def test_a_dollar_in_a_reason_stands_for_itself() -> None:
    assert 't_reply(503, "Costs $$5");' in text_of(last_reason="Costs $5")


def test_a_dialplan_stands_before_the_choice_and_its_result_is_tested() -> None:
    written = write(Answers(dialplans=(Dialplan(3, 484, "Address Incomplete"), Dialplan(4))))
    first, second, choice = (
        written.text.index(call)
        for call in ("!dp_translate(3, $rU, $rU)", "!dp_translate(4, $rU, $rU)", "!ds_select_dst")
    )
    assert first < second < choice
    assert 'send_reply(484, "Address Incomplete");' in written.text
    assert loaded(written)[-1] == "dialplan"


def test_the_next_destination_gets_the_translated_user_too() -> None:
    """Seen on all three versions: within a failure route the request has the URI that came in."""
    text = write(Answers(dialplans=(Dialplan(1),))).text
    expected = [
        "!dp_translate",
        "$avp(translated_user) = $rU;",
        "!ds_next_dst",
        "$rU = $avp(translated_user);",
    ]
    assert [text.index(each) for each in expected] == sorted(text.index(each) for each in expected)


def test_without_a_dialplan_the_user_is_left_alone() -> None:
    assert "translated_user" not in write(Answers()).text


def test_a_whole_proxy_answers_mi_on_loopback_only() -> None:
    text = write(Answers(minimal=True, mi_port=9999)).text
    assert 'modparam("httpd", "ip", "127.0.0.1")' in text
    assert 'modparam("httpd", "port", 9999)' in text


def test_requests_over_1024_bytes_are_taken_where_the_version_can() -> None:
    having = {v for v in VERSIONS if "receive_buf_size" in write(Answers(version=v, minimal=True)).text}
    assert having == {"3.6", "4.0"}


def test_the_longest_prefix_comes_first_and_the_rest_last() -> None:
    groups = (
        GroupAnswers(),
        GroupAnswers("a", 2, failure_route="", prefix="4"),
        GroupAnswers("b", 3, failure_route="", prefix="+49"),
    )
    text = write(Answers(minimal=True, groups=groups)).text
    expected = [
        'if ($rU =~ "^[+]49") {\n        route(b);',
        'if ($rU =~ "^4") {\n        route(a);',
        "\n    route(to_media_vbb);",
    ]
    assert [text.index(each) for each in expected] == sorted(text.index(each) for each in expected)


def test_calls_that_no_group_takes_are_answered() -> None:
    text = write(Answers(minimal=True, groups=(GroupAnswers(prefix="1"),))).text
    assert 'route(to_media_vbb);\n    }\n    send_reply(404, "Not Found");' in text


def test_a_whole_proxy_shows_how_to_start_it() -> None:
    assert "opensips -m 64 -M 16" in write(Answers(minimal=True)).text


def test_memory_grows_with_the_table() -> None:
    text = write(Answers(minimal=True), TableFacts(rows=50_000)).text
    assert 'modparam("httpd", "buf_size", 41943040)' in text
    assert "opensips -m 320 -M 80" in text


@pytest.mark.parametrize("rows", [0, 1, 5_000, 10_000, 50_000])
def test_the_buffer_is_as_large_as_was_measured(rows: int) -> None:
    """A list of 20,000 rows with `full` took 3 MB."""
    text = write(Answers(minimal=True), TableFacts(rows=rows, bytes=rows * 40)).text
    size = re.search(r'"buf_size", (\d+)', text)
    assert size
    assert int(size[1]) >= rows * 210


def test_a_folder_of_modules_is_written_first() -> None:
    text = write(Answers(module_path="/usr/lib/opensips/modules")).text
    assert text.index('mpath="/usr/lib/opensips/modules/"') < text.index("loadmodule")
