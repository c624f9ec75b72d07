"""Planned maintenance: taken out, put back once, and refused where nothing active is left."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy, Phase
from efcp.operations.maintenance.schedule import CLAIMED_FOR, GIVEN_UP_AFTER, run_due
from efcp.operations.states.models import StateRun
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, StateChange
from efcp.proxies.reconcile import Cause
from tests.conftest import AddRow, ClientAs
from tests.operations.conftest import URI
from tests.operations.fake_proxy import FakeProxy
from tests.proxies.mi_server import listed
from tests.tokens import fresh

OTHER = "sip:10.0.0.2:5060"


@pytest.fixture
def pair(edge: FakeProxy, add_row: AddRow) -> Proxy:
    """A proxy that holds URI and OTHER in set 1, as the table does."""
    for uri in (URI, OTHER):
        add_row(uri)
    edge.sets = {1: [listed(URI), listed(OTHER)]}
    return edge.remembered(edge.row())


def first_row() -> Destination:
    """The row of URI."""
    return Destination.objects.get(destination=URI)


def maintenance_form(proxy: Proxy, **more: Any) -> dict[str, Any]:
    """What the form sends."""
    return {"proxy": [str(proxy.pk)], "reason": "new board", "minutes": "60"} | more


def plan(client: Client, proxy: Proxy, **more: Any) -> MaintenanceOnProxy:
    """Have the first row taken out now."""
    address = reverse("operations:maintenance-begin", args=[first_row().pk])
    assert client.post(address, maintenance_form(proxy, **more)).status_code == 302
    return MaintenanceOnProxy.objects.latest("pk")


def state_of(edge: FakeProxy, uri: str = URI) -> str:
    """What the proxy itself holds."""
    return next(str(each["state"]) for each in edge.sets[1] if each["URI"] == uri)


def later(**ahead: float) -> datetime:
    """A moment from now."""
    return timezone.now() + timedelta(**ahead)


def end_it(out: MaintenanceOnProxy, **ago: float) -> None:
    """Let the time be over."""
    Maintenance.objects.filter(pk=out.maintenance_id).update(ends_at=timezone.now() - timedelta(**ago))
    ProxyContact.objects.update(answered_at=timezone.now())


def test_it_is_taken_out_at_once_and_put_back_at_its_end(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    run_due(later())
    out.refresh_from_db()
    assert (out.step, out.state_before, state_of(edge)) == (Phase.OUT, "active", "Inactive")
    end_it(out, seconds=1)
    run_due(later())
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.BACK, "Active")
    assert [run.actor for run in StateRun.objects.order_by("pk")] == [
        f"maintenance of {out.maintenance.actor}"
    ] * 2


def test_who_reads_the_audit_finds_why(pair: Proxy, operator: Client) -> None:
    plan(operator, pair)
    found = AuditRecord.objects.get(action="maintenance")
    assert (found.subject_id, found.reason) == (str(first_row().pk), "new board")


def test_nothing_happens_before_its_time(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    begins_at = later(hours=2).strftime("%Y-%m-%dT%H:%M")
    out = plan(operator, pair, begins_at=begins_at)
    run_due(later(hours=1))
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.PLANNED, "Active")
    run_due(later(hours=2, minutes=1))
    out.refresh_from_db()
    assert out.step == Phase.OUT


def test_two_watchers_at_once_do_each_act_once(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    out = plan(operator, pair)
    now = later()

    def once(_number: int) -> None:
        try:
            run_due(now)
        finally:
            connection.close()

    for _act in range(2):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(once, range(4)))
        end_it(out, seconds=1)
        now = later()
    assert [each["state"] for each in edge.commands_of("ds_set_state")] == ["i", "a"]


def test_what_a_process_claimed_and_did_not_do_is_done_later(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    MaintenanceOnProxy.objects.update(claimed_until=later(seconds=30))
    run_due(later())
    assert state_of(edge) == "Active"
    run_due(later() + CLAIMED_FOR)
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.OUT, "Inactive")


def test_what_somebody_set_meanwhile_is_left_as_it_is(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    out = plan(operator, pair)
    run_due(later())
    for state in ("active", "inactive"):
        address = reverse("operations:state", args=[first_row().pk])
        operator.post(address, {"proxy": [str(pair.pk)], "state": state, "id": [str(first_row().pk)]})
    end_it(out, seconds=1)
    run_due(later())
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.LEFT, "Inactive")
    assert "has changed its state since" in out.message


def without_an_answer(edge: FakeProxy, proxy: Proxy, then: str) -> None:
    """Let what is due get no answer, although the proxy carries it out: it holds `then` afterwards."""
    edge.closes = True
    run_due(later())
    edge.closes = False
    edge.sets[1][0]["state"] = then
    edge.remembered(proxy)


def test_what_was_taken_out_without_an_answer_is_put_back(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    without_an_answer(edge, pair, "Inactive")
    run_due(later(seconds=30))
    out.refresh_from_db()
    assert (out.step, out.state_before) == (Phase.OUT, "active")
    end_it(out, seconds=1)
    run_due(later())
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.BACK, "Active")


def test_what_somebody_set_after_a_request_without_an_answer_is_left_as_it_is(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    without_an_answer(edge, pair, "Inactive")
    address = reverse("operations:state", args=[first_row().pk])
    for state in ("active", "inactive"):
        operator.post(address, {"proxy": [str(pair.pk)], "state": state, "id": [str(first_row().pk)]})
    run_due(later(seconds=30))
    end_it(out, seconds=1)
    run_due(later())
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.LEFT, "Inactive")


def test_what_was_put_back_without_an_answer_is_not_called_somebodys_doing(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    run_due(later())
    end_it(out, seconds=1)
    without_an_answer(edge, pair, "Active")
    run_due(later(seconds=30))
    out.refresh_from_db()
    assert (out.step, "no reply" in out.message) == (Phase.BACK, True)


def test_what_is_active_again_already_is_left_as_it_is(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    run_due(later())
    KnownDestination.objects.filter(uri=URI).update(state="probing")
    end_it(out, seconds=1)
    run_due(later())
    out.refresh_from_db()
    assert (out.step, out.message) == (
        Phase.LEFT,
        "It was already probing, set by someone else or a reload.",
    )


def test_what_was_inactive_before_stays_inactive(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    edge.sets[1][0]["state"] = "Inactive"
    edge.remembered(pair)
    out = plan(operator, pair)
    run_due(later())
    end_it(out, seconds=1)
    run_due(later())
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.LEFT, "Inactive")


def test_a_late_answer_to_a_probe_does_not_end_it(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    out = plan(operator, pair)
    run_due(later())
    edge.sets[1][0]["state"] = "Active"
    edge.remembered(pair)
    StateChange.objects.update(cause=Cause.PROBING)
    run_due(later(seconds=3))
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.OUT, "Inactive")
    assert "set inactive again" in out.message


def test_a_proxy_that_does_not_answer_is_retried_for_a_day(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    run_due(later())
    end_it(out, seconds=1)
    ProxyContact.objects.update(answered_at=timezone.now() - timedelta(hours=1))
    run_due(later())
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.OUT, "Inactive")
    run_due(later() + GIVEN_UP_AFTER + timedelta(minutes=1))
    out.refresh_from_db()
    assert (out.step, "manually" in out.message) == (Phase.LEFT, True)


def test_one_that_is_planned_does_not_start_where_nothing_active_is_left_by_then(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    out = plan(operator, pair)
    KnownDestination.objects.filter(uri=OTHER).update(state="probing")
    run_due(later())
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.NOT_TAKEN, "Active")


def test_it_is_refused_where_nothing_active_is_left_unless_confirmed(
    edge: FakeProxy, proxy: Proxy, add_row: AddRow, operator: Client
) -> None:
    add_row(URI)
    address = reverse("operations:maintenance-begin", args=[first_row().pk])
    first = operator.post(address, maintenance_form(proxy))
    assert (first.status_code, "Not scheduled" in first.content.decode()) == (422, True)
    second = operator.post(address, maintenance_form(proxy, anyway="y"))
    assert (second.status_code, "type the set" in second.content.decode()) == (422, True)
    wrong = operator.post(address, maintenance_form(proxy, anyway="y", typed_set="2"))
    assert wrong.status_code == 422
    assert not Maintenance.objects.exists()
    plan(operator, proxy, anyway="y", typed_set="1")
    run_due(later())
    assert state_of(edge) == "Inactive"


def test_it_can_be_ended_and_moved(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    out = plan(operator, pair)
    run_due(later())
    operator.post(
        reverse("operations:maintenance-extend", args=[out.maintenance_id]),
        fresh(Maintenance, out.maintenance_id, minutes=600),
    )
    out.maintenance.refresh_from_db()
    assert out.maintenance.ends_at > later(hours=9)
    operator.post(
        reverse("operations:maintenance-end", args=[out.maintenance_id]),
        fresh(Maintenance, out.maintenance_id),
    )
    run_due(later(seconds=1))
    assert state_of(edge) == "Active"


def test_one_that_did_not_begin_is_cancelled(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    out = plan(operator, pair, begins_at=later(hours=2).strftime("%Y-%m-%dT%H:%M"))
    operator.post(
        reverse("operations:maintenance-end", args=[out.maintenance_id]),
        fresh(Maintenance, out.maintenance_id),
    )
    run_due(later(hours=3))
    out.refresh_from_db()
    assert (out.step, state_of(edge)) == (Phase.NOT_TAKEN, "Active")


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"minutes": "0"},
        {"minutes": "999999"},
        {"begins_at": "yesterday"},
        {"begins_at": "2020-01-01T00:00"},
        {"begins_at": "2999-01-01T00:00"},
        {"proxy": []},
        {"proxy": ["4711"]},
        {"reason": "r" * 256},
    ],
)
def test_a_wrong_value_plans_nothing(pair: Proxy, operator: Client, wrong: dict[str, Any]) -> None:
    address = reverse("operations:maintenance-begin", args=[first_row().pk])
    assert operator.post(address, maintenance_form(pair) | wrong).status_code == 422
    assert not Maintenance.objects.exists()


def test_the_pages_say_what_is_out_and_why(edge: FakeProxy, pair: Proxy, operator: Client) -> None:
    plan(operator, pair, reason="<b>new board</b>")
    run_due(later())
    escaped = "&lt;b&gt;new board&lt;/b&gt;"
    for address in (
        reverse("operations:maintenance"),
        reverse("operations:board"),
        reverse("operations:destination", args=[first_row().pk]),
    ):
        assert escaped in operator.get(address).content.decode()


def test_the_board_is_sent_anew_when_a_maintenance_changes(
    edge: FakeProxy, pair: Proxy, operator: Client
) -> None:
    fragment = {"HX-Target": "board"}
    first = operator.get(reverse("operations:board"), headers=fragment)
    plan(operator, pair)
    known = fragment | {"If-None-Match": first.headers["ETag"]}
    assert operator.get(reverse("operations:board"), headers=known).status_code == 200


@pytest.mark.parametrize(
    ("role", "may"), [(Role.VIEWER, False), (Role.OPERATOR, True), (Role.ADMINISTRATOR, True)]
)
def test_who_may(pair: Proxy, client_as: ClientAs, role: Role, may: bool) -> None:
    client = client_as(role)
    assert client.get(reverse("operations:maintenance")).status_code == 200
    begin = reverse("operations:maintenance-begin", args=[first_row().pk])
    assert client.get(begin).status_code == (200 if may else 403)
    assert client.post(begin, maintenance_form(pair)).status_code == (302 if may else 403)
    planned = Maintenance.objects.create(
        destination_id=1, setid=1, uri=URI, reason="x", actor="x", begins_at=later(), ends_at=later(hours=1)
    )
    for name in ("end", "extend"):
        address = reverse(f"operations:maintenance-{name}", args=[planned.pk])
        assert client.get(address).status_code == 405
        assert client.post(address, {"minutes": "5"}).status_code == (302 if may else 403)


def test_nobody_may_who_is_not_signed_in(pair: Proxy, client: Client) -> None:
    for address in (
        reverse("operations:maintenance"),
        reverse("operations:maintenance-begin", args=[first_row().pk]),
    ):
        assert "/cp/accounts/" in client.get(address).headers["Location"]


@pytest.mark.parametrize("name", ["maintenance-begin", "maintenance-end", "maintenance-extend"])
def test_what_does_not_exist_is_not_found(operator: Client, pair: Proxy, name: str) -> None:
    assert operator.post(reverse(f"operations:{name}", args=[999_999]), {"minutes": "5"}).status_code == 404
