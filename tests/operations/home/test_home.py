"""The home page: what is wrong first, what it costs, who sees what."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import DjangoAssertNumQueries

from dispatcher import services
from efcp.accounts.models import StartPage, User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.modules.registry import ReloadOutcome
from efcp.operations.home.navigation import GROUPS
from efcp.operations.home.selectors import Home
from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy, Phase
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.proxies.models import Proxy, ProxyContact, StateChange, TryOutcome, WatcherHeartbeat
from tests.conftest import ClientAs
from tests.factories import ProxyFactory, ReloadResultFactory, ReloadRunFactory
from tests.operations.conftest import SOMEBODY, URI
from tests.operations.fake_proxy import FakeProxy
from tests.proxies.mi_server import listed

OTHER = "sip:10.0.0.2:5060"
HOME = "/cp/"
FRAGMENT = {"HX-Request": "true", "HX-Target": "now"}


def hold(edge: FakeProxy, name: str = "edge-1", **states: str) -> Proxy:
    """Have the panel know a proxy that holds set 1 in these states (a: URI, b: OTHER)."""
    uris = {"a": URI, "b": OTHER}
    edge.sets = {1: [listed(uris[letter], state) for letter, state in states.items()]}
    known = Proxy.objects.filter(name=name).first()
    return edge.remembered(known or edge.row(name))


def fall_silent(name: str) -> None:
    ProxyContact.objects.filter(proxy__name=name).update(
        failing_since=timezone.now(), outcome=TryOutcome.REFUSED
    )


def shown(client: Client) -> Home:
    home: Home = client.get(HOME).context["home"]
    return home


def polled(client: Client, home: Home) -> Any:
    return client.get(HOME, headers=FRAGMENT | {"If-None-Match": f'"{home.version}"'})


def reload_on(proxy: Proxy, outcome: ReloadOutcome, message: str = "") -> ReloadRun:
    now = timezone.now()
    run = ReloadRunFactory.create(started_at=now, actor="ada")
    ReloadResultFactory.create(
        run=run, proxy=proxy, outcome=outcome, message=message, ended_at=now, deadline=now
    )
    return run


def test_a_set_without_an_active_destination_is_the_headline(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Probing", b="Inactive")
    home = shown(viewer)
    assert (home.level, home.headline) == ("bad", "Set 1 takes no calls")
    assert [each.setid for each in home.burning] == [1]


def test_the_headline_names_the_sets_that_take_no_calls(edge: FakeProxy, viewer: Client) -> None:
    services.name_set(2, "Recording", SOMEBODY)
    edge.sets = {setid: [listed(URI, "Probing")] for setid in range(1, 6)}
    edge.remembered(edge.row())
    assert shown(viewer).headline == "5 sets take no calls: 1, 2 · Recording, 3 and 2 more"


def test_a_calm_site_is_one_line(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Active", b="Active")
    home = shown(viewer)
    assert (home.level, home.headline, home.further) == ("good", "The only set fully active on edge-1", ())
    assert not home.problems


def test_what_is_worse_comes_first(play: Callable[..., FakeProxy], viewer: Client) -> None:
    hold(play(), "edge-1", a="Active", b="Probing")
    hold(play(), "edge-2", a="Active", b="Active")
    fall_silent("edge-2")
    home = shown(viewer)
    assert home.headline == "edge-2 refuses the connection"
    assert home.further == ("1 set impaired on edge-1 (1 of 2 proxies)",)


def test_a_silent_proxy_makes_no_set_burn(play: Callable[..., FakeProxy], viewer: Client) -> None:
    hold(play(), "edge-1", a="Active")
    hold(play(), "edge-2", a="Active")
    fall_silent("edge-2")
    home = shown(viewer)
    assert (home.burning, [each.setid for each in home.tiles], home.fully_active) == ((), [1], 0)


def test_many_silent_proxies_are_one_problem(db: None, viewer: Client) -> None:
    now = timezone.now()
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": now, "beat_at": now})
    for number in range(100):
        ProxyFactory.create(name=f"edge-{number:03}-{'x' * 50}", mi_url="http://h/mi")
    [problem] = shown(viewer).problems
    assert problem.title == "100 of 100 proxies are not responding"


def test_a_dead_watcher_and_a_stuck_worker_are_problems(proxy: Proxy, viewer: Client) -> None:
    long_ago = timezone.now() - timedelta(minutes=11)
    WatcherHeartbeat.objects.update(beat_at=long_ago)
    ProxyContact.objects.update(answered_at=long_ago)
    task = DBTaskResult.objects.create(task_path="x", args_kwargs={}, queue_name="default", backend_name="x")
    DBTaskResult.objects.filter(pk=task.pk).update(enqueued_at=long_ago)
    titles = [each.title for each in shown(viewer).problems]
    assert titles[:2] == ["The watcher is not running", "The worker is not running"]


def test_a_failed_reload_is_a_problem_until_one_succeeds(proxy: Proxy, viewer: Client) -> None:
    run = reload_on(proxy, ReloadOutcome.REFUSED, "no memory")
    [problem] = shown(viewer).problems
    assert (problem.title, problem.detail) == ("Dispatcher reload failed on edge-1", "Refused: no memory")
    assert problem.url == run.get_absolute_url()
    reload_on(proxy, ReloadOutcome.DONE)
    assert shown(viewer).problems == ()


def test_maintenance_shows_its_end_and_when_that_has_passed(proxy: Proxy, viewer: Client) -> None:
    now = timezone.now()
    planned = Maintenance.objects.create(
        destination_id=1,
        setid=1,
        uri=URI,
        reason="disk",
        actor="ada",
        begins_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=1),
    )
    MaintenanceOnProxy.objects.create(maintenance=planned, proxy=proxy, step=Phase.OUT)
    page = viewer.get(HOME).text
    assert "Until" in page
    assert "disk" in page
    Maintenance.objects.update(ends_at=now - timedelta(minutes=1))
    assert [each.title for each in shown(viewer).problems] == [f"Maintenance of {URI} is overdue"]


def test_changes_that_are_alike_are_one_event(proxy: Proxy, viewer: Client) -> None:
    at = timezone.now()
    for number in range(30):
        StateChange.objects.create(
            proxy=proxy,
            partition="default",
            setid=1,
            uri=f"sip:10.0.1.{number}",
            uri_key=f"sip:10.0.1.{number}",
            at=at,
            state_before="active",
            state_after="probing",
        )
    events = [each for each in shown(viewer).events if each.kind == "state"]
    assert [(each.what, each.state) for each in events] == [("30 destinations", "probing")]


def test_events_name_who_changed_what_and_where_a_reload_failed(
    proxy: Proxy, add_row: Callable[..., int], viewer: Client
) -> None:
    add_row("sip:10.0.0.9")
    reload_on(proxy, ReloadOutcome.NOT_REACHED)
    events = {(each.who, each.words, each.what, each.where) for each in shown(viewer).events}
    assert ("somebody", "added", "sip:10.0.0.9 in set 1", "") in events
    assert ("ada", "reloaded", "Dispatcher", "failed on edge-1") in events


def test_looking_again_costs_one_query_while_nothing_changed(
    proxy: Proxy, viewer: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    home = shown(viewer)
    with django_assert_num_queries(2):  # the session with its user, and one for everything else
        response = polled(viewer, home)
    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize("change", ["record", "state", "reload", "settled", "silence", "watcher", "job"])
def test_whatever_changes_is_fetched(proxy: Proxy, viewer: Client, change: str) -> None:
    reload_on(proxy, ReloadOutcome.UNKNOWN)
    home = shown(viewer)
    assert polled(viewer, home).status_code == 304
    long_ago = timezone.now() - timedelta(hours=1)
    match change:
        case "record":
            services.name_set(1, "Media", SOMEBODY)
        case "state":
            ProxyContact.objects.update(sets_digest="another")
        case "reload":
            reload_on(proxy, ReloadOutcome.DONE)
        case "settled":
            ReloadResult.objects.update(outcome=ReloadOutcome.DONE, reconciled_at=timezone.now())
        case "silence":
            fall_silent("edge-1")
        case "watcher":
            WatcherHeartbeat.objects.update(beat_at=long_ago)
            ProxyContact.objects.update(answered_at=long_ago)
        case "job":
            task = DBTaskResult.objects.create(
                task_path="x", args_kwargs={}, queue_name="default", backend_name="x"
            )
            DBTaskResult.objects.filter(pk=task.pk).update(enqueued_at=long_ago)
    response = polled(viewer, home)
    assert response.status_code == 200
    assert "<html" not in response.text


def test_the_page_takes_as_many_queries_for_one_set_as_for_many(
    edge: FakeProxy, viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    edge.sets = {setid: [listed(URI, "Probing"), listed(OTHER)] for setid in range(1, 80)}
    edge.remembered(edge.row())
    with django_assert_max_num_queries(26):
        page = viewer.get(HOME)
    assert page.context["home"].headline == "79 sets impaired on edge-1"
    assert len(page.context["home"].burning) == 12
    assert "67 more sets with problems" in " ".join(page.text.split())


def test_a_wall_has_no_controls(edge: FakeProxy, viewer: Client) -> None:
    hold(edge, a="Probing")
    page = viewer.get(f"{HOME}?wall").text
    main = page.partition("<main")[2]
    assert "Set 1 takes no calls" in main
    assert "href=" not in main
    assert "<button" not in page
    assert 'hx-get="/cp/?wall"' in main
    assert "<nav" not in page


def test_what_is_not_loaded_is_counted_for_both_modules(
    proxy: Proxy, add_row: Callable[..., int], viewer: Client
) -> None:
    add_row(URI)
    add_row("sip:10.0.0.9")
    page = " ".join(viewer.get(reverse("panel:pending")).text.split())
    assert '<b class="figure-warning">1</b> destination change not loaded' in page


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_who_sees_the_home(client_as: ClientAs, role: Role | None) -> None:
    client = client_as(role)
    for address in (HOME, f"{HOME}?wall", reverse("panel:pending")):
        assert client.get(address).status_code == (302 if role is None else 200)
    assert client.post(reverse("panel:hide-first-steps")).status_code == 302


def test_nothing_at_all_is_no_error(db: None, viewer: Client) -> None:
    home = shown(viewer)
    assert (home.level, home.headline) == ("empty", "No proxy yet")
    assert polled(viewer, home).status_code == 304


def test_first_steps_lead_to_a_proxy_with_the_lines_of_the_writer(db: None, client_as: ClientAs) -> None:
    page = client_as(Role.ADMINISTRATOR).get(HOME).text
    assert "First steps" in page
    assert "loadmodule &quot;mi_http.so&quot;" in page


def test_first_steps_are_for_administrators_until_each_puts_them_away(
    db: None, client_as: ClientAs, make_user: Callable[..., User]
) -> None:
    assert "First steps" not in client_as(Role.OPERATOR).get(HOME).text
    ada, administrator = Client(), client_as(Role.ADMINISTRATOR)
    ada.force_login(make_user(Role.ADMINISTRATOR, "ada"))
    administrator.post(reverse("panel:hide-first-steps"))
    assert "First steps" not in administrator.get(HOME).text
    assert "First steps" in ada.get(HOME).text
    assert AuditRecord.objects.get(action="preferences").subject_label == "administrator"


def test_a_step_that_is_done_is_followed_by_the_next(proxy: Proxy, client_as: ClientAs) -> None:
    steps = client_as(Role.ADMINISTRATOR).get(HOME).context["first_steps"]
    assert [step.is_done for step in steps.steps] == [True, True, False, False, False, False, False]
    assert steps.next.title == "Add a destination"


def test_the_root_leads_to_the_page_that_the_user_starts_on(db: None, client_as: ClientAs) -> None:
    viewer = client_as(Role.VIEWER)
    assert viewer.get("/").headers["Location"] == HOME
    User.objects.update(start_page=StartPage.BOARD)
    assert viewer.get("/").headers["Location"] == reverse("operations:board")
    User.objects.update(start_page="gone:page")
    assert viewer.get("/").headers["Location"] == HOME


@pytest.mark.parametrize(
    "place", [place for _heading, group in GROUPS for place in group], ids=lambda each: each.view
)
def test_the_navigation_marks_its_own_page(db: None, client_as: ClientAs, place: Any) -> None:
    page = client_as(Role.ADMINISTRATOR).get(reverse(place.view), follow=True).text
    navigation = page.partition('<nav id="navigation"')[2].partition("</nav>")[0]
    marked = [part.partition(">")[2].partition("<")[0] for part in navigation.split(" aria-current=")[1:]]
    assert marked == [place.label]


def test_preferences_are_kept_and_used(db: None, client_as: ClientAs) -> None:
    viewer = client_as(Role.VIEWER)
    chosen = {"theme": "dark", "density": "compact", "page_size": "100", "start_page": "dialplan:list"}
    assert viewer.post(reverse("accounts:preferences"), chosen).status_code == 302
    page = viewer.get(reverse("dispatcher:list"))
    assert 'data-theme="dark" data-density="compact"' in page.text
    assert page.context["page"].query.size == 100
    assert viewer.get(reverse("dispatcher:list") + "?size=50").context["page"].query.size == 50
    assert viewer.get("/").headers["Location"] == reverse("dialplan:list")
    assert viewer.post(reverse("accounts:preferences"), chosen | {"theme": "pink"}).status_code == 422
    assert AuditRecord.objects.filter(action="preferences").count() == 1


def test_signing_in_leads_to_the_start_page(db: None, client_as: ClientAs) -> None:
    client_as(Role.VIEWER)
    User.objects.update(start_page=StartPage.PROXIES)
    form = {"username": "viewer", "password": "long-enough-1"}
    landed = Client().post(reverse("accounts:sign-in"), form | {"next": HOME})
    assert landed.headers["Location"] == reverse("proxies:list")
    landed = Client().post(reverse("accounts:sign-in"), form | {"next": "/cp/audit/"})
    assert landed.headers["Location"] == "/cp/audit/"


def test_after_adding_a_reload_is_one_click_away(db: None, client_as: ClientAs) -> None:
    administrator = client_as(Role.ADMINISTRATOR)
    row = {
        "setid": "3",
        "destination": "sip:10.0.0.77",
        "state": "0",
        "weight": "1",
        "probe_mode": "0",
        "priority": "0",
    }
    page = administrator.post(reverse("dispatcher:add"), row, follow=True).text
    assert f'href="{reverse("operations:reload")}">Reload now</a>' in page
    landed = administrator.post(
        reverse("dispatcher:add"), row | {"destination": "sip:10.0.0.78", "and_reload": "1"}
    )
    assert landed.headers["Location"] == reverse("operations:reload")


def test_a_changed_role_changes_the_links_at_once(client_as: ClientAs) -> None:
    """The links are kept from page to page, by what they show."""
    client = client_as(Role.VIEWER)
    assert reverse("accounts:users") not in _links(client)
    User.objects.update(role=Role.ADMINISTRATOR)
    assert reverse("accounts:users") in _links(client)
    User.objects.update(role=Role.VIEWER)
    assert reverse("accounts:users") not in _links(client)


def _links(client: Client) -> str:
    page = client.get(reverse("audit:list")).content.decode()
    return page.partition('<nav id="navigation"')[2].partition("</nav>")[0]
