"""A script is written on a page and by a command: who may ask, what is refused, and where."""

import tomllib
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from dispatcher import services
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.script.checking.check import check
from efcp.script.forms import MAX_GROUPS, WriterForms
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text
from efcp.script.selectors import starting_answers
from efcp.script.writing.answers import Answers, AnswersFileError, GroupAnswers, MarkAction, read_answers
from efcp.script.writing.script import write
from tests.conftest import ClientAs
from tests.script.combinations import combinations

WRITE = "script:write"


def sent(answers: Answers) -> dict[str, Any]:
    """What a browser sends for these answers."""
    question = WriterForms.blank(answers)
    data: dict[str, Any] = {}
    for form in question.parts:
        for name in form.fields:
            value = form[name].value()
            if value is not None and value is not False:
                data[form.add_prefix(name)] = "on" if value is True else value
    return data


def written(client: Client, answers: Answers) -> str:
    """The text of the page's script."""
    answer = client.post(reverse(WRITE), sent(answers))
    assert answer.status_code == 200, [form.errors for form in answer.context["question"].parts]
    return str(answer.context["written"].text)


def without_sizes(text: str) -> list[str]:
    """The lines but those that depend on the size of the table."""
    return [line for line in text.splitlines() if "opensips -m" not in line and "buf_size" not in line]


@pytest.mark.parametrize(("role", "status"), [(None, 302), (Role.VIEWER, 200), (Role.ADMINISTRATOR, 200)])
def test_who_may_view_may_write(client_as: ClientAs, role: Role | None, status: int) -> None:
    client = client_as(role)
    assert client.get(reverse(WRITE)).status_code == status
    assert client.post(reverse(WRITE), sent(Answers())).status_code == status


@pytest.mark.parametrize(
    "answers",
    [
        each
        for each in combinations()
        if not each.show_passwords
        and all(group.flags.islower() for group in each.groups)
        and all(dialplan.code == 404 for dialplan in each.dialplans)
    ][::6],
    ids=lambda answers: answers.version,
)
def test_the_page_writes_what_the_answers_say(viewer: Client, answers: Answers) -> None:
    """But for the replies of dialplans, which the page does not ask for, and the memory for the table."""
    assert without_sizes(written(viewer, answers)) == without_sizes(write(answers).text)


def test_the_own_check_of_a_written_script_stands_below_it(viewer: Client) -> None:
    services.add(DestinationRow(setid=1, destination="sip:10.0.0.1:5060"), Actor("somebody"))
    checked = viewer.post(reverse(WRITE), sent(starting_answers([1]))).context["checked"]
    assert checked.findings == ()
    assert "threshold-low" in {finding.code for finding in checked.accepted}


def test_a_set_that_the_table_lacks_is_reported_at_once(viewer: Client) -> None:
    checked = viewer.post(reverse(WRITE), sent(Answers(groups=(GroupAnswers(set_id=77),)))).context["checked"]
    assert checked.findings


def test_two_groups_on_one_set_are_refused_at_both(viewer: Client) -> None:
    groups = (GroupAnswers(), GroupAnswers(route="other", failure_route="other_failover"))
    answer = viewer.post(reverse(WRITE), sent(Answers(groups=groups)))
    assert answer.status_code == 422
    assert ["set_id" in form.errors for form in answer.context["question"].groups] == [True, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "2.4"},
        {"probing_interval": "-1"},
        {"database_url": "oracle://x"},
        {"reply_codes": "404;500"},
        {"dialplans": "one"},
        {"groups.0-route": "no route!"},
        {"groups.0-algorithm": "11"},
        {"groups.0-flags": ["z"]},
        {"groups.0-failure_codes": '"); exit;'},
        {"groups.0-last_reason": "x" * 101},
    ],
)
def test_answers_without_sense_write_nothing(viewer: Client, wrong: dict[str, Any]) -> None:
    answer = viewer.post(reverse(WRITE), sent(Answers()) | wrong)
    assert (answer.status_code, "written" in answer.context) == (422, False)


def test_a_group_comes_and_goes(viewer: Client) -> None:
    page = viewer.post(reverse(WRITE), sent(Answers()) | {"add": "7"})
    groups = page.context["question"].groups
    assert [str(form["set_id"].value()) for form in groups] == ["1", "7"]
    assert [form["failure_timeouts"].value() for form in groups] == [True, True]
    page = viewer.post(reverse(WRITE), sent(Answers()) | {"remove": "groups.0"})
    assert page.context["question"].groups == []


def test_a_script_has_a_bounded_number_of_groups(viewer: Client) -> None:
    page = viewer.get(reverse(WRITE), {"set": [str(number) for number in range(100)]})
    assert len(page.context["question"].groups) == MAX_GROUPS


def test_groups_begin_with_the_names_of_their_sets(viewer: Client) -> None:
    page = viewer.get(reverse(WRITE), {"set": ["5", "x"]})
    (form,) = page.context["question"].groups
    assert (form["route"].value(), form["failure_route"].value()) == ("to_set_5", "set_5_failover")


def test_a_password_is_shown_to_an_administrator_on_request(client_as: ClientAs, viewer: Client) -> None:
    answers = Answers(show_passwords=True)
    administrator = client_as(Role.ADMINISTRATOR)
    assert "opensipsrw" in written(administrator, answers)
    assert "opensipsrw" not in written(viewer, answers)
    assert "opensipsrw" not in written(administrator, Answers())


def test_the_file_is_downloaded_as_it_was_shown(viewer: Client) -> None:
    answer = viewer.post(reverse(WRITE), sent(Answers()) | {"download": "1"})
    assert answer["Content-Disposition"] == 'attachment; filename="opensips.cfg"'
    assert answer.content.decode() == written(viewer, Answers())


def test_nothing_that_is_typed_becomes_markup(viewer: Client) -> None:
    answer = viewer.post(reverse(WRITE), sent(Answers()) | {"probing_from": "<script>alert(1)</script>"})
    assert "<script>alert" not in answer.content.decode()


def test_the_command_writes_the_guide_s_example(db: None) -> None:
    reported = StringIO()
    call_command("script", "write", "--without-tables", stdout=reported)
    assert reported.getvalue() == write(Answers()).text


def test_the_command_takes_answers_from_a_file(db: None, tmp_path: Path) -> None:
    answers, script = tmp_path / "answers.toml", tmp_path / "opensips.cfg"
    answers.write_text('threshold = 3\n[[groups]]\nset_id = 4\nmark = "i"\n[[dialplans]]\ndpid = 2\n')
    call_command(
        "script",
        "write",
        "--answers",
        answers,
        "--opensips",
        "4.0",
        "--whole",
        "--without-tables",
        "--output",
        script,
    )
    text = script.read_text()
    assert "ds_select_dst(4, 2" in text
    assert 'ds_mark_dst("i")' in text
    assert check(read_text(text, "opensips.cfg"), knowledge_of("4.0")).findings == ()


def test_the_command_shows_what_is_refused(db: None, tmp_path: Path) -> None:
    answers, reported = tmp_path / "answers.toml", StringIO()
    answers.write_text('[[groups]]\n[[groups]]\nroute = "b"\nfailure_route = "c"\n')
    with pytest.raises(SystemExit):
        call_command("script", "write", "--answers", answers, "--without-tables", stderr=reported)
    assert "groups.0.set_id" in reported.getvalue()


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("thresold = 3", "unknown answer"),
        ('threshold = "3"', "not a valid value"),
        ("threshold = true", "not a valid value"),
        ("[[groups]]\nset = 1", "groups.0.set: unknown answer"),
        ("groups = 1", "not a valid value"),
        ('[[groups]]\nmark = "x"', "not a valid value"),
        ("[[dialplans]]\ncode = 404", "dpid is missing"),
        ("[", "Not valid TOML"),
    ],
)
def test_a_file_that_is_no_answers_shows_why(text: str, reported: str) -> None:
    with pytest.raises(AnswersFileError, match=reported):
        read_answers(text)


def test_a_file_of_answers_is_read() -> None:
    text = 'version = "4.0"\nreply_codes = [404, 480]\n[[groups]]\nmark = ""\nmaximum = 3\n'
    assert tomllib.loads(text)
    assert read_answers(text) == Answers(
        version="4.0", reply_codes=(404, 480), groups=(GroupAnswers(mark=MarkAction.NOTHING, maximum=3),)
    )


def test_the_command_shows_that_a_file_can_t_be_read(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.toml"):
        call_command("script", "write", "--answers", tmp_path / "none.toml")


def test_memory_that_is_too_small_is_reported_at_its_field(viewer: Client) -> None:
    script = write(Answers(minimal=True)).text
    for number in range(300):
        services.add(
            DestinationRow(setid=1, destination=f"sip:10.0.1.{number % 250}:{5060 + number}"), Actor("x")
        )
    form = {"version": "3.4", "text": script, "private_memory": "1"}
    reported = viewer.post(reverse("script:check"), form).context["findings"]
    assert "memory-small" in {finding.code for finding in reported}
    reported = viewer.post(reverse("script:check"), form | {"private_memory": ""}).context["findings"]
    assert "memory-small" not in {finding.code for finding in reported}
