"""Proxies are sent a translation, and their answers compared with the table."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dialplan import services
from dialplan.models import Rule
from dialplan.proxy_check import Agreement, ComparedAnswer
from dialplan.translation.rules import RuleRow
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.proxies.models import Proxy, SharedAnswer
from tests.conftest import AddRule, ClientAs
from tests.factories import ProxyFactory
from tests.sandbox.fixtures import RunningSandbox, opensips_tables, sandbox, wait_until

__all__ = ["opensips_tables", "sandbox"]


@pytest.fixture
def edge(sandbox: RunningSandbox) -> RunningSandbox:
    """The only proxy, which has loaded a rule that takes a leading 0 away."""
    Proxy.objects.all().delete()
    ProxyFactory.create(name="edge", mi_url=sandbox.mi_url)
    rule = RuleRow(dpid=1, match_exp="^0([1-9][0-9]+)$", subst_exp="^0(.*)$", repl_exp="+49\\1", attrs="pstn")
    services.add(rule, Actor("somebody"))
    sandbox.call("dp_reload")
    return sandbox


def context_of(client: Client, address: str) -> Any:
    """The context of the page of answers, once none is awaited any more."""
    wait_until(lambda: not client.get(address).context["is_open"])
    return client.get(address).context


def answer_to(client: Client, text: str) -> ComparedAnswer:
    """What the only proxy says of an input of dialplan 1, as the page has it."""
    context = client.post(reverse("dialplan:ask"), {"of": "1", "input": text}).context
    if "question" in context:
        address = reverse("dialplan:answers", args=[context["question"].pk])
        context = context_of(client, address)
    (compared,) = context["answers"]
    assert isinstance(compared, ComparedAnswer)
    return compared


@pytest.mark.usefixtures("edge")
def test_a_proxy_that_was_reloaded_gives_the_same(administrator: Client) -> None:
    compared = answer_to(administrator, "0301")
    assert compared.answer is not None
    assert (compared.answer.output, compared.answer.attributes, compared.agreement) == (
        "+49301",
        "pstn",
        Agreement.SAME,
    )


@pytest.mark.usefixtures("edge")
def test_no_translation_is_the_same_as_none(administrator: Client) -> None:
    compared = answer_to(administrator, "112")
    assert compared.answer is not None
    assert (compared.answer.output, compared.agreement) == (None, Agreement.SAME)


@pytest.mark.usefixtures("edge")
def test_a_proxy_that_was_not_reloaded_differs(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^112$", repl_exp="police")
    compared = answer_to(administrator, "112")
    assert compared.agreement is Agreement.DIFFERENT
    assert "the rule ^112$ was added" in compared.explanation.known[-1]
    assert compared.explanation.causes[0] == "not reloaded since that change"


@pytest.mark.usefixtures("edge")
def test_an_answer_that_another_order_gives_is_no_difference(
    administrator: Client, edge: RunningSandbox, add_rule: AddRule
) -> None:
    add_rule("^9", repl_exp="8")
    edge.call("dp_reload")
    add_rule("^9.$", repl_exp="7")
    assert answer_to(administrator, "91").agreement is Agreement.POSSIBLE
    Rule.objects.update(pr=1)
    Rule.objects.filter(match_exp="^9.$").update(pr=0)
    assert answer_to(administrator, "91").agreement is Agreement.DIFFERENT


@pytest.mark.usefixtures("edge")
def test_a_rule_that_the_proxy_dropped_by_chance_is_no_difference(
    administrator: Client, add_rule: AddRule
) -> None:
    add_rule("112", match_op=0, repl_exp="a\\1")
    assert answer_to(administrator, "112").agreement is Agreement.POSSIBLE


def test_a_character_that_a_rule_cuts_in_two_is_read_alike(
    administrator: Client, edge: RunningSandbox, add_rule: AddRule
) -> None:
    add_rule("^z(.)", subst_exp="^z(.)", repl_exp="\\1")
    edge.call("dp_reload")
    compared = answer_to(administrator, "zä")
    assert compared.answer is not None
    assert (compared.answer.output, compared.agreement) == ("\xc3", Agreement.SAME)


@pytest.mark.usefixtures("edge")
def test_what_the_preview_does_not_know_is_no_difference(administrator: Client, add_rule: AddRule) -> None:
    add_rule("^(a)?b$", subst_exp="^(a)?b$", repl_exp="\\1")
    compared = answer_to(administrator, "b")
    assert (compared.agreement, compared.why[:7]) == (Agreement.UNKNOWN, "A group")


def test_a_proxy_that_does_not_answer_shows_why(administrator: Client, edge: RunningSandbox) -> None:
    Proxy.objects.update(mi_url="http://127.0.0.1:9/mi")
    compared = answer_to(administrator, "0301")
    assert (compared.answer, compared.agreement) == (None, Agreement.UNKNOWN)
    assert compared.problem


@pytest.mark.usefixtures("edge")
def test_a_proxy_is_not_sent_what_would_crash_it(administrator: Client, add_rule: AddRule) -> None:
    Rule.objects.all().delete()
    add_rule("^1$", timerec="20240101T000000||P1D|daily||0")
    compared = answer_to(administrator, "1")
    assert (compared.answer, compared.problem[:9]) == (None, "Not queri")


@pytest.mark.usefixtures("edge")
def test_an_answer_that_another_version_stored_counts_as_none(administrator: Client) -> None:
    answer_to(administrator, "0301")
    stored = SharedAnswer.objects.latest("pk")
    stored.text = stored.text.replace('"answer"', '"said"')
    stored.save()
    (compared,) = context_of(administrator, reverse("dialplan:answers", args=[stored.question_id]))["answers"]
    assert (compared.answer, compared.agreement, compared.problem[:36]) == (
        None,
        Agreement.UNKNOWN,
        "This was asked by another version of",
    )


@pytest.mark.usefixtures("edge")
def test_without_htmx_the_answer_is_a_page(administrator: Client) -> None:
    question = {"of": "1", "input": "0301"}
    whole = administrator.post(reverse("dialplan:ask"), question).content
    part = administrator.post(reverse("dialplan:ask"), question, headers={"HX-Request": "true"}).content
    assert (b"<html" in whole, b"<html" in part) == (True, False)


@pytest.mark.parametrize(
    ("role", "status"),
    [(None, 302), (Role.VIEWER, 200), (Role.OPERATOR, 200), (Role.ADMINISTRATOR, 200)],
)
def test_everybody_who_is_signed_in_may_ask(client_as: ClientAs, role: Role | None, status: int) -> None:
    assert client_as(role).post(reverse("dialplan:ask"), {"of": "1", "input": "1"}).status_code == status


@pytest.mark.parametrize("question", [{}, {"of": "x", "input": "1"}, {"of": "99999999999", "input": "1"}])
def test_an_invalid_question_is_sent_to_nobody(administrator: Client, question: dict[str, str]) -> None:
    assert not administrator.post(reverse("dialplan:ask"), question).content
