"""Adding, editing, cloning, deleting and restoring in the browser's terms."""

import re
from dataclasses import replace
from html import unescape

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from dispatcher.environment import form_environment
from dispatcher.forms import DestinationForm
from dispatcher.models import Destination
from efcp.accounts.models import User
from efcp.audit.models import AuditRecord
from efcp.proxies.models import Proxy
from tests.conftest import AddRow
from tests.dispatcher.conftest import hold

NEW = {
    "setid": "3",
    "destination": "sip:10.0.0.9",
    "socket": "",
    "state": "0",
    "weight": "1",
    "attrs": "",
    "probe_mode": "0",
    "description": "",
    "priority": "0",
}


def form_of(client: Client, url: str) -> dict[str, str]:
    """The fields of the page's form as a browser would send them."""
    page = client.get(url).content.decode()
    fields = {
        unescape(name): unescape(value)
        for name, value in re.findall(r'<input [^>]*?name="(\w+)"[^>]*? value="([^"]*)"', page)
    }
    for name, options in re.findall(r'<select name="(\w+)".*?>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        if chosen:
            fields[name] = chosen[1]
    return fields


def post(client: Client, url: str, **changes: str) -> str:
    """Send the page's form with `changes`; return the answer's text."""
    return client.post(url, form_of(client, url) | changes, follow=True).content.decode()


def test_what_is_added_stands_in_the_table(administrator: Client) -> None:
    page = administrator.post(
        reverse("dispatcher:add"), NEW | {"attrs": "pstn=yes", "priority": "5"}, follow=True
    ).content.decode()
    row = Destination.objects.get()
    assert (row.setid, row.destination, row.attrs, row.priority) == (3, "sip:10.0.0.9", "pstn=yes", 5)
    assert row.socket is None
    assert "was added to set 3" in page


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("destination", "", "required"),
        ("destination", "10.0.0.1", "sip:"),
        ("destination", "sip:u@10.0.0.1;lr", "wrong next hop"),
        ("destination", "sip:10.0.0.1\x00", "Null"),
        ("destination", "sip:" + "x" * 300, "192"),
        ("destination", "sip:[gggg::1]", "reject"),
        ("weight", "abc", "not a number"),
        ("weight", "65536", "16 bits"),
        ("weight", "fs://nonsense/", "fs://user:password@host:port"),
        ("setid", "-1", "greater than or equal to 0"),
        ("setid", "1.5", "whole number"),
        ("setid", "99999999999", "2147483647"),
        ("state", "7", "valid choice"),
        ("probe_mode", "2", "valid choice"),
        ("priority", "-1", "greater than or equal to 0"),
        ("priority", "70000", "65535"),
        ("description", "x" * 65, "64"),
        ("description", "a\x07b", "control character"),
        ("attrs", "x" * 129, "128"),
        ("socket", "udp:", "not a valid socket"),
    ],
)
def test_what_a_proxy_would_not_load_as_written_is_refused_at_its_field(
    administrator: Client, field: str, value: str, text: str
) -> None:
    response = administrator.post(reverse("dispatcher:add"), NEW | {field: value})
    assert response.status_code == 422
    page = response.content.decode()
    after = page.partition(f'id="findings-{field}"')[2]
    findings = re.split(r'<div class="field">|<div class="button-row"', after)
    assert text in unescape(findings[0])
    assert Destination.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"weight": "0"}, "weight", "Weight 0"),
        ({"destination": "sip:10.0.0.1;transport=tls"}, "destination", "proto_tls"),
        ({"destination": "sip:1.2.3"}, "destination", "1.2.0.3"),
        ({"socket": "udp:10.1.1.1:5060"}, "socket", "unless it listens there, it ignores"),
        ({"state": "1"}, "state", "would receive calls"),
        ({}, "setid", "only destination"),
    ],
)
def test_what_surprises_is_a_warning_while_typing_and_does_not_stop_the_save(
    administrator: Client, changes: dict[str, str], field: str, text: str
) -> None:
    headers = {"HX-Request": "true", "HX-Trigger-Name": field}
    checked = administrator.post(reverse("dispatcher:check"), NEW | changes, headers=headers)
    assert text in unescape(checked.content.decode())
    assert Destination.objects.count() == 0
    administrator.post(reverse("dispatcher:add"), NEW | changes)
    assert Destination.objects.count() == 1


@pytest.mark.parametrize(
    ("attrs", "column"),
    [
        ("weight=50", "weight"),
        ("pstn;Socket = udp:10.0.0.1", "socket"),
        ("maxweight=5", None),
        ("pstn", None),
    ],
)
def test_attributes_that_are_fields_of_their_own_are_warned_of(
    administrator: Client, attrs: str, column: str | None
) -> None:
    headers = {"HX-Trigger-Name": "attrs"}
    page = administrator.post(reverse("dispatcher:check"), NEW | {"attrs": attrs}, headers=headers)
    message = f"{column} has its own field" if column else "has its own field"
    assert (message in page.content.decode()) is (column is not None)


def test_weights_beyond_16_bits_are_a_warning(administrator: Client, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", setid=3, weight="40000")
    headers = {"HX-Trigger-Name": "weight"}
    checked = administrator.post(reverse("dispatcher:check"), NEW | {"weight": "40000"}, headers=headers)
    message = unescape(checked.content.decode())
    assert "add up to 80,000" in message
    assert "instead of 50 %" in message


@pytest.mark.parametrize(("insists", "is_taken"), [(False, False), (True, True)])
def test_an_unknown_name_is_an_error_that_an_administrator_may_override(
    db: None, insists: bool, is_taken: bool
) -> None:
    data = QueryDict(mutable=True)
    data.update(NEW | {"destination": "sip:gw.inside.example:5060"})
    if insists:
        data["unknown_name_is_meant"] = "on"
    environment = replace(form_environment(), resolve=lambda _host, _port, _transport: ())
    form = DestinationForm(data, environment=environment)
    assert form.is_valid() is is_taken
    assert form.name_is_unknown


def test_no_answer_about_a_name_is_a_warning(db: None) -> None:
    data = QueryDict(mutable=True)
    data.update(NEW | {"destination": "sip:gw.inside.example:5060"})
    environment = replace(form_environment(), resolve=lambda _host, _port, _transport: None)
    form = DestinationForm(data, environment=environment)
    assert form.is_valid()
    assert "No DNS answer for" in form.warnings["destination"][0].text


def test_a_form_that_is_sent_twice_adds_one_row(administrator: Client) -> None:
    administrator.post(reverse("dispatcher:add"), NEW)
    second = administrator.post(reverse("dispatcher:add"), NEW)
    assert "already has this set and URI" in second.content.decode()
    assert Destination.objects.count() == 1


@pytest.fixture
def twins(add_row: AddRow) -> tuple[int, int]:
    """Two rows of one set and URI, not written by the panel; the second differs by case."""
    first, second = add_row("sip:10.0.0.1", 3), add_row("sip:10.0.0.2", 3)
    Destination.objects.filter(pk=second).update(destination="SIP:10.0.0.1")
    return first, second


@pytest.mark.parametrize("which", [0, 1])
def test_a_row_that_has_a_twin_is_edited_like_any_other(
    administrator: Client, twins: tuple[int, int], which: int
) -> None:
    url = reverse("dispatcher:edit", args=[twins[which]])
    page = unescape(post(administrator, url, description="carrier A", weight="5"))
    row = Destination.objects.get(pk=twins[which])
    assert (row.description, row.weight) == ("carrier A", "5")
    assert f"Row {twins[1 - which]} has the same set and URI; only the first" in page


def test_a_twin_may_be_moved_away_and_not_back(administrator: Client, twins: tuple[int, int]) -> None:
    url = reverse("dispatcher:edit", args=[twins[1]])
    post(administrator, url, setid="4")
    assert Destination.objects.get(pk=twins[1]).setid == 4
    assert "already has this set and URI" in post(administrator, url, setid="3")
    assert Destination.objects.get(pk=twins[1]).setid == 4


def test_an_edit_that_changes_nothing_writes_nothing(administrator: Client, add_row: AddRow) -> None:
    url = reverse("dispatcher:edit", args=[add_row("sip:10.0.0.1")])
    assert "No changes" in post(administrator, url)
    assert AuditRecord.objects.filter(action="edit").count() == 0


def test_the_second_of_two_editors_sees_both_versions_and_may_insist(
    administrator: Client, add_row: AddRow
) -> None:
    row_id = add_row("sip:10.0.0.1", weight="1")
    url = reverse("dispatcher:edit", args=[row_id])
    typed = form_of(administrator, url) | {"weight": "5"}
    post(administrator, url, weight="7")
    conflict = administrator.post(url, typed).content.decode()
    assert "Not saved" in conflict
    assert "<td>5</td><td>7</td>" in conflict
    assert Destination.objects.get(pk=row_id).weight == "7"
    renewed = unescape(re.search(r'name="original" value="([^"]*)"', conflict)[1])  # type: ignore[index]
    administrator.post(url, typed | {"original": renewed})
    assert Destination.objects.get(pk=row_id).weight == "5"


def test_an_edited_state_is_reported_to_change_no_loaded_destination(
    administrator: Client, add_row: AddRow, proxy: Proxy
) -> None:
    row_id = add_row("sip:10.0.0.1")
    hold(proxy, "sip:10.0.0.1")
    url = reverse("dispatcher:edit", args=[row_id])
    assert "have this destination keep its state" in unescape(post(administrator, url, state="1"))


def test_a_clone_is_the_form_filled_and_adds_a_second_row(administrator: Client, add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1", description="vbb-1", weight="4")
    filled = form_of(administrator, reverse("dispatcher:clone", args=[row_id]))
    administrator.post(reverse("dispatcher:add"), filled | {"destination": "sip:10.0.0.2"})
    assert Destination.objects.filter(description="vbb-1", weight="4").count() == 2


def test_deleting_needs_confirmation_and_shows_what_the_set_loses(
    administrator: Client, add_row: AddRow
) -> None:
    row_id = add_row("sip:10.0.0.1", weight="1")
    add_row("sip:10.0.0.2", weight="3")
    url = reverse("dispatcher:delete", args=[row_id])
    assert "25 % of the set's calls" in " ".join(administrator.get(url).content.decode().split())
    assert "was deleted" in post(administrator, url, reason="old")
    assert Destination.objects.count() == 1


def test_deleting_the_last_one_is_reported_to_leave_none(administrator: Client, add_row: AddRow) -> None:
    url = reverse("dispatcher:delete", args=[add_row("sip:10.0.0.1")])
    assert "The only destination" in administrator.get(url).content.decode()


def test_deleting_what_became_another_destination_is_refused(administrator: Client, add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    url = reverse("dispatcher:delete", args=[row_id])
    form = form_of(administrator, url)
    Destination.objects.filter(pk=row_id).update(destination="sip:10.0.0.7")
    assert "Not deleted" in administrator.post(url, form).content.decode()
    assert Destination.objects.count() == 1


@pytest.mark.parametrize("still_there", [True, False])
def test_restore_opens_the_form_with_the_former_values(
    administrator: Client, add_row: AddRow, still_there: bool
) -> None:
    row_id = add_row("sip:10.0.0.1", weight="4")
    if still_there:
        post(administrator, reverse("dispatcher:edit", args=[row_id]), weight="9")
    else:
        post(administrator, reverse("dispatcher:delete", args=[row_id]))
    record = AuditRecord.objects.exclude(before=None).get(subject_kind="dispatcher")
    filled = form_of(administrator, reverse("dispatcher:restore", args=[record.pk]))
    assert (filled["destination"], filled["weight"]) == ("sip:10.0.0.1", "4")
    target = reverse("dispatcher:edit", args=[row_id]) if still_there else reverse("dispatcher:add")
    administrator.post(target, filled)
    assert Destination.objects.get().weight == "4"


def test_restore_does_not_bring_a_masked_password_back(administrator: Client, add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1", weight="fs://u:topsecret@10.0.0.9:8021")
    post(administrator, reverse("dispatcher:delete", args=[row_id]))
    record = AuditRecord.objects.exclude(before=None).get(subject_kind="dispatcher")
    assert "weight" not in form_of(administrator, reverse("dispatcher:restore", args=[record.pk]))


def test_what_was_typed_when_the_session_ended_comes_back(
    administrator: Client, client_whose_session_ended: Client
) -> None:
    client = client_whose_session_ended
    url = reverse("dispatcher:add")
    answer = client.post(url, NEW | {"description": "typed at 3 a.m."})
    assert answer.status_code == 302
    assert Destination.objects.count() == 0
    client.post(
        answer.headers["Location"], {"username": User.objects.get().username, "password": "long-enough-1"}
    )
    page = client.get(url).content.decode()
    assert "typed at 3 a.m." in page
    assert "You were signed out" in page


def test_the_preview_beside_a_form_never_posts_to_the_form_itself(
    administrator: Client, add_row: AddRow
) -> None:
    row_id = add_row("sip:10.0.0.1")
    pages = {
        reverse("dispatcher:add"): reverse("preview:impact-add"),
        reverse("dispatcher:edit", args=[row_id]): reverse("preview:impact-edit", args=[row_id]),
    }
    for page, preview in pages.items():
        posts = re.findall(r'<div hx-post="([^"]*)"', administrator.get(page).content.decode())
        assert posts == [preview]
