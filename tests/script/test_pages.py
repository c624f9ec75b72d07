"""The script's page and command: who may ask, and what is answered."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.script.lines import MOST_LINES
from tests.conftest import ClientAs

BROKEN = 'loadmodule "tm.so"\nloadmodule "tm.so"\n'


@pytest.mark.parametrize(("role", "status"), [(None, 302), (Role.VIEWER, 200), (Role.ADMINISTRATOR, 200)])
def test_who_may_view_may_check(client_as: ClientAs, role: Role | None, status: int) -> None:
    assert client_as(role).get(reverse("script:check")).status_code == status


def test_a_pasted_script_gets_findings_with_places(client_as: ClientAs) -> None:
    answer = client_as(Role.VIEWER).post(reverse("script:check"), {"version": "3.4", "text": BROKEN})
    found = {(finding.code, finding.place.line) for finding in answer.context["findings"]}
    assert ("module-twice", 2) in found


def test_findings_lead_to_numbered_lines_of_the_script(client_as: ClientAs) -> None:
    page = client_as(Role.VIEWER).post(reverse("script:check"), {"version": "3.4", "text": BROKEN}).text
    assert 'href="#line-2"' in page
    assert '<li id="line-2"' in page


def test_of_a_long_script_the_lines_around_findings_are_shown(client_as: ClientAs) -> None:
    text = "# a line\n" * 50_000 + BROKEN
    lines = (
        client_as(Role.VIEWER)
        .post(reverse("script:check"), {"version": "3.4", "text": text})
        .context["lines"]
    )
    assert 50_002 in {line.number for line in lines if line.findings}
    assert len(lines) <= MOST_LINES


def test_an_uploaded_binary_is_a_finding_and_no_failure(client_as: ClientAs) -> None:
    file = SimpleUploadedFile("opensips", b"\x7fELF\x00\x01" * 100)
    answer = client_as(Role.VIEWER).post(reverse("script:check"), {"version": "4.0", "file": file})
    assert not answer.context["form"].errors
    assert [finding.code for finding in answer.context["findings"]] == ["binary"]


def test_the_answer_is_json_where_that_is_requested(client_as: ClientAs) -> None:
    address = reverse("script:check") + "?as=json"
    answer = client_as(Role.VIEWER).post(address, {"version": "3.6", "text": BROKEN}).json()
    assert answer["exit_code"] == 1
    assert answer["errors"] >= 1


@pytest.mark.parametrize("given", [{}, {"version": "3.6"}, {"version": "2.4", "text": "x"}])
def test_a_question_without_script_or_version_is_refused(client_as: ClientAs, given: dict[str, str]) -> None:
    assert client_as(Role.VIEWER).post(reverse("script:check"), given).status_code == 422


def test_a_script_can_t_put_markup_into_the_page(client_as: ClientAs) -> None:
    text = 'loadmodule "<script>alert(1)</script>.so"\n'
    answer = client_as(Role.VIEWER).post(reverse("script:check"), {"version": "3.6", "text": text})
    assert "<script>alert" not in answer.content.decode()


def test_the_command_exits_with_1_over_an_error(db: None, tmp_path: Path) -> None:
    file = tmp_path / "opensips.cfg"
    file.write_text(BROKEN)
    reported = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("script", "check", file, "--json", stdout=reported)
    assert ended.value.code == 1
    assert "module-twice" in {finding["code"] for finding in json.loads(reported.getvalue())["findings"]}


def test_the_command_shows_which_file_it_can_t_read(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        call_command("script", "check", tmp_path / "none.cfg")


def test_a_script_without_the_form_s_token_is_refused(make_user: Callable[..., User]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(Role.VIEWER))
    assert client.post(reverse("script:check"), {"version": "3.6", "text": BROKEN}).status_code == 403


def test_what_is_too_large_is_not_read(client_as: ClientAs) -> None:
    answer = client_as(Role.VIEWER).post(reverse("script:check"), CONTENT_LENGTH="99000000")
    assert answer.status_code == 413
