"""The pages on which live states are set: what they show, and what their forms do."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.operations.states import results
from efcp.operations.states.models import StateOutcome
from efcp.proxies.models import Proxy, ProxyContact, WatcherHeartbeat
from tests.conftest import AddRow, ClientAs
from tests.operations.fake_proxy import FakeProxy
from tests.operations.forms import sent
from tests.proxies.mi_server import listed

URI = "sip:10.0.0.1:5060"


def test_a_state_form_that_is_sent_twice_is_done_once(
    operator: Client, edge: FakeProxy, proxy: Proxy, add_row: AddRow
) -> None:
    address = reverse("operations:state", args=[add_row(URI)])
    form_key = operator.get(address).context["form"]["form_key"].value()
    first = operator.post(address, sent(proxy, state="probing", form_key=form_key))
    second = operator.post(address, sent(proxy, state="probing", form_key=form_key), follow=True)
    assert second.redirect_chain[0][0] == first["Location"]
    assert "Submitted twice, done once" in second.content.decode()
    assert len(edge.commands_of("ds_set_state")) == 1


def test_each_state_form_can_be_sent(
    operator: Client, edge: FakeProxy, proxy: Proxy, add_row: AddRow
) -> None:
    address = reverse("operations:state", args=[add_row(URI)])
    for _time in range(2):
        page = operator.get(address)
        form_key = page.context["form"]["form_key"].value()
        assert f'value="{form_key}"' in page.content.decode()
        operator.post(address, sent(proxy, state="probing", form_key=form_key))
    assert len(edge.commands_of("ds_set_state")) == 2


@pytest.mark.parametrize(
    "wrong", [{"proxy": "4711"}, {"state": "asleep"}, {"state": ""}, {"reason": "r" * 256}]
)
def test_a_wrong_value_sets_nothing(
    operator: Client, edge: FakeProxy, proxy: Proxy, add_row: AddRow, wrong: dict[str, str]
) -> None:
    address = reverse("operations:state", args=[add_row(URI)])
    assert operator.post(address, sent(proxy) | wrong).status_code == 422
    assert edge.commands_of("ds_set_state") == []


def test_the_reason_that_was_typed_comes_back_after_the_session_ended(
    client_whose_session_ended: Client, proxy: Proxy, make_user: Callable[..., User]
) -> None:
    client = client_whose_session_ended
    client.post(reverse("operations:reload"), sent(proxy, inherit_state="n", reason="new gateway"))
    client.force_login(make_user(Role.OPERATOR))
    form = client.get(reverse("operations:reload")).context["form"]
    assert (form["reason"].value(), form["inherit_state"].value()) == ("new gateway", "n")
    assert form["proxy"].value() == [str(proxy.pk)]


def test_rows_that_were_chosen_come_back_after_the_session_ended(
    client_whose_session_ended: Client, proxy: Proxy, make_user: Callable[..., User], add_row: AddRow
) -> None:
    row_id = add_row(URI)
    client = client_whose_session_ended
    choose = reverse("operations:choose")
    client.post(choose, {"id": [str(row_id)]})
    client.force_login(make_user(Role.OPERATOR))
    assert [line.row.pk for line in client.get(choose).context["lines"]] == [row_id]


def test_setting_inactive_shows_before_and_after_and_goes_on_watching(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    page = operator.post(reverse("operations:state", args=[add_row(URI)]), sent(proxy), follow=True)
    (line,) = page.context["page"].lines
    assert (line.result.state_before, line.result.state_after) == ("active", "inactive")
    assert "Watching for 30 seconds" in page.content.decode()


def test_where_the_watcher_does_not_run_the_page_shows_that_nobody_watches(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    WatcherHeartbeat.objects.update(beat_at=timezone.now() - timedelta(hours=1))
    page = operator.post(reverse("operations:state", args=[add_row(URI)]), sent(proxy), follow=True)
    assert "The watcher is not running" in page.content.decode()


def test_one_confirmation_names_the_sets_that_would_be_left_empty(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    page = operator.post(reverse("operations:choose"), {"id": [str(add_row(URI))]}).content.decode()
    assert "can't take calls" in page
    assert "set 1 on edge-1" in page


def test_the_warning_names_the_proxies_with_last_known_states(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    row_id = add_row(URI)
    pages = [reverse(f"operations:{page}", args=[row_id]) for page in ("state", "maintenance-begin")]

    def warnings() -> list[list[str]]:
        """The names in each page's warning, with its text."""
        texts = [" ".join(strip_tags(operator.get(page).content.decode()).split()) for page in pages]
        pattern = r"(?:can't take|takes) calls.*? on (edge-1(?: \(last known)?)"
        return [re.findall(pattern, text) for text in texts]

    assert warnings() == [["edge-1"]] * 2
    ProxyContact.objects.update(failing_since=timezone.now())
    assert warnings() == [["edge-1 (last known"]] * 2
    refused = operator.post(pages[1], {"proxy": [str(proxy.pk)], "reason": "board", "minutes": "60"})
    assert "set 1 on edge-1 (last known" in refused.content.decode()


def test_a_proxy_never_read_is_not_reported_to_lack_a_destination(
    operator: Client, edge: FakeProxy, add_row: AddRow
) -> None:
    edge.row()
    page = operator.get(reverse("operations:state", args=[add_row(URI)])).content.decode()
    assert "Unknown" in page
    assert "Not in memory" not in page


def test_a_destination_that_is_loaded_twice_is_reported_as_ambiguous(
    operator: Client, edge: FakeProxy, add_row: AddRow
) -> None:
    edge.sets = {1: [listed(URI), listed(URI)]}
    edge.remembered(edge.row())
    page = operator.get(reverse("operations:state", args=[add_row(URI)])).content.decode()
    assert "only the first" in page


def test_a_page_counts_the_outcomes_and_shows_first_what_needs_a_look(
    operator: Client, edge: FakeProxy, proxy: Proxy, add_row: AddRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_LINES", 1)
    add_row(URI)
    add_row("sip:10.9.9.9:5060")
    page = operator.post(reverse("operations:set-state"), sent(proxy), follow=True)
    (line,) = page.context["page"].lines
    assert line.outcome is StateOutcome.NOT_IN_MEMORY
    text = page.content.decode()
    assert "<b>1</b> accepted" in text
    assert "<b>1</b> not in memory" in text
    assert "problems first" in text


def test_a_viewer_is_offered_no_undo(
    client_as: ClientAs, operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    done = operator.post(reverse("operations:state", args=[add_row(URI)]), sent(proxy))
    assert "Undo" in operator.get(done["Location"]).content.decode()
    assert "Undo" not in client_as(Role.VIEWER).get(done["Location"]).content.decode()
