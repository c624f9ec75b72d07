"""Edits of several rows: chosen, checked, shown, confirmed together, undone together."""

import re

import pytest
from django.test import Client

from dialplan import services as rules
from dialplan.models import Rule
from dialplan.translation.rules import RuleRow
from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.editing.models import Batch
from tests.conftest import ClientAs
from tests.factories import SOMEBODY, DestinationFactory

ROOT = "/cp/system/dispatcher/"


@pytest.fixture
def ids(db: None) -> list[int]:
    return [
        DestinationFactory.create(destination=f"sip:10.0.0.{number}", weight="1", attrs="a=1").pk
        for number in range(1, 5)
    ]


@pytest.fixture
def client(client_as: ClientAs) -> Client:
    return client_as(Role.ADMINISTRATOR)


def checked(client: Client, ids: list[int], root: str = ROOT, **fields: str) -> str:
    response = client.post(f"{root}several/", {"id": ids, "action": "edit", **fields})
    assert response.status_code == 302, response.content.decode()
    return response.headers["Location"]


def text_of(client: Client, page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(page).content.decode()))


def test_several_rows_are_shown_before_and_after_confirmed_and_undone_as_one(
    client: Client, ids: list[int]
) -> None:
    page = checked(
        client, ids[:3], how_weight="set", value_weight="7", how_attrs="append", value_attrs=";b=2"
    )
    shown = text_of(client, page)
    assert "Weight 1 → 7" in shown
    assert "Attributes a=1 → a=1;b=2" in shown
    assert "Share after a reload" in shown
    assert set(Destination.objects.values_list("weight", flat=True)) == {"1"}
    AuditRecord.objects.all().delete()
    client.post(f"{page}apply/")
    assert list(Destination.objects.values_list("weight", "attrs")) == [
        *[("7", "a=1;b=2")] * 3,
        ("1", "a=1"),
    ]
    records = AuditRecord.objects.filter(action="edit")
    assert records.count() == 3
    assert "All rows written together" in client.get(f"/cp/audit/{records[0].pk}/").content.decode()
    batch_page = client.get(f"{ROOT}batches/of/{records[0].write_id}/").headers["Location"]
    assert batch_page == page
    undo = client.post(f"{page}undo/").headers["Location"]
    assert "Weight 7 → 1" in text_of(client, undo)
    client.post(f"{undo}apply/")
    assert set(Destination.objects.values_list("weight", "attrs")) == {("1", "a=1")}
    assert "undone since" in text_of(client, page)


def test_a_row_that_was_changed_after_the_check_refuses_all(client: Client, ids: list[int]) -> None:
    page = checked(client, ids, how_weight="set", value_weight="7")
    Destination.objects.filter(pk=ids[2]).update(weight="3")
    client.post(f"{page}apply/")
    shown = text_of(client, page)
    assert "Nothing was written" in shown
    assert "sip:10.0.0.3 in set 1 was changed meanwhile (weight)." in shown
    assert list(Destination.objects.values_list("weight", flat=True)) == ["1", "1", "3", "1"]
    client.post(f"{page}check/")
    assert "Weight 3 → 7" in text_of(client, page)
    client.post(f"{page}apply/")
    assert set(Destination.objects.values_list("weight", flat=True)) == {"7"}


def test_refused_rows_stand_with_their_finding_and_are_left_out_only_where_that_is_confirmed(
    client: Client, ids: list[int]
) -> None:
    DestinationFactory.create(setid=2, destination="sip:10.0.0.1")
    page = checked(client, ids[:2], how_setid="set", value_setid="2")
    assert "already has this set and URI" in text_of(client, page)
    client.post(f"{page}apply/")
    assert Destination.objects.filter(setid=2).count() == 1
    client.post(f"{page}apply/", {"without_refused": "1"})
    assert Destination.objects.filter(setid=2).count() == 2


def test_copies_go_into_another_set_and_deletions_are_undone(client: Client, ids: list[int]) -> None:
    page = checked(client, ids, action="clone", how_setid="set", value_setid="9")
    client.post(f"{page}apply/")
    assert Destination.objects.filter(setid=9, weight="1").count() == 4
    undo = client.post(f"{page}undo/").headers["Location"]
    client.post(f"{undo}apply/")
    assert not Destination.objects.filter(setid=9).exists()
    page = checked(client, ids, action="delete")
    assert "The set would be empty" in text_of(client, page)
    client.post(f"{page}apply/")
    assert not Destination.objects.exists()
    undo = client.post(f"{page}undo/").headers["Location"]
    client.post(f"{undo}apply/")
    assert sorted(Destination.objects.values_list("destination", flat=True)) == [
        f"sip:10.0.0.{number}" for number in range(1, 5)
    ]


def test_all_rules_that_a_filter_shows_are_numbered_by_steps(client: Client) -> None:
    for priority, dpid in ((3, 1), (1, 1), (2, 2), (9, 1)):
        rules.add(RuleRow(dpid=dpid, pr=priority, match_op=0, match_exp=str(priority)), SOMEBODY)
    data = {"action": "edit", "how_pr": "step", "value_pr": "100", "other_pr": "5", "reason": "tidy"}
    page = client.post("/cp/system/dialplan/several/?dpid=1&all=1", data).headers["Location"]
    client.post(f"{page}apply/")
    found = Rule.objects.order_by("match_exp").values_list("match_exp", "pr")
    assert list(found) == [("1", 100), ("2", 2), ("3", 105), ("9", 110)]
    assert AuditRecord.objects.filter(reason="tidy").count() == 3


def test_a_state_is_shown_by_its_name_and_takes_its_share_away(client: Client, ids: list[int]) -> None:
    page = checked(client, ids[:2], how_state="set", value_state="1")
    shown = text_of(client, page)
    assert "Edit 2 destinations: Initial state set to Inactive" in shown
    assert "Initial state Active → Inactive" in shown
    assert "Set 1: 50 % of its calls move" in shown
    assert "No destination" not in shown


def test_a_batch_is_confirmed_once_and_discarded_only_before(client: Client, ids: list[int]) -> None:
    page = checked(client, ids, how_weight="set", value_weight="7")
    client.post(f"{page}apply/")
    Destination.objects.update(weight="1")
    client.post(f"{page}apply/")
    assert set(Destination.objects.values_list("weight", flat=True)) == {"1"}
    client.post(f"{page}discard/")
    assert Batch.objects.count() == 1
    page = checked(client, ids, how_weight="set", value_weight="8")
    client.post(f"{page}discard/")
    assert client.get(page).status_code == 404


def test_nothing_chosen_and_nothing_to_change_are_explained(client: Client, ids: list[int]) -> None:
    assert "Nothing selected" in text_of(client, f"{ROOT}several/")
    response = client.post(f"{ROOT}several/", {"id": ids, "action": "edit"})
    assert response.status_code == 422
    assert "Choose what to change" in response.content.decode()
    response = client.post(f"{ROOT}several/", {"id": ids, "action": "edit", "how_priority": "step"})
    assert "Enter a value." in response.content.decode()
