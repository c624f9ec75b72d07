"""What a change would do, shown where it is made."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dispatcher.models import Destination
from dispatcher.routing.destinations import LiveSet
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.preview.impact.selectors import CALLS, ImpactReport, impact_of
from efcp.proxies.models import Proxy
from tests.conftest import ClientAs
from tests.operations.fake_proxy import Play
from tests.proxies.mi_server import listed

A, B, C = (f"sip:192.0.2.{number}:5060" for number in (1, 2, 3))
ENVIRONMENT = Environment(resolve=lambda _host, _port, _transport: ("192.0.2.1",))


def set_of(*members: tuple[str, int, int]) -> LiveSet:
    """A set of these URIs, weights and states."""
    memory = ProxyMemory(ENVIRONMENT)
    memory.reload(DestinationRow(1, uri, weight=str(weight), state=state) for uri, weight, state in members)
    return memory.sets[1]


def row(uri: str, setid: int = 1, **columns: Any) -> Destination:
    """A row of the table."""
    return Destination.objects.create(
        setid=setid, destination=uri, **({"attrs": "", "description": ""} | columns)
    )


def report_of(response: Any) -> ImpactReport:
    """The fragment's values."""
    assert response.status_code == 200
    report: ImpactReport = response.context["report"]
    return report


def test_a_weight_that_is_raised_takes_calls_from_the_others() -> None:
    found = impact_of(1, set_of((A, 1, 0), (B, 1, 0)), set_of((A, 3, 0), (B, 1, 0)))
    assert [(each.uri, each.before, each.after) for each in found.shares] == [(A, 50, 75), (B, 50, 25)]
    assert 0 < found.moved < CALLS
    assert {(move.before, move.after) for move in found.moves} <= {(A, B), (B, A)}


def test_nothing_moves_where_nothing_changes() -> None:
    same = set_of((A, 1, 0), (B, 1, 0))
    assert impact_of(1, same, same).is_none


def test_the_last_active_one_takes_over_everything() -> None:
    found = impact_of(1, set_of((A, 1, 0), (B, 1, 0)), set_of((A, 1, 1), (B, 1, 0)))
    assert f"{B} takes all calls of the set." in found.warnings


def test_who_inherits_under_the_first_entry_and_under_round_robin() -> None:
    before = set_of((A, 1, 0), (B, 1, 0), (C, 1, 0))
    found = impact_of(1, before, set_of((A, 1, 2), (B, 1, 0), (C, 1, 0)))
    assert found.warnings == (
        f"With algorithm 8 (first entry), {B} takes all calls of {A}.",
        f"With round robin (4), {B} alone takes over the turns of {A}.",
    )


@pytest.mark.parametrize("after", [None, "down"])
def test_a_set_that_nobody_serves_any_more_is_shown(after: str | None) -> None:
    found = impact_of(1, set_of((A, 1, 0)), set_of((A, 1, 1)) if after else None)
    assert found.moved == CALLS
    assert "fails for every call" in found.warnings[0]


def test_the_form_as_it_is_typed(viewer: Client) -> None:
    mine = row(A, weight="1")
    row(B, weight="1")
    typed = {"setid": "1", "destination": A, "weight": "3", "state": "0", "probe_mode": "0", "priority": "0"}
    [found] = report_of(viewer.post(reverse("preview:impact-edit", args=[mine.pk]), typed)).impacts
    assert [(each.uri, each.after) for each in found.shares] == [(A, 75), (B, 25)]


def test_a_new_row_and_a_row_that_moves_to_another_set(viewer: Client) -> None:
    mine = row(A)
    row(B)
    added = {"setid": "1", "destination": C, "weight": "2"}
    [found] = report_of(viewer.post(reverse("preview:impact-add"), added)).impacts
    assert {each.uri: each.after for each in found.shares}[C] == 50
    moved = {"setid": "7", "destination": A, "weight": "1"}
    impacts = report_of(viewer.post(reverse("preview:impact-edit", args=[mine.pk]), moved)).impacts
    assert {each.setid for each in impacts} == {1, 7}


@pytest.mark.parametrize("typed", [{"setid": "x", "destination": A}, {"setid": "1", "destination": " "}, {}])
def test_what_is_no_row_yet_shows_nothing(viewer: Client, typed: dict[str, str]) -> None:
    response = viewer.post(reverse("preview:impact-add"), typed)
    assert (response.status_code, response.content) == (200, b"")


def test_a_row_that_would_break_the_reload_is_shown_without_its_password(viewer: Client) -> None:
    row(A)
    row("")
    report = report_of(
        viewer.post(
            reverse("preview:impact-add"), {"setid": "1", "destination": B, "weight": "fs://:secret@h:1"}
        )
    )
    assert "reload would fail" in report.problems[0]
    assert "secret" not in str(report)


def test_deleting_leaves_the_calls_to_the_others(viewer: Client) -> None:
    mine = row(A)
    row(B)
    page = viewer.get(reverse("preview:impact-delete", args=[mine.pk]))
    [found] = report_of(page).impacts
    assert {each.uri: (each.before, each.after) for each in found.shares} == {A: (50, None), B: (50, 100)}
    assert "takes all calls" in page.text


@pytest.fixture
def edge(play: Play) -> Proxy:
    """A proxy that holds A and B in set 1, and the panel knows it."""
    playing = play(sets={1: [listed(A, weight=1, priority=0), listed(B, weight=1, priority=0)]})
    return playing.remembered(playing.row())


def test_a_state_shows_what_happens_at_once(edge: Proxy, viewer: Client) -> None:
    mine = row(A)
    report = report_of(
        viewer.post(reverse("preview:impact-state"), {"id": [str(mine.pk)], "state": "inactive"})
    )
    [found] = report.impacts
    assert {each.uri: each.after for each in found.shares} == {A: 0, B: 100}
    assert report.source == f"live on {edge.name}"
    Destination.objects.all().delete()


def test_a_reload_shows_the_sets_that_change(edge: Proxy, viewer: Client) -> None:
    for uri, weight in ((A, "3"), (B, "1")):
        row(uri, weight=weight)
    row(C, setid=2)
    report = report_of(viewer.get(reverse("preview:impact-reload")))
    assert [each.setid for each in report.impacts] == [2, 1]
    Destination.objects.all().delete()


def test_without_a_proxy_a_state_has_no_impact_to_show(viewer: Client) -> None:
    mine = row(A)
    report = report_of(
        viewer.post(reverse("preview:impact-state"), {"id": [str(mine.pk)], "state": "inactive"})
    )
    assert "No proxy is responding" in report.problems[0]


@pytest.mark.parametrize("address", ["impact-add", "impact-state"])
def test_a_fragment_that_is_posted_changes_nothing_and_needs_its_token(
    client_as: ClientAs, address: str, db: None
) -> None:
    client = client_as(Role.VIEWER)
    client.handler.enforce_csrf_checks = True
    assert client.post(reverse(f"preview:{address}"), {}).status_code == 403


@pytest.mark.parametrize(
    "name", ["impact-add", "impact-edit", "impact-state", "impact-delete", "impact-reload"]
)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_everybody_who_is_signed_in_may_look(
    client_as: ClientAs, role: Role | None, name: str, db: None
) -> None:
    mine = row(A)
    arguments = [mine.pk] if name in {"impact-edit", "impact-delete"} else []
    method = "get" if name in {"impact-delete", "impact-reload"} else "post"
    response = getattr(client_as(role), method)(reverse(f"preview:{name}", args=arguments))
    assert response.status_code == (200 if role else 302)
    assert Destination.objects.count() == 1


def test_a_row_that_is_gone_is_not_found(viewer: Client) -> None:
    assert viewer.get(reverse("preview:impact-delete", args=[999_999])).status_code == 404
