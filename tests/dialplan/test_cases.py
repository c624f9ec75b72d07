"""Saved test cases: the expected output of an input, checked at every edit."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dialplan.cases import services
from dialplan.cases.running import run_cases
from dialplan.cases.selectors import all_cases, cases_of
from dialplan.models import Rule, SavedCase
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor
from tests.conftest import AddRule, ClientAs
from tests.dialplan.conftest import typed
from tests.tokens import fresh

SOMEBODY = Actor("somebody")


def messages(answer: Any) -> list[str]:
    """The messages that an answer leaves for the next page."""
    return [str(message) for message in get_messages(answer.wsgi_request)]


@pytest.fixture
def national(add_rule: AddRule) -> int:
    """A rule that takes a leading 0 away, and a case that holds it to that."""
    services.save(1, "0301", "+49301", SOMEBODY)
    return add_rule("^0([1-9][0-9]+)$", subst_exp="^0(.*)$", repl_exp="+49\\1")


@pytest.mark.usefixtures("national")
def test_a_case_passes_where_exactly_the_expected_comes_out() -> None:
    services.save(1, "0302", "+49", SOMEBODY)
    assert [each.passes for each in run_cases(all_cases())] == [True, False]


def test_a_case_can_expect_that_nothing_comes_out(national: int) -> None:
    services.save(1, "112", None, SOMEBODY)
    assert all(each.passes for each in run_cases(cases_of(1)))


def test_the_cases_of_many_dialplans_take_no_more_queries_than_those_of_two(add_rule: AddRule) -> None:
    """Of 148 dialplans the reload page took 3 seconds, in 297 queries."""
    counts = []
    for dpid in range(2, 14):
        # A rule that its case meets, one that another's meets, or none but a plain one.
        matches = {0: f"^{dpid}$", 1: "5", 2: "77"}[dpid % 3]
        add_rule(matches, dpid=dpid, match_op=1 if dpid % 3 == 0 else 0, repl_exp=str(dpid))
        services.save(dpid, str(dpid), str(dpid), SOMEBODY)
        with CaptureQueriesContext(connection) as queries:
            checked = run_cases(all_cases())
        counts.append(len(queries))
        alone = [each for pk in range(2, dpid + 1) for each in run_cases(cases_of(pk))]
        assert [(each.case.dpid, each.passes, each.words) for each in checked] == [
            (each.case.dpid, each.passes, each.words) for each in alone
        ]
    assert {each.case.dpid for each in checked if each.passes} == {3, 6, 9, 12}
    assert max(counts[1:]) <= 4


def test_what_is_left_to_chance_does_not_pass(add_rule: AddRule) -> None:
    add_rule("^(a)?b$", subst_exp="^(a)?b$", repl_exp="\\1")
    services.save(1, "b", None, SOMEBODY)
    assert [each.passes for each in run_cases(cases_of(1))] == [False]


def test_an_edit_shows_which_cases_fail_now(administrator: Client, national: int) -> None:
    original = (
        administrator.get(reverse("dialplan:edit", args=[national])).context["form"].initial["original"]
    )
    answer = administrator.post(
        reverse("dialplan:edit", args=[national]), typed(repl_exp="0049\\1", original=original)
    )
    words = "Test case “0301” fails: output “0049301”. Expected: “+49301”. It passed before."
    assert words in messages(answer)


def test_a_case_that_failed_before_is_no_news(administrator: Client, national: int) -> None:
    services.save(1, "0302", "never", SOMEBODY)
    answer = administrator.post(reverse("dialplan:add"), typed(match_exp="^9$", subst_exp="^(9)$", pr="9"))
    assert [text for text in messages(answer) if "fail" in text] == ["1 test case fails as before."]


def test_a_rule_that_moves_to_another_dialplan_is_checked_by_the_cases_that_it_leaves(
    administrator: Client, national: int
) -> None:
    address = reverse("dialplan:edit", args=[national])
    original = administrator.get(address).context["form"].initial["original"]
    answer = administrator.post(address, typed(dpid="2", original=original))
    assert any(text.startswith("Test case “0301” fails") for text in messages(answer))


def test_moving_a_rule_shows_which_cases_fail_now(
    administrator: Client, national: int, add_rule: AddRule
) -> None:
    later = add_rule("^0", pr=5, repl_exp="other")
    answer = administrator.post(reverse("dialplan:move", args=[later]), fresh(Rule, later, before=national))
    assert any(text.startswith("Test case “0301” fails") for text in messages(answer))


def test_the_confirmation_of_a_delete_shows_what_breaks(administrator: Client, national: int) -> None:
    page = administrator.get(reverse("dialplan:delete", args=[national])).content.decode()
    assert "1 of 1 would break" in page


def test_disabling_and_deleting_a_rule_run_the_cases_too(administrator: Client, national: int) -> None:
    answer = administrator.post(
        reverse("dialplan:disabled", args=[national]), fresh(Rule, national, disabled=1)
    )
    assert any("fails" in text for text in messages(answer))
    original = (
        administrator.get(reverse("dialplan:delete", args=[national])).context["form"].initial["original"]
    )
    answer = administrator.post(reverse("dialplan:delete", args=[national]), {"original": original})
    assert any("fails" in text for text in messages(answer))
    assert not Rule.objects.exists()


def test_the_form_shows_what_a_rule_that_is_not_saved_would_break(
    administrator: Client, national: int
) -> None:
    address = reverse("dialplan:cases-with-rule") + f"?row={national}"
    answer = administrator.post(address, typed(repl_exp="0049\\1"))
    (checked,) = answer.context["effect"].checked
    assert (checked.passes, checked.dry_run.output) == (False, "0049301")
    assert "1 of 1 would break" in answer.content.decode()


def test_the_form_shows_what_a_rule_that_is_not_saved_would_mend(
    administrator: Client, national: int
) -> None:
    services.save(1, "99", "+99", SOMEBODY)
    added = typed(match_exp="^99$", subst_exp="", repl_exp="+99")
    answer = administrator.post(reverse("dialplan:cases-with-rule"), added)
    assert "all would pass, 1 fixed" in answer.content.decode()


def test_an_invalid_rule_runs_no_case(administrator: Client, national: int) -> None:
    assert not administrator.post(reverse("dialplan:cases-with-rule"), typed(match_exp="(")).content


def test_a_case_is_saved_changed_and_deleted_with_its_audit(administrator: Client) -> None:
    save = reverse("dialplan:save-case", args=[1])
    administrator.post(save, {"input": "0301", "expected": "+49301"})
    (case,) = SavedCase.objects.all()
    administrator.post(save, fresh(SavedCase, case.pk, input="0301", nothing="on"))
    (case,) = SavedCase.objects.all()
    assert case.expected is None
    administrator.post(reverse("dialplan:delete-case", args=[case.pk]), fresh(SavedCase, case.pk))
    assert not SavedCase.objects.exists()
    records = AuditRecord.objects.filter(subject_kind="dialplan test case").order_by("pk")
    assert [record.action for record in records] == ["add", "edit", "delete"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ""},
        {"input": "1" * 501},
        {"input": "1", "expected": "2" * 256},
        {"input": "1", "expected": "2", "nothing": "on"},
    ],
)
def test_a_case_that_makes_no_sense_is_refused(administrator: Client, wrong: dict[str, Any]) -> None:
    answer = administrator.post(reverse("dialplan:save-case", args=[1]), wrong)
    assert (answer.status_code, SavedCase.objects.count()) == (422, 0)


def test_a_dialplan_has_a_bounded_number_of_cases(administrator: Client) -> None:
    for number in range(services.MAX_CASES):
        services.save(1, str(number), None, SOMEBODY)
    save = reverse("dialplan:save-case", args=[1])
    assert administrator.post(save, {"input": "one more", "nothing": "on"}).status_code == 422
    (known,) = SavedCase.objects.filter(input="0")
    assert administrator.post(save, fresh(SavedCase, known.pk, input="0", expected="1")).status_code == 302


def test_inputs_that_differ_by_case_or_by_a_space_are_two_cases(administrator: Client) -> None:
    for text in ("a", "A", "a "):
        services.save(1, text, None, SOMEBODY)
    assert len(cases_of(1)) == 3


@pytest.mark.parametrize(
    ("role", "shown", "saved"),
    [
        (None, 302, 302),
        (Role.VIEWER, 200, 403),
        (Role.OPERATOR, 200, 403),
        (Role.ADMINISTRATOR, 200, 302),
    ],
)
def test_everybody_sees_cases_and_administrators_save_them(
    client_as: ClientAs, role: Role | None, shown: int, saved: int
) -> None:
    client = client_as(role)
    assert client.get(reverse("dialplan:cases", args=[1])).status_code == shown
    data = {"input": "1", "expected": "2"}
    assert client.post(reverse("dialplan:save-case", args=[1]), data).status_code == saved
