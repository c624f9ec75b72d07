"""A call to a route of a script: the previews take what it says."""

import pytest
from django.test import Client
from django.urls import reverse

from dispatcher import services
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor
from efcp.script import services as script_routes
from efcp.script.models import KeptRoute
from tests.conftest import ClientAs

SELECT = 'route[to_media] {{ if (!ds_select_dst(3, 8, "f")) exit; {} t_relay(); }}\n'
ARMED = 't_on_failure("again");'
ONCE = (
    'failure_route[again] { ds_mark_dst("i"); if (ds_next_dst()) t_relay(); else t_reply(480, "Later"); }\n'
)
ALWAYS = ONCE.replace("{ ds_mark", '{ t_on_failure("again"); ds_mark')
NO_NEXT = 'failure_route[again] { t_reply(480, "Later"); }\n'


@pytest.fixture
def media(db: None) -> None:
    """Set 3 with three destinations."""
    for number in (1, 2, 3):
        services.add(DestinationRow(setid=3, destination=f"sip:10.0.0.{number}:5060"), Actor("somebody"))


def kept(client: Client, failing: str = ARMED, route: str = ONCE) -> KeptRoute:
    """Check a script on the page and keep its only route."""
    script = {"version": "3.4", "text": SELECT.format(failing) + route, "keep": "on"}
    assert client.post(reverse("script:check"), script).status_code == 200
    return KeptRoute.objects.get()


def steps_of(client: Client, route: KeptRoute) -> list[tuple[str, ...]]:
    """The steps shown for each failure of a call to this route."""
    page = client.get(reverse("preview:call"), {"route": str(route.pk), "failures": "3"})
    return [step.then for step in page.context["explained"].steps]


def test_a_checked_route_leads_to_its_preview(operator: Client, media: None) -> None:
    script = {"version": "3.4", "text": SELECT.format(ARMED) + ONCE}
    page = operator.post(reverse("script:check"), script).content.decode()
    assert f"{reverse('preview:call')}?setid=3&amp;algorithm=8&amp;flags=f&amp;threshold=1" in page


def test_a_picked_route_fills_the_question(operator: Client, media: None) -> None:
    form = operator.get(reverse("preview:call"), {"route": kept(operator).pk}).context["form"]
    assert [form[name].value() for name in ("setid", "algorithm", "flags")] == ["3", "8", "f"]


def test_what_is_typed_goes_before_the_routes_values(operator: Client, media: None) -> None:
    question = {"route": str(kept(operator).pk), "algorithm": "4"}
    assert operator.get(reverse("preview:call"), question).context["form"]["algorithm"].value() == "4"


def test_a_route_that_is_not_armed_again_sees_one_failure(operator: Client, media: None) -> None:
    first, second = steps_of(operator, kept(operator))
    assert first[0] == 'ds_mark_dst("i"): active to inactive'
    assert second == ("again is not armed again: the caller gets this reply",)


def test_a_route_that_is_armed_again_goes_on_to_the_last(operator: Client, media: None) -> None:
    steps = steps_of(operator, kept(operator, route=ALWAYS))
    assert len(steps) == 3
    assert steps[-1][-1] == "ds_next_dst() has no more destinations: the caller gets 480"


def test_a_route_that_tries_no_other_ends_at_once(operator: Client, media: None) -> None:
    assert steps_of(operator, kept(operator, route=NO_NEXT)) == [("No failover: the caller gets 480",)]


def test_without_a_failure_route_the_caller_gets_the_answer(operator: Client, media: None) -> None:
    (only,) = steps_of(operator, kept(operator, failing="", route=""))
    assert only == ("No failure route is armed: the caller gets this reply",)


def test_without_a_picked_route_failures_go_the_guide_s_way(operator: Client, media: None) -> None:
    page = operator.get(reverse("preview:call"), {"setid": "3", "algorithm": "8", "failures": "3"})
    assert [step.then[0][:16] for step in page.context["explained"].steps] == ['ds_mark_dst("p")'] * 3


@pytest.mark.parametrize("name", ["preview:distribution", "preview:algorithms"])
def test_the_other_previews_take_the_set_too(operator: Client, media: None, name: str) -> None:
    page = operator.get(reverse(name), {"route": kept(operator).pk})
    assert page.context["form"]["setid"].value() == "3"


def test_an_outage_takes_the_threshold(operator: Client) -> None:
    route = kept(operator)
    KeptRoute.objects.update(threshold=7)
    page = operator.get(reverse("preview:outage"), {"route": route.pk})
    assert page.context["form"]["threshold"].value() == "7"


@pytest.mark.parametrize("question", ["", "x", "999", "-1", "99999999999999"])
def test_a_route_that_is_not_kept_counts_as_not_requested(operator: Client, question: str) -> None:
    assert operator.get(reverse("preview:call"), {"route": question}).status_code == 200


def test_routes_of_a_script_of_the_same_name_are_replaced(operator: Client) -> None:
    first = kept(operator)
    second = kept(operator, route=ALWAYS)
    assert (second.pk != first.pk, second.armed_again) == (True, True)
    assert AuditRecord.objects.filter(subject_kind="script routes").count() == 2


def test_a_viewer_keeps_nothing(client_as: ClientAs) -> None:
    script = {"version": "3.4", "text": SELECT.format(""), "keep": "on"}
    assert client_as(Role.VIEWER).post(reverse("script:check"), script).status_code == 200
    assert not KeptRoute.objects.exists()


def test_what_is_kept_is_bounded(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_routes, "MAX_KEPT", 2)
    text = "".join(f"route[r{number}] {{ ds_select_dst({number}, 4); }}\n" for number in range(5))
    operator.post(reverse("script:check"), {"version": "3.4", "text": text, "keep": "on"})
    assert [route.name for route in KeptRoute.objects.all()] == ["r3", "r4"]


def test_numbers_that_no_column_holds_are_not_known(operator: Client) -> None:
    text = "route[a] { ds_select_dst(99999999999999, 4); }\n"
    operator.post(reverse("script:check"), {"version": "3.4", "text": text, "keep": "on"})
    assert KeptRoute.objects.get().setid is None
