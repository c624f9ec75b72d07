"""The dialplan's pages: what is written, refused and reported."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from dialplan import services
from dialplan.forms import RuleForm
from dialplan.load_prediction import predict_load
from dialplan.models import DialplanName, Rule
from dialplan.translation.rules import RuleRow
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor
from tests.conftest import AddRule, ClientAs
from tests.dialplan.conftest import typed
from tests.tokens import fresh


def errors(client: Client, **more: Any) -> dict[str, list[str]]:
    """The refused fields with their messages."""
    answer = client.post(reverse("dialplan:add"), typed(**more))
    assert answer.status_code == 422
    assert not Rule.objects.exists()
    return {field: list(messages) for field, messages in answer.context["form"].errors.items()}


def warnings(client: Client, **more: Any) -> set[str]:
    """The codes of what is warned of; the rule is saved."""
    client.post(reverse("dialplan:add"), typed(**more))
    assert Rule.objects.exists()
    return {finding.code for finding in checked_form(client, **more).all_warnings()}


def checked_form(client: Client, **more: Any) -> RuleForm:
    """The form as it is checked while it is typed."""
    checked = client.post(reverse("dialplan:check"), typed(**more), headers={"HX-Trigger-Name": "match_exp"})
    form: RuleForm = checked.context["field"].form
    return form


def test_a_rule_is_written_as_it_was_typed(administrator: Client) -> None:
    assert administrator.post(reverse("dialplan:add"), typed()).status_code == 302
    assert RuleRow.of(Rule.objects.get()) == RuleRow(
        dpid=1, match_exp="^0([1-9][0-9]+)$", subst_exp="^0(.*)$", repl_exp="+49\\1"
    )
    assert AuditRecord.objects.get(subject_kind="dialplan").action == "add"


def test_what_stands_under_more_is_written_where_it_is_given(administrator: Client) -> None:
    administrator.post(reverse("dialplan:add"), typed(timerec="20260101T000000||WEEKLY", disabled="on"))
    rule = Rule.objects.get()
    assert (rule.timerec, rule.disabled) == ("20260101T000000||WEEKLY", 1)


def test_a_rule_that_only_matches_replaces_nothing(administrator: Client) -> None:
    administrator.post(reverse("dialplan:add"), typed(match_only="on", attrs="pstn"))
    rule = Rule.objects.get()
    assert (rule.subst_exp, rule.repl_exp, rule.attrs) == (None, None, "pstn")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"match_exp": "("}, "match_exp"),
        ({"match_exp": "a" * 65}, "match_exp"),
        ({"match_exp": ""}, "match_exp"),
        ({"match_op": "0", "match_exp": ""}, "match_exp"),
        ({"match_exp": "^a\x07$"}, "match_exp"),
        ({"subst_exp": "["}, "subst_exp"),
        ({"repl_exp": "\\3"}, "repl_exp"),
        ({"repl_exp": "\\1" * 11}, "repl_exp"),
        ({"repl_exp": "r" * 33}, "repl_exp"),
        ({"timerec": "never"}, "timerec"),
        ({"attrs": "a" * 256}, "attrs"),
        ({"dpid": "-1"}, "dpid"),
        ({"dpid": "one"}, "dpid"),
        ({"pr": "4000000000"}, "pr"),
        ({"match_op": "7"}, "match_op"),
    ],
)
def test_what_a_proxy_would_drop_or_break_over_is_refused_at_its_field(
    administrator: Client, wrong: dict[str, str], field: str
) -> None:
    assert field in errors(administrator, **wrong)


def test_the_place_of_an_error_is_named(administrator: Client) -> None:
    (messages,) = errors(administrator, match_exp="^äb(")["match_exp"]
    assert "(at character 4)" in messages


def test_the_place_of_an_error_is_marked(administrator: Client) -> None:
    page = administrator.post(reverse("dialplan:add"), typed(match_exp="^a[b-a]<i>"))
    assert "^a[b-<mark>a</mark>]&lt;i&gt;" in page.content.decode()


def test_the_characters_of_a_value_are_counted_against_its_column(administrator: Client) -> None:
    page = administrator.post(reverse("dialplan:add"), typed(match_exp="ä" * 65))
    assert "65 of 64" in page.content.decode()


def test_the_proxy_s_surprises_are_warned_of(administrator: Client) -> None:
    assert "not_anchored" in warnings(administrator, match_exp="0([1-9])")


def test_an_edit_writes_the_changed_columns_only_where_nobody_else_changed_them(
    administrator: Client, add_rule: AddRule
) -> None:
    rule_id = add_rule("^1$", attrs="a")
    address = reverse("dialplan:edit", args=[rule_id])
    original = administrator.get(address).context["form"]["original"].value()
    services.update(
        rule_id, RuleRow.of(Rule.objects.get()), RuleRow(1, match_exp="^1$", attrs="b"), Actor("x")
    )
    mine = typed(match_exp="^1$", match_only="on", attrs="c", original=original)
    answer = administrator.post(address, mine)
    assert "another user changed this rule" in answer.content.decode()
    assert Rule.objects.get().attrs == "b"
    again = mine | {"original": answer.context["form"]["original"].value()}
    assert administrator.post(address, again).status_code == 302
    assert Rule.objects.get().attrs == "c"


def test_another_s_change_of_another_column_is_kept(administrator: Client, add_rule: AddRule) -> None:
    rule_id = add_rule("^1$", attrs="a")
    address = reverse("dialplan:edit", args=[rule_id])
    original = administrator.get(address).context["form"]["original"].value()
    services.update(
        rule_id, RuleRow.of(Rule.objects.get()), RuleRow(1, pr=7, match_exp="^1$", attrs="a"), Actor("x")
    )
    mine = typed(match_exp="^1$", match_only="on", attrs="c", original=original)
    assert administrator.post(address, mine).status_code == 302
    rule = Rule.objects.get()
    assert (rule.pr, rule.attrs) == (7, "c")


def test_an_empty_text_of_the_row_is_no_change(administrator: Client, add_rule: AddRule) -> None:
    rule_id = add_rule("^1$", subst_exp="", repl_exp="", attrs="")
    address = reverse("dialplan:edit", args=[rule_id])
    original = administrator.get(address).context["form"]["original"].value()
    empty = typed(match_exp="^1$", subst_exp="", repl_exp="", original=original)
    page = administrator.post(address, empty, follow=True)
    assert "No changes" in page.content.decode()


def test_flags_that_the_form_does_not_know_stay(administrator: Client, add_rule: AddRule) -> None:
    rule_id = add_rule("^1$", match_flags=4)
    address = reverse("dialplan:edit", args=[rule_id])
    original = administrator.get(address).context["form"]["original"].value()
    administrator.post(address, typed(match_exp="^1$", match_only="on", match_flags="on", original=original))
    assert Rule.objects.get().match_flags == 5


def test_a_clone_and_former_values_fill_the_form_and_save_nothing(
    administrator: Client, add_rule: AddRule
) -> None:
    rule_id = add_rule("^1$", repl_exp="2")
    clone = administrator.get(reverse("dialplan:clone", args=[rule_id]))
    assert clone.context["form"]["repl_exp"].value() == "2"
    services.delete(rule_id, RuleRow.of(Rule.objects.get()), Actor("x"))
    record = AuditRecord.objects.get(action="delete")
    restored = administrator.get(reverse("dialplan:restore", args=[record.pk]))
    assert restored.context["form"]["match_exp"].value() == "^1$"
    assert not Rule.objects.exists()


def test_deleting_needs_confirmation_and_deletes_only_what_was_shown(
    administrator: Client, add_rule: AddRule
) -> None:
    rule_id = add_rule("^1$")
    address = reverse("dialplan:delete", args=[rule_id])
    original = administrator.get(address).context["form"]["original"].value()
    services.update(rule_id, RuleRow.of(Rule.objects.get()), RuleRow(1, match_exp="^2$"), Actor("x"))
    assert "Not deleted" in administrator.post(address, {"original": original}).content.decode()
    assert Rule.objects.exists()
    original = administrator.get(address).context["form"]["original"].value()
    assert administrator.post(address, {"original": original}).status_code == 302
    assert not Rule.objects.exists()


def test_the_list_has_the_order_in_which_a_proxy_tries(administrator: Client, add_rule: AddRule) -> None:
    for match, pr in (("^3$", 5), ("^1$", -1), ("^2$", 5)):
        add_rule(match, pr=pr)
    add_rule("^9$", dpid=2)
    page = administrator.get(reverse("dialplan:list")).context["page"]
    shown = [[each.row.match_exp for each in section.rules] for section in page.sections]
    assert shown == [["^1$", "^3$", "^2$"], ["^9$"]]


@pytest.mark.parametrize("character", ["é", "٣", "💥"])
def test_any_character_can_be_searched_for(administrator: Client, add_rule: AddRule, character: str) -> None:
    add_rule("^é")
    page = administrator.get(reverse("dialplan:list"), {"q": character})
    assert page.context["page"].total == (character == "é")


def test_the_list_is_filtered_and_paged_by_its_address(administrator: Client, add_rule: AddRule) -> None:
    for number in range(40):
        add_rule(f"^{number}$", disabled=number % 2)

    def shown(query: str) -> int:
        page = administrator.get(reverse("dialplan:list") + query).context["page"]
        return sum(len(section.rules) for section in page.sections)

    assert [shown(query) for query in ("", "?page=2", "?page=99", "?disabled=1", "?q=%5E7", "?dpid=2")] == [
        30,
        10,
        10,
        20,
        1,
        0,
    ]


def test_a_rule_that_a_proxy_drops_reports_it_in_the_list(administrator: Client, add_rule: AddRule) -> None:
    add_rule("(")
    assert "drops the rule" in administrator.get(reverse("dialplan:list")).content.decode()


def test_the_list_costs_as_many_queries_for_many_as_for_one(
    administrator: Client, add_rule: AddRule, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(100):
        add_rule(f"^{number}$", dpid=number)
    with django_assert_max_num_queries(10):
        administrator.get(reverse("dialplan:list") + "?size=100")


def test_an_input_is_run_on_the_table(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^9$", pr=0)
    add_rule("^0([1-9]+)$", pr=1, subst_exp="^0(.*)$", repl_exp="+49\\1", attrs="pstn")
    dry_run = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": "0123"}).context["dry_run"]
    assert (dry_run.output, dry_run.attributes) == ("+49123", "pstn")
    assert [(each.rule.rule.match_exp, each.used) for each in dry_run.trials] == [
        ("^9$", False),
        ("^0([1-9]+)$", True),
    ]


def test_an_input_is_run_with_the_rule_of_the_form(administrator: Client, add_rule: AddRule) -> None:
    rule_id = add_rule("^0$", repl_exp="old")
    edited = typed(match_exp="^0$", subst_exp="", repl_exp="new", input="0")
    address = f"{reverse('dialplan:try')}?row={rule_id}"
    dry_run = administrator.post(address, edited).context["dry_run"]
    assert (dry_run.output, dry_run.trials[0].is_unsaved) == ("new", True)
    added = administrator.post(reverse("dialplan:try"), typed(input="0123")).context["dry_run"]
    assert added.output == "+49123"
    assert Rule.objects.get().repl_exp == "old"


@pytest.mark.parametrize(
    ("posted", "words"),
    [
        ({"dpid": "1", "input": "5"}, "No rule matches."),
        ({"dpid": "2", "input": "5"}, "This dialplan has no loaded rules."),
        ({"dpid": "3", "input": "5"}, "The reload would fail"),
        (typed(match_exp="(", input="5"), "Fix the errors in the rule"),
    ],
)
def test_a_failing_translation_is_reported(
    administrator: Client, add_rule: AddRule, posted: dict[str, str], words: str
) -> None:
    add_rule("^1$")
    add_rule("", dpid=3, match_op=0)
    dry_run = administrator.post(reverse("dialplan:try"), posted).context["dry_run"]
    assert dry_run.output is None
    assert dry_run.words.startswith(words)


def test_where_the_order_of_equal_priorities_decides_the_outcomes_are_shown(
    administrator: Client, add_rule: AddRule
) -> None:
    add_rule("^00", subst_exp="^00(.*)$", repl_exp="+\\1")
    add_rule("^0", repl_exp="national")
    answer = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": "0044"})
    dry_run = answer.context["dry_run"]
    assert [each.output for each in dry_run.possible] == ["+44", "national"]
    assert dry_run.words.startswith("Depends on the row order of rules with equal priority")
    assert "Save as test case" not in answer.content.decode()


def test_a_rule_without_a_replacement_keeps_the_number(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^0")
    page = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": "0301"}).content.decode()
    assert "the number stays <code>0301</code>" in page


@pytest.mark.parametrize("text", ["2500", "ABC"])
def test_of_many_equal_rules_those_are_found_that_the_input_meets(
    administrator: Client, add_rule: AddRule, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("dialplan.selectors.MAX_RULES", 3)
    for number in range(2490, 2510):
        add_rule(str(number), match_op=0, repl_exp=f"+{number}")
    add_rule("abc", match_op=0, match_flags=1, repl_exp="+ABC")
    dry_run = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": text}).context["dry_run"]
    assert dry_run.output == f"+{text}"


def test_an_equal_rule_without_a_text_breaks_the_load_for_any_input(
    administrator: Client, add_rule: AddRule
) -> None:
    add_rule("", match_op=0)
    add_rule("5", match_op=0, repl_exp="\\1" * 11)
    dry_run = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": "9"}).context["dry_run"]
    assert dry_run.words.startswith("The reload would fail")


@pytest.mark.parametrize("text", ["é", "💥"])
def test_any_character_can_be_an_input(administrator: Client, add_rule: AddRule, text: str) -> None:
    add_rule("5", match_op=0)
    dry_run = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": text}).context["dry_run"]
    assert dry_run.words == "No rule matches."


def test_trying_needs_an_input_and_a_dialplan(administrator: Client) -> None:
    for posted in ({}, {"dpid": "x", "input": "1"}, {"dpid": "1", "input": ""}):
        assert administrator.post(reverse("dialplan:try"), posted).content == b""


def test_a_dialplan_too_large_to_be_loaded_is_reported(
    administrator: Client, add_rule: AddRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("dialplan.selectors.MAX_RULES", "dialplan.selectors.MAX_ALL_RULES"):
        monkeypatch.setattr(bound, 1)
    monkeypatch.setattr("dialplan.neighbours.MAX_COMPARED", 1)
    add_rule("^0$")
    add_rule("^1$")
    dry_run = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": "1"}).context["dry_run"]
    assert (dry_run.words, dry_run.is_certain) == (
        "Dialplan 1 has more than 1 regular expression rules.",
        False,
    )
    assert "too large" in administrator.get(reverse("dialplan:order", args=[1])).content.decode()
    assert "too large" in administrator.get(reverse("operations_dialplan:reload")).content.decode()


@pytest.mark.parametrize("page", ["name", "cases", "order"])
def test_there_is_no_dialplan_that_its_column_can_t_hold(administrator: Client, page: str) -> None:
    assert administrator.get(reverse(f"dialplan:{page}", args=[2**31])).status_code == 404
    assert administrator.get(reverse(f"dialplan:{page}", args=[2**31 - 1])).status_code == 200


def test_a_dialplan_has_a_name(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^1$")
    administrator.post(reverse("dialplan:name", args=[1]), fresh(DialplanName, 1, name="Outbound"))
    assert "1 · Outbound" in administrator.get(reverse("dialplan:list")).content.decode()
    administrator.post(reverse("dialplan:name", args=[1]), fresh(DialplanName, 1, name=""))
    assert not DialplanName.objects.exists()


def test_hostile_texts_are_escaped(administrator: Client, add_rule: AddRule) -> None:
    rule_id = add_rule("<script>", subst_exp="<b>", repl_exp="<i>", attrs="<u>")
    for address in (
        reverse("dialplan:list"),
        reverse("dialplan:edit", args=[rule_id]),
        reverse("dialplan:delete", args=[rule_id]),
    ):
        page = administrator.get(address).content.decode()
        assert "<script>" not in page.replace('<script src="', "")
        assert "<u>" not in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_is_no_administrator_may_only_look_and_try(
    client_as: ClientAs, add_rule: AddRule, role: Role
) -> None:
    rule_id = add_rule("^1$")
    client = client_as(role)
    assert client.get(reverse("dialplan:list")).status_code == 200
    assert client.post(reverse("dialplan:try"), {"dpid": "1", "input": "1"}).status_code == 200
    for name, arguments in (("add", []), ("edit", [rule_id]), ("delete", [rule_id]), ("name", [1])):
        assert client.get(reverse(f"dialplan:{name}", args=arguments)).status_code == 403
        assert client.post(reverse(f"dialplan:{name}", args=arguments), typed()).status_code == 403
    assert client.get(reverse("dialplan:clone", args=[rule_id])).status_code == 403
    assert client.post(reverse("dialplan:check"), typed()).status_code == 403


@pytest.mark.django_db
def test_nobody_may_who_is_not_signed_in(client: Client) -> None:
    for name, arguments in (("list", []), ("add", []), ("edit", [1]), ("clone", [1]), ("delete", [1])):
        answer = client.get(reverse(f"dialplan:{name}", args=arguments))
        assert "/cp/accounts/" in answer.headers["Location"]


@pytest.mark.parametrize("name", ["edit", "clone", "delete", "restore"])
def test_what_does_not_exist_is_not_found(administrator: Client, name: str) -> None:
    assert administrator.get(reverse(f"dialplan:{name}", args=[999_999])).status_code == 404


@pytest.mark.parametrize(
    ("sort", "expressions"),
    [
        ("pr", ["^b$", "^c$", "^a$"]),
        ("match_exp", ["^a$", "^b$", "^c$"]),
        ("-match_exp", ["^c$", "^b$", "^a$"]),
        ("nonsense", ["^b$", "^c$", "^a$"]),
    ],
)
def test_the_list_is_sorted_by_its_query_string(
    administrator: Client, add_rule: AddRule, sort: str, expressions: list[str]
) -> None:
    for pr, expression in ((3, "^a$"), (1, "^b$"), (2, "^c$")):
        add_rule(expression, pr=pr)
    (section,) = administrator.get(reverse("dialplan:list"), {"sort": sort}).context["page"].sections
    assert [each.row.match_exp for each in section.rules] == expressions


def test_rules_are_moved_only_where_they_stand_in_their_order(
    administrator: Client, add_rule: AddRule
) -> None:
    add_rule("^a$", pr=1)
    add_rule("^b$", pr=2)
    (section,) = administrator.get(reverse("dialplan:list"), {"sort": "match_exp"}).context["page"].sections
    assert {(each.before, each.behind) for each in section.rules} == {(None, None)}


def test_a_rule_that_is_never_reached_is_warned_of(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^0", pr=-1)
    checked = administrator.post(reverse("dialplan:check"), typed(), headers={"HX-Trigger-Name": "match_exp"})
    messages = {finding.code: finding.text for finding in checked.context["field"].form.all_warnings()}
    assert messages["never_reached"].startswith("Never reached: “^0” (priority -1)")


def test_a_rule_of_the_same_priority_that_matches_the_same_is_warned_of(
    administrator: Client, add_rule: AddRule
) -> None:
    add_rule("^05")
    checked = administrator.post(reverse("dialplan:check"), typed(), headers={"HX-Trigger-Name": "pr"})
    assert "same_priority" in {finding.code for finding in checked.context["field"].form.all_warnings()}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"match_exp": "^(a+)+$"}, "backtracks"),
        ({"match_exp": "^a?b$", "subst_exp": "^(a)?b$", "repl_exp": "\\1"}, "undefined_output"),
        ({"subst_exp": "^(.*)$", "repl_exp": "\\1\\1\\1"}, "long_output"),
    ],
)
def test_what_goes_wrong_for_some_inputs_is_warned_of(
    administrator: Client, columns: dict[str, str], code: str
) -> None:
    assert code in warnings(administrator, **columns)


@pytest.mark.parametrize(
    ("columns", "code", "words"),
    [
        ({"match_exp": "/^(0|00)([0-9]+)$/+49\\2/"}, "slashes", "The slashes become part"),
        ({"match_exp": "_0049X."}, "asterisk_pattern", "An Asterisk pattern"),
        ({"match_op": "0", "match_exp": "00*"}, "expression_in_equal_rule", "“00*” has no special"),
        ({"match_exp": "$avp(cc)"}, "variable_in_expression", "Variables are not expanded here"),
        ({"attrs": "pr=5"}, "attribute_is_column", "OpenSIPS does not interpret attributes: pr"),
        ({"match_exp": "^5"}, "not_anchored", "No $ at the end"),
        ({"match_exp": "5$"}, "not_anchored", "No ^ at the start"),
        ({"match_exp": "^0$|1"}, "not_anchored", "No ^ and $"),
        ({"timerec": "20240101T090000||PT8H|fortnightly"}, "never_applies", "Never applies"),
        ({"timerec": "20240101T090000|20240101T100000"}, "never_applies", "Never applies"),
        ({"timerec": "20240101T090000||PT0S|daily"}, "never_applies", "Never applies"),
        (
            {"match_exp": "^00([1-9][0-9]+)$", "subst_exp": "^([1-9][0-9]{8})$", "repl_exp": "\\1"},
            "not_substituted",
            "Matches nothing of what the rule matches: for “0010” the translation fails",
        ),
        ({"subst_exp": "^0([0-9]{3,})$"}, "not_substituted", "Matches not all of what the rule matches"),
        (
            {"match_op": "0", "match_exp": "112", "subst_exp": "^0", "repl_exp": "x"},
            "not_substituted",
            "Matches nothing of what the rule matches: for “112”",
        ),
    ],
)
def test_what_means_something_else_than_it_seems_is_warned_of(
    administrator: Client, columns: dict[str, str], code: str, words: str
) -> None:
    form = checked_form(administrator, **columns)
    messages = {finding.code: finding.text for finding in form.all_warnings()}
    assert messages[code].startswith(words)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"match_op": "0", "match_exp": "*21#"}, "expression_in_equal_rule"),
        ({"match_op": "0", "match_exp": "+4930"}, "expression_in_equal_rule"),
        ({"match_exp": "^(0|00)$"}, "not_anchored"),
        ({"match_exp": "^_x$"}, "asterisk_pattern"),
        ({"timerec": "20240229T090000||PT1H|yearly"}, "never_applies"),
        ({"timerec": "Europe/Berlin|20240101T090000||PT1M|yearly|||||||7"}, "never_applies"),
        ({"timerec": "20400101T090000||PT1H|daily"}, "never_applies"),
        ({"subst_exp": "^(.*)$"}, "not_substituted"),
        ({"match_exp": "^(?=0)", "subst_exp": "^(1)"}, "not_substituted"),
        ({"attrs": "set=5;carrier=a"}, "attribute_is_column"),
    ],
)
def test_what_is_meant_so_is_not_warned_of(administrator: Client, columns: dict[str, str], code: str) -> None:
    assert code not in warnings(administrator, **columns)


def test_a_group_in_foreign_notation_gets_a_hint(administrator: Client) -> None:
    form = checked_form(administrator, repl_exp="+49$1")
    assert "Write the group as \\1, not $1." in {finding.text for finding in form.all_warnings()}
    assert "repl_exp" in form.errors


def test_a_rule_that_may_be_dropped_is_not_saved(administrator: Client) -> None:
    posted = typed(match_op="0", match_exp="112", subst_exp="", repl_exp="a\\1")
    answer = administrator.post(reverse("dialplan:add"), posted)
    assert (answer.status_code, Rule.objects.count()) == (422, 0)
    assert "the proxy may drop the rule" in answer.content.decode()


def test_a_rule_that_may_be_dropped_reports_it_in_the_list(administrator: Client, add_rule: AddRule) -> None:
    add_rule("112", match_op=0, repl_exp="a\\1")
    assert "the proxy may drop the rule" in administrator.get(reverse("dialplan:list")).content.decode()


def test_only_rules_that_replace_nothing_are_called_match_only(
    administrator: Client, add_rule: AddRule
) -> None:
    add_rule("112", match_op=0, repl_exp="110")
    assert "match only" not in administrator.get(reverse("dialplan:list")).content.decode()
    add_rule("^0")
    assert "match only" in administrator.get(reverse("dialplan:list")).content.decode()


@pytest.mark.parametrize(
    ("taken", "offered"),
    [
        ([], 0),
        ([0], 1),
        ([-5], -4),
        ([3, 10, 10], 11),
        ([2**31 - 1], 2**31 - 2),
        ([2**31 - 1, 2**31 - 2], 2**31 - 3),
    ],
)
def test_a_new_rule_is_offered_the_next_free_priority(
    administrator: Client, add_rule: AddRule, taken: list[int], offered: int
) -> None:
    for pr in taken:
        add_rule("^1$", dpid=4, pr=pr)
    form = administrator.get(reverse("dialplan:add") + "?dpid=4").context["form"]
    assert (form["dpid"].value(), form["pr"].value()) == (4, offered)


def test_a_copy_is_offered_the_next_free_priority_behind_its_rule(
    administrator: Client, add_rule: AddRule
) -> None:
    rule = add_rule("^1$", pr=3)
    for pr in (4, 6):
        add_rule("^1$", pr=pr)
    assert administrator.get(reverse("dialplan:clone", args=[rule])).context["form"]["pr"].value() == 5


def test_rules_of_one_priority_get_their_own_in_the_order_of_the_list(
    administrator: Client, add_rule: AddRule
) -> None:
    for expression, pr in (("^a", 5), ("^b", 0), ("^c", 0), ("^d", 1), ("^e", 9)):
        add_rule(expression, pr=pr)
    administrator.post(reverse("dialplan:separate", args=[1]))
    found = dict(Rule.objects.values_list("match_exp", "pr"))
    assert found == {"^b": 0, "^c": 1, "^d": 2, "^a": 5, "^e": 9}
    assert AuditRecord.objects.filter(action="edit", subject_kind="dialplan").count() == 2


def test_the_button_for_it_stands_where_the_order_decides(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^0", attrs="a")
    add_rule("^00", attrs="b")
    page = administrator.get(reverse("dialplan:order", args=[1])).content.decode()
    assert "^00</code> is never reached" in page
    assert reverse("dialplan:separate", args=[1]) in page
    administrator.post(reverse("dialplan:separate", args=[1]))
    page = administrator.get(reverse("dialplan:order", args=[1])).content.decode()
    assert reverse("dialplan:separate", args=[1]) not in page


def test_no_priority_is_left_behind_the_last(administrator: Client, add_rule: AddRule) -> None:
    for expression in ("^a", "^b"):
        add_rule(expression, pr=2**31 - 1)
    answer = administrator.post(reverse("dialplan:separate", args=[1]), follow=True)
    assert "Not changed: No free priority is left" in answer.content.decode()


@pytest.mark.parametrize("pr", [-1, -(2**31), 2**31 - 1])
def test_a_rule_of_another_hand_with_any_priority_is_shown_as_it_is(
    administrator: Client, add_rule: AddRule, pr: int
) -> None:
    rule = add_rule("^1$", pr=pr)
    other = add_rule("^1", attrs="x", pr=pr)
    for address in (
        reverse("dialplan:list") + "?dpid=1",
        reverse("dialplan:order", args=[1]),
        reverse("dialplan:add"),
        reverse("dialplan:edit", args=[rule]),
        reverse("dialplan:clone", args=[rule]),
        reverse("dialplan:delete", args=[rule]),
        reverse("dialplan:cases", args=[1]),
        reverse("operations_dialplan:reload"),
        reverse("preview:routes") + "?dpid=1&number=1",
    ):
        answer = administrator.get(address)
        assert answer.status_code == 200
        assert "pr" not in getattr(answer.context.get("form"), "errors", {})
    assert str(pr) in administrator.get(reverse("dialplan:list")).content.decode()
    dry_run = administrator.post(reverse("dialplan:try"), {"dpid": "1", "input": "1"})
    assert str(pr) in dry_run.content.decode()
    address = reverse("dialplan:edit", args=[rule])
    original = administrator.get(address).context["form"]["original"].value()
    saved = administrator.post(address, typed(match_exp="^1$", pr=str(pr), original=original))
    assert saved.status_code == 302
    assert Rule.objects.get(pk=rule).pr == pr
    moving = fresh(Rule, other, before=rule)
    moved = administrator.post(reverse("dialplan:move", args=[other]), moving, follow=True)
    assert moved.status_code == 200


@pytest.mark.parametrize(
    ("role", "status"), [(None, 302), (Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.ADMINISTRATOR, 302)]
)
def test_only_administrators_give_priorities(client_as: ClientAs, role: Role | None, status: int) -> None:
    assert client_as(role).post(reverse("dialplan:separate", args=[1])).status_code == status


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"match_op": "0", "match_exp": "07", "pr": "5"}, "never_reached"),
        ({"match_op": "0", "match_exp": "93", "pr": "0"}, "same_priority"),
        ({"match_exp": "^0", "pr": "1"}, "same_priority"),
    ],
)
def test_a_rule_is_compared_in_a_large_dialplan_with_what_can_meet_it(
    administrator: Client,
    add_rule: AddRule,
    monkeypatch: pytest.MonkeyPatch,
    columns: dict[str, str],
    code: str,
) -> None:
    monkeypatch.setattr("dialplan.neighbours.MAX_COMPARED", 3)
    add_rule("^0", pr=1, repl_exp="x")
    for number in range(90, 99):
        add_rule(str(number), match_op=0, repl_exp="x")
    form = checked_form(administrator, subst_exp="", repl_exp="y", **columns)
    assert code in {finding.code for finding in form.all_warnings()}


@pytest.mark.parametrize("fragment", [True, False])
def test_the_order_of_a_dialplan_is_reported(client_as: ClientAs, add_rule: AddRule, fragment: bool) -> None:
    add_rule("^0", pr=1)
    add_rule("^00", pr=2)
    headers = {"HX-Request": "true"} if fragment else {}
    page = client_as(Role.VIEWER).get(reverse("dialplan:order", args=[1]), headers=headers).content.decode()
    assert "is never reached" in page
    assert ("<html" in page) is not fragment


OFFICE = {"weekdays": ["0", "4"], "begins": "08:00", "ends": "18:00", "start": "2026-01-01"}
SCHEDULE = "dialplan:schedule"


def test_a_recurrence_is_written_by_a_form_and_taken_into_a_rule(
    administrator: Client, add_rule: AddRule
) -> None:
    rule = add_rule("^0")
    page = administrator.get(reverse(SCHEDULE), OFFICE | {"rule": str(rule), "zone": "Europe/Berlin"})
    text = "Europe/Berlin|20260101T080000||PT10H|weekly|||mo,fr"
    assert page.context["text"] == text
    edit = administrator.get(reverse("dialplan:edit", args=[rule]) + "?" + page.context["carried"])
    assert edit.context["form"]["timerec"].value() == text


def test_days_of_a_month_are_written_as_numbers_ranges_and_the_last(administrator: Client) -> None:
    question = OFFICE | {"weekdays": list("0123456"), "monthdays": "24-26, 1,LAST", "months": ["12", "1"]}
    page = administrator.get(reverse(SCHEDULE), question)
    assert page.context["text"] == "20260101T080000||PT10H|daily||||-1,1,24,25,26|||1,12"
    assert "on the last, 1st, 24th, 25th and 26th day of the month, in January and December" in (
        page.content.decode()
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"weekdays": []}, "weekdays"),
        ({"weekdays": ["9"]}, "weekdays"),
        ({"ends": "08:00"}, "ends"),
        ({"ends": "07:00", "months": ["12"]}, "ends"),
        ({"months": ["13"]}, "months"),
        ({"monthdays": "0"}, "monthdays"),
        ({"monthdays": "32"}, "monthdays"),
        ({"monthdays": "9-3"}, "monthdays"),
        ({"monthdays": "first"}, "monthdays"),
        ({"begins": "x"}, "begins"),
        ({"start": "2026-13-01"}, "start"),
        ({"until": "2025-01-01"}, "until"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_a_schedule_without_sense_is_refused_at_its_field(
    administrator: Client, wrong: dict[str, Any], field: str
) -> None:
    page = administrator.get(reverse(SCHEDULE), OFFICE | wrong)
    assert (page.status_code, field in page.context["form"].errors) == (422, True)


@pytest.mark.parametrize(
    ("timerec", "messages"),
    [
        ("20240101T090000||PT8H|daily", "every day, 09:00 to 17:00"),
        ("garbage", ""),
        ("", ""),
        ("x" * 300, ""),
    ],
)
def test_a_recurrence_is_reported_in_words_while_it_is_typed(
    administrator: Client, timerec: str, messages: str
) -> None:
    page = administrator.post(reverse("dialplan:words"), {"timerec": timerec}).content.decode()
    assert (messages in page) if messages else not page.strip()


@pytest.mark.parametrize(("role", "status"), [(None, 302), (Role.VIEWER, 200), (Role.ADMINISTRATOR, 200)])
def test_everybody_may_write_a_recurrence(client_as: ClientAs, role: Role | None, status: int) -> None:
    assert client_as(role).get(reverse(SCHEDULE)).status_code == status


def test_the_list_states_when_a_rule_applies(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^0", timerec="20240101T090000||PT8H|daily")
    assert "every day, 09:00 to 17:00" in administrator.get(reverse("dialplan:list")).content.decode()


def test_rules_that_take_too_long_together_are_reported(
    administrator: Client, add_rule: AddRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        add_rule(f"^{number}x")
    monkeypatch.setattr("dialplan.middleware.SEARCHES", 10)
    page = administrator.post(reverse("dialplan:try"), {"dpid": 1, "input": "b"}).content.decode()
    assert "These rules take too long to evaluate" in page
    assert "No rule matches" not in page


def test_quick_rules_are_not_reported_as_slow(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^1x")
    page = administrator.post(reverse("dialplan:try"), {"dpid": 1, "input": "b"}).content.decode()
    assert "These rules take too long to evaluate" not in page


def test_a_reload_is_predicted_without_loading_each_plain_equal_rule(
    add_rule: AddRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialplan.selectors.MAX_ALL_RULES", 7)
    for number in range(20):
        add_rule(str(number), match_op=0, repl_exp=None if number % 2 else f"+{number}", subst_exp="")
    add_rule("x", match_op=0, disabled=1)
    add_rule("y", match_op=0, subst_exp="(")
    add_rule("z", match_op=0, repl_exp="\\1")
    add_rule("t", match_op=0, timerec="garbage")
    add_rule("v", match_op=0, repl_exp="$nothing")
    add_rule("^1$")
    found = predict_load()
    assert found is not None
    assert (found.loaded, found.fewest, found.discarded, found.disabled) == (22, 21, 3, 1)
    assert [found.allows(*counts) for counts in ((22, 3), (21, 4), (20, 5), (22, 4))] == [
        True,
        True,
        False,
        False,
    ]
