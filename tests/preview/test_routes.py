"""From a number to a destination: the guide's dialplan and set, dead ends, and who says where it leads."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dialplan import services as rules
from dialplan.translation.rules import RuleRow
from dispatcher import services as destinations
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor
from efcp.preview.models import DialplanTarget
from efcp.preview.routes.selectors import set_named_by
from tests.conftest import ClientAs
from tests.factories import ProxyFactory
from tests.tokens import fresh

SOMEBODY = Actor("somebody")
ROUTES = "preview:routes"


@pytest.mark.parametrize(
    ("attributes", "setid"),
    [
        ("set=5", 5),
        ("SET = 5", 5),
        ("setid:7;x=1", 7),
        ("x=1, set_id=9", 9),
        ("12", 12),
        (" 12 ", 12),
        ("", None),
        ("pstn", None),
        ("reset=5", None),
        ("set=5;set=6", None),
        ("set=5;setid=5", 5),
        ("set=99999999999", None),
        ("9999999999", None),
        ("set=5x", None),
    ],
)
def test_attributes_name_a_set_where_they_name_just_one(attributes: str, setid: int | None) -> None:
    assert set_named_by(attributes) == setid


@pytest.fixture
def guide(db: None) -> None:
    """The guide's sample: national numbers for the media servers of set 1, international ones for set 2."""
    for setid, host in ((1, "10.0.0.1"), (1, "10.0.0.2"), (2, "10.0.1.1")):
        destinations.add(DestinationRow(setid=setid, destination=f"sip:{host}:5060"), SOMEBODY)
    national = {"match_exp": "^0([1-9][0-9]+)$", "subst_exp": "^0(.*)$", "repl_exp": "+49\\1"}
    abroad = {"match_exp": "^00(.*)$", "subst_exp": "^00(.*)$", "repl_exp": "+\\1", "attrs": "set=2"}
    for columns in (national, abroad):
        rules.add(RuleRow(dpid=1, **columns), SOMEBODY)  # type: ignore[arg-type]


def map_to(client: Client, **more: Any) -> Any:
    """Say where dialplan 1 leads: to set 1 by the guide's route, but for `more`."""
    mapping = {
        "dpid": "1",
        "attributes": "",
        "setid": "1",
        "algorithm": "4",
        "flags": "f",
        "route": "to_media_vbb",
    }
    return client.post(reverse("preview:save-target"), mapping | more)


def follow(client: Client, number: str, **more: str) -> Any:
    """What the page tells of a number in dialplan 1."""
    return client.get(reverse(ROUTES), {"dpid": "1", "number": number, **more}).context


@pytest.mark.usefixtures("guide")
def test_the_guide_s_number_goes_through_translation_route_and_set_to_a_destination(
    administrator: Client,
) -> None:
    map_to(administrator)
    shown = follow(administrator, "0301234")
    assert shown["trace"].dry_run.output == "+49301234"
    assert (shown["trace"].target.route, shown["trace"].target.setid) == ("to_media_vbb", 1)
    assert shown["call_form"]["request_uri"].value() == "sip:+49301234@example.org"
    assert shown["explained"].chosen.uri in {"sip:10.0.0.1:5060", "sip:10.0.0.2:5060"}


@pytest.mark.usefixtures("guide")
def test_a_rule_s_attributes_lead_to_another_set(administrator: Client) -> None:
    map_to(administrator)
    shown = follow(administrator, "00331234")
    assert (shown["trace"].target.setid, shown["trace"].target.by) == (2, "attributes")
    assert shown["explained"].chosen.uri == "sip:10.0.1.1:5060"


@pytest.mark.usefixtures("guide")
def test_what_an_administrator_maps_for_attributes_goes_first(administrator: Client) -> None:
    map_to(administrator, attributes="set=2", setid="1")
    assert follow(administrator, "00331234")["trace"].target.setid == 1


@pytest.mark.usefixtures("guide")
def test_failures_go_on_to_the_next_destination(administrator: Client) -> None:
    map_to(administrator)
    steps = follow(administrator, "0301234", failures="1")["explained"].steps
    assert [step.failed for step in steps] == [True, False]


@pytest.mark.usefixtures("guide")
@pytest.mark.parametrize(("number", "shown"), [("112", "No rule matches"), ("0301234", "is not mapped")])
def test_a_dead_end_is_reported_where_it_is(administrator: Client, number: str, shown: str) -> None:
    assert shown in follow(administrator, number)["trace"].problem


@pytest.mark.usefixtures("guide")
def test_a_set_without_destinations_is_a_dead_end(administrator: Client) -> None:
    map_to(administrator, setid="77")
    assert "no destination" in follow(administrator, "0301234")["explained"].problem


@pytest.mark.usefixtures("guide")
def test_a_rule_that_only_matches_leaves_the_number_as_it_was_dialled(administrator: Client) -> None:
    rules.add(RuleRow(dpid=1, pr=5, match_exp="^112$"), SOMEBODY)
    map_to(administrator)
    shown = follow(administrator, "112")
    assert shown["call_form"]["request_uri"].value() == "sip:112@example.org"
    assert shown["explained"].chosen.uri in {"sip:10.0.0.1:5060", "sip:10.0.0.2:5060"}
    page = administrator.get(reverse(ROUTES), {"dpid": "1", "number": "112"}).content.decode()
    assert "the number stays <code>112</code>" in page


@pytest.mark.usefixtures("guide")
def test_a_number_goes_through_two_dialplans(administrator: Client) -> None:
    map_to(administrator, target="dialplan", next_dpid="7", setid="")
    rules.add(RuleRow(dpid=7, match_exp=r"^\+49", attrs="set=2"), SOMEBODY)
    shown = follow(administrator, "0301234")
    assert [(step.dpid, step.dry_run.text) for step in shown["trace"].steps] == [
        (1, "0301234"),
        (7, "+49301234"),
    ]
    assert shown["call_form"]["request_uri"].value() == "sip:+49301234@example.org"
    assert shown["explained"].chosen.uri == "sip:10.0.1.1:5060"


@pytest.mark.usefixtures("guide")
def test_a_number_through_an_output_that_is_the_set_s_number_stays_itself(administrator: Client) -> None:
    map_to(administrator, target="dialplan", next_dpid="7", setid="")
    map_to(administrator, dpid="7", target="output", setid="")
    rules.add(RuleRow(dpid=7, match_exp=r"^\+49", repl_exp="2"), SOMEBODY)
    shown = follow(administrator, "0301234")
    assert shown["call_form"]["request_uri"].value() == "sip:+49301234@example.org"
    assert shown["trace"].target.setid == 2
    rules.add(RuleRow(dpid=7, pr=-1, match_exp="^.49", repl_exp="set2"), SOMEBODY)
    assert "should be a set ID" in follow(administrator, "0301234")["trace"].problem


@pytest.mark.usefixtures("guide")
def test_dialplans_that_lead_to_each_other_are_not_followed_for_ever(administrator: Client) -> None:
    rules.add(RuleRow(dpid=1, pr=5, match_exp="^112$"), SOMEBODY)
    map_to(administrator, target="dialplan", next_dpid="1", setid="")
    assert "Stopped after" in follow(administrator, "112")["trace"].problem


@pytest.mark.usefixtures("guide")
def test_where_the_order_decides_each_outcome_is_followed(administrator: Client) -> None:
    rules.add(RuleRow(dpid=1, match_exp="^003", repl_exp="x", attrs="set=1"), SOMEBODY)
    trace = follow(administrator, "00331234")["trace"]
    assert [(outcome.output, target.setid) for outcome, target in trace.steps[0].branches] == [
        ("+331234", 2),
        ("x", 1),
    ]
    assert trace.target is None
    assert trace.problem.startswith("Depends on the row order")


@pytest.mark.parametrize(
    ("mapping", "field"),
    [({"setid": ""}, "setid"), ({"target": "dialplan"}, "next_dpid"), ({"target": "moon"}, "target")],
)
def test_where_it_leads_to_has_to_be_named(
    administrator: Client, mapping: dict[str, str], field: str
) -> None:
    answer = map_to(administrator, **mapping)
    assert (answer.status_code, field in answer.context["target_form"].errors) == (422, True)


@pytest.mark.usefixtures("guide")
def test_the_map_shows_dialplans_and_outputs_that_it_leads_to(administrator: Client) -> None:
    map_to(administrator, target="dialplan", next_dpid="7", setid="")
    map_to(administrator, attributes="set=2", target="output", setid="")
    page = administrator.get(reverse(ROUTES)).content.decode()
    assert "dialplan 7</a>" in page
    assert "the set given by the output" in page


@pytest.mark.usefixtures("guide")
def test_a_proxy_that_never_answered_is_not_shown_without_destinations(administrator: Client) -> None:
    ProxyFactory.create(name="edge")
    map_to(administrator)
    page = administrator.get(reverse(ROUTES), {"dpid": "1", "number": "0301234"}).content.decode()
    assert "Unknown: edge has never responded." in page
    assert "No destination" not in page


@pytest.mark.usefixtures("guide")
def test_the_map_shows_every_entry_and_who_set_its_target(administrator: Client) -> None:
    map_to(administrator)
    ((_dpid, _name, entries),) = administrator.get(reverse(ROUTES)).context["dialplans"]
    found = {each.attributes: (each.rules, each.target.by, each.set.id, each.set.rows) for each in entries}
    assert found == {"": (1, "administrator", 1, 2), "set=2": (1, "attributes", 2, 1)}


@pytest.mark.usefixtures("guide")
def test_an_entry_without_a_target_is_shown_as_not_known(administrator: Client) -> None:
    ((_dpid, _name, entries),) = administrator.get(reverse(ROUTES)).context["dialplans"]
    assert [each.target is None for each in entries] == [True, False]


def test_a_target_is_saved_replaced_and_deleted_with_its_audit(administrator: Client) -> None:
    map_to(administrator)
    map_to(administrator, setid="2", **fresh(DialplanTarget, DialplanTarget.objects.get().pk))
    (only,) = DialplanTarget.objects.all()
    assert only.setid == 2
    administrator.post(reverse("preview:delete-target", args=[only.pk]), fresh(DialplanTarget, only.pk))
    assert not DialplanTarget.objects.exists()
    records = AuditRecord.objects.filter(subject_kind="dialplan lead").order_by("pk")
    assert [record.action for record in records] == ["add", "edit", "delete"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"dpid": ""},
        {"setid": "-1"},
        {"algorithm": "11"},
        {"flags": "z"},
        {"route": "r" * 65},
        {"attributes": "a" * 256},
    ],
)
def test_an_invalid_target_is_refused(administrator: Client, wrong: dict[str, str]) -> None:
    assert map_to(administrator, **wrong).status_code == 422
    assert not DialplanTarget.objects.exists()


@pytest.mark.parametrize(
    "question",
    [{"dpid": "x", "number": "1"}, {"number": ""}, {"number": "1" * 501}, {"number": "1", "failures": "99"}],
)
def test_a_number_without_sense_is_not_followed(administrator: Client, question: dict[str, str]) -> None:
    page = administrator.get(reverse(ROUTES), question)
    assert (page.status_code, "trace" in page.context) == (200, False)


@pytest.mark.django_db
@pytest.mark.parametrize("query", [{}, {"dpid": "2"}, {"of": "1"}])
def test_no_field_is_wrong_before_a_number_is_followed(administrator: Client, query: dict[str, str]) -> None:
    form = administrator.get(reverse(ROUTES), query).context["form"]
    assert not form.errors
    assert form["dpid"].value() == query.get("dpid", "1")


@pytest.mark.parametrize(
    ("role", "shown", "saved"),
    [(None, 302, 302), (Role.VIEWER, 200, 403), (Role.OPERATOR, 200, 403), (Role.ADMINISTRATOR, 200, 302)],
)
def test_everybody_follows_numbers_and_administrators_say_where_they_lead(
    client_as: ClientAs, role: Role | None, shown: int, saved: int
) -> None:
    client = client_as(role)
    assert client.get(reverse(ROUTES), {"number": "1"}).status_code == shown
    assert map_to(client).status_code == saved


@pytest.mark.usefixtures("guide")
def test_what_is_typed_becomes_no_markup(administrator: Client) -> None:
    page = administrator.get(reverse(ROUTES), {"number": "<script>alert(1)</script>"})
    assert "<script>alert" not in page.content.decode()


@pytest.mark.usefixtures("guide")
def test_an_unknown_target_links_to_a_form_that_names_its_dialplan(administrator: Client) -> None:
    page = administrator.get(reverse(ROUTES))
    assert 'href="?of=1&amp;attributes=#lead"' in page.content.decode()
    question = administrator.get(reverse(ROUTES), {"of": "1", "attributes": "a&b"}).context
    form = question["target_form"]
    assert (form["dpid"].value(), form["attributes"].value(), question["is_target_form_open"]) == (
        1,
        "a&b",
        True,
    )
