"""The pages of a reload: what they show, and what their forms do."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from efcp.accounts.roles import Role
from efcp.modules.registry import ReloadOutcome
from efcp.operations.reloads import views
from efcp.operations.reloads.models import ReloadResult
from efcp.proxies.models import Proxy
from tests.conftest import AddRow, ClientAs
from tests.factories import ProxyFactory, ReloadResultFactory, ReloadRunFactory
from tests.operations.fake_proxy import FakeProxy
from tests.operations.forms import sent
from tests.proxies.mi_server import wait_until

URI = "sip:10.0.0.1:5060"


def test_a_viewer_sees_the_differences_and_no_form(
    client_as: ClientAs, proxy: Proxy, add_row: AddRow
) -> None:
    add_row("sip:10.0.0.7:5060")
    page = client_as(Role.VIEWER).get(reverse("operations:reload")).content.decode()
    assert "sip:10.0.0.7:5060" in page
    assert "inherit_state" not in page


def test_a_reload_shows_its_result_at_once_where_the_proxy_is_quick(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    add_row(URI)
    page = operator.post(reverse("operations:reload"), sent(proxy), follow=True)
    assert [line.is_clean for line in page.context["lines"]] == [True]
    assert "hx-trigger" not in page.content.decode().split('id="results"')[1]


def test_while_a_proxy_works_the_page_looks_again_by_itself(
    operator: Client, edge: FakeProxy, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "WAIT_S", 0.05)
    edge.reload_waits = True
    page = operator.post(reverse("operations:reload"), sent(proxy), follow=True)
    address = page.redirect_chain[-1][0]
    assert f'hx-get="{address}"' in page.content.decode()
    edge.released.set()
    assert wait_until(lambda: ReloadResult.objects.filter(ended_at__isnull=False).exists())
    fragment = operator.get(address, headers={"HX-Request": "true", "HX-Target": "results"})
    assert (
        fragment.content.decode()
        .strip()
        .startswith('<section id="results" class="card card-table" aria-live')
    )


def test_a_second_reload_leads_to_the_running_one_with_a_message(
    operator: Client,
    client_as: ClientAs,
    edge: FakeProxy,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(views, "WAIT_S", 0.05)
    edge.reload_waits = True
    first = operator.post(reverse("operations:reload"), sent(proxy))
    second = client_as(Role.ADMINISTRATOR).post(reverse("operations:reload"), sent(proxy), follow=True)
    assert second.redirect_chain[0][0] == first["Location"]
    assert "A reload by operator was already in progress" in second.content.decode()


def test_a_different_second_reload_is_shown_what_the_running_one_does(
    operator: Client, edge: FakeProxy, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "WAIT_S", 0.05)
    edge.reload_waits = True
    operator.post(reverse("operations:reload"), sent(proxy))
    second = operator.post(reverse("operations:reload"), sent(proxy, inherit_state="n"), follow=True)
    assert "keeps live states, unlike your choice" in second.content.decode()


def test_a_proxy_to_begin_with_has_to_be_among_the_chosen(
    operator: Client, edge: FakeProxy, proxy: Proxy
) -> None:
    other = ProxyFactory.create(name="other")
    response = operator.post(reverse("operations:reload"), sent(proxy, first=str(other.pk)))
    assert response.status_code == 422
    assert "not among the selected ones" in response.content.decode()
    assert edge.commands_of("ds_reload") == []


def test_one_proxy_of_several_can_be_reloaded_first(operator: Client, proxy: Proxy) -> None:
    ProxyFactory.create(name="another")
    assert "edge-1 first, the others only" in operator.get(reverse("operations:reload")).content.decode()
    page = operator.post(reverse("operations:reload"), sent(proxy, first=str(proxy.pk)), follow=True)
    assert "edge-1 first, the others only" in page.content.decode()


def test_a_reload_whose_process_died_reads_as_unknown(operator: Client, proxy: Proxy) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    run = ReloadRunFactory.create(started_at=long_ago, actor="somebody")
    ReloadResultFactory.create(run=run, proxy=proxy, outcome=ReloadOutcome.RUNNING, deadline=long_ago)
    page = operator.get(reverse("operations:run", args=[run.pk])).content.decode()
    assert 'chip-unknown">Unknown<' in page
    assert "hx-trigger" not in page.split('id="results"')[1]


def test_a_row_that_would_break_a_reload_is_reported_before(
    operator: Client, edge: FakeProxy, add_row: AddRow
) -> None:
    add_row(URI, weight="heavy")
    edge.version = "OpenSIPS (3.6.8 (x86_64/linux))"
    edge.remembered(edge.row())
    assert "The reload would fail" in operator.get(reverse("operations:reload")).content.decode()


def test_without_a_proxy_chosen_nothing_is_sent(operator: Client, edge: FakeProxy, proxy: Proxy) -> None:
    response = operator.post(reverse("operations:reload"), {"inherit_state": "y"})
    assert response.status_code == 422
    assert "Select at least one proxy." in response.content.decode()
    assert edge.commands_of("ds_reload") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxy": "4711"},
        {"proxy": "x"},
        {"first": "4711"},
        {"first": "x"},
        {"inherit_state": "maybe"},
        {"reason": "r" * 256},
    ],
)
def test_a_wrong_value_reloads_nothing(
    operator: Client, edge: FakeProxy, proxy: Proxy, wrong: dict[str, str]
) -> None:
    response = operator.post(reverse("operations:reload"), sent(proxy) | wrong)
    assert response.status_code == 422
    assert edge.commands_of("ds_reload") == []
