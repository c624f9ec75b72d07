"""The pages of reload and live states: who may do what, and what they show."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from dispatcher.models import Destination
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.operations.models import ReloadOutcome, ReloadResult, ReloadRun, StateResult, StateRun
from efcp.operations.reload import views as reload_views
from efcp.proxies.models import KnownDestination, Proxy, State, WatcherHeartbeat
from tests.operations.playing_proxy import PlayingProxy
from tests.proxies.mi_server import listed, wait_until

ClientAs = Callable[[Role | None], Client]
AddRow = Callable[..., int]
Play = Callable[..., PlayingProxy]

URI = "sip:10.0.0.1:5060"
HOSTILE = "<script>alert('x')</script>{{ 7|add:1 }}"
OPERATORS = {Role.OPERATOR, Role.ADMINISTRATOR}
ALL = {Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR}
PAGES = {
    "reload": ("get", "reload", ALL),
    "reload it": ("post", "reload", OPERATORS),
    "a reload": ("get", "run", ALL),
    "state": ("get", "state", OPERATORS),
    "set it": ("post", "state", OPERATORS),
    "choose": ("post", "choose", OPERATORS),
    "look at a choice": ("get", "choose", OPERATORS),
    "set the chosen": ("post", "set-state", OPERATORS),
    "a setting": ("get", "state-run", ALL),
}


@pytest.fixture
def proxy(edge: PlayingProxy) -> Proxy:
    """The row of a proxy that holds URI in set 1, and the panel knows it."""
    edge.sets, edge.table = {1: [listed(URI)]}, {1: [URI]}
    return edge.remembered(edge.row())


@pytest.fixture
def operator(client_as: ClientAs) -> Client:
    """A client signed in as an operator."""
    return client_as(Role.OPERATOR)


@pytest.fixture
def reload_run(proxy: Proxy) -> ReloadRun:
    """A reload that ended well."""
    now = timezone.now()
    run = ReloadRun.objects.create(started_at=now, actor="somebody")
    ReloadResult.objects.create(
        run=run, proxy=proxy, outcome=ReloadOutcome.DONE, deadline=now, ended_at=now, took_ms=1.5
    )
    return run


@pytest.fixture
def state_run(proxy: Proxy) -> StateRun:
    """A setting that ended well."""
    now = timezone.now()
    run = StateRun.objects.create(started_at=now, actor="somebody", state=State.INACTIVE)
    StateResult.objects.create(run=run, proxy=proxy, setid=1, uri=URI, outcome="done", deadline=now)
    return run


@pytest.fixture
def address_of(reload_run: ReloadRun, state_run: StateRun, add_row: AddRow) -> Callable[[str], str]:
    """Return a function that gives a page's address."""
    row_id = add_row(URI)
    arguments = {"run": [reload_run.pk], "state": [row_id], "state-run": [state_run.pk]}
    return lambda name: reverse(f"operations:{name}", args=arguments.get(name, []))


def sent(proxy: Proxy, **more: Any) -> dict[str, Any]:
    """What both forms send, for this proxy."""
    rows = [str(pk) for pk in Destination.objects.values_list("pk", flat=True)]
    return {"proxy": [str(proxy.pk)], "inherit_state": "y", "state": "inactive", "id": rows, **more}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_a_page_is_open_to_its_roles_only(
    client_as: ClientAs,
    edge: PlayingProxy,
    proxy: Proxy,
    address_of: Callable[[str], str],
    page: str,
    role: Role | None,
) -> None:
    method, name, permitted = PAGES[page]
    client = client_as(role)
    edge.said.clear()
    response = getattr(client, method)(address_of(name), sent(proxy) if method == "post" else {})
    if role is None:
        assert response.headers["Location"].startswith(reverse("accounts:sign-in"))
    else:
        assert (response.status_code in {200, 302}) is (role in permitted)
        assert (response.status_code == 403) is (role not in permitted)
    if role not in permitted:
        assert edge.said == []


@pytest.mark.parametrize("name", [name for method, name, _ in PAGES.values() if method == "get"])
def test_a_get_changes_nothing_and_asks_no_proxy(
    client_as: ClientAs, edge: PlayingProxy, proxy: Proxy, address_of: Callable[[str], str], name: str
) -> None:
    client = client_as(Role.ADMINISTRATOR)
    counts = ReloadRun.objects.count(), StateRun.objects.count(), AuditRecord.objects.count()
    edge.said.clear()
    client.get(address_of(name), sent(proxy))
    assert (ReloadRun.objects.count(), StateRun.objects.count(), AuditRecord.objects.count()) == counts
    assert edge.said == []


@pytest.mark.parametrize("name", [name for method, name, _ in PAGES.values() if method == "post"])
def test_every_post_is_protected_from_other_sites(
    make_user: Callable[..., User],
    edge: PlayingProxy,
    proxy: Proxy,
    address_of: Callable[[str], str],
    name: str,
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(Role.ADMINISTRATOR))
    edge.said.clear()
    assert client.post(address_of(name), sent(proxy)).status_code == 403
    assert edge.said == []


@pytest.mark.parametrize("name", ["run", "state-run", "state"])
@pytest.mark.parametrize("number", [999_999, 0, 2**70])
def test_what_does_not_exist_is_not_found(
    operator: Client, edge: PlayingProxy, name: str, number: int
) -> None:
    assert operator.get(reverse(f"operations:{name}", args=[number])).status_code == 404


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


def test_rows_that_were_dropped_for_a_reason_of_the_proxys_own_are_accounted_for(
    operator: Client, edge: PlayingProxy, proxy: Proxy, add_row: AddRow
) -> None:
    add_row(URI)
    add_row("sip:no-such-name.invalid:5060")
    edge.discarded = 1
    page = operator.post(reverse("operations:reload"), sent(proxy), follow=True)
    assert [line.result.differs for line in page.context["lines"]] == [1]
    assert "count as still different" in page.content.decode()


def test_while_a_proxy_works_the_page_looks_again_by_itself(
    operator: Client, edge: PlayingProxy, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload_views, "WAIT_S", 0.05)
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


def test_the_second_who_reloads_is_led_to_the_reload_under_way_and_told_so(
    operator: Client,
    client_as: ClientAs,
    edge: PlayingProxy,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reload_views, "WAIT_S", 0.05)
    edge.reload_waits = True
    first = operator.post(reverse("operations:reload"), sent(proxy))
    second = client_as(Role.ADMINISTRATOR).post(reverse("operations:reload"), sent(proxy), follow=True)
    assert second.redirect_chain[0][0] == first["Location"]
    assert "A reload by operator was under way already" in second.content.decode()


def test_the_second_who_reloads_otherwise_is_told_what_the_reload_under_way_does(
    operator: Client, edge: PlayingProxy, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload_views, "WAIT_S", 0.05)
    edge.reload_waits = True
    operator.post(reverse("operations:reload"), sent(proxy))
    second = operator.post(reverse("operations:reload"), sent(proxy, inherit_state="n"), follow=True)
    assert "keeps the states in memory, other than you chose" in second.content.decode()


def test_a_proxy_to_begin_with_has_to_be_among_the_chosen(
    operator: Client, edge: PlayingProxy, proxy: Proxy
) -> None:
    other = Proxy.objects.create(name="other", mi_url="http://127.0.0.1:9/mi")
    response = operator.post(reverse("operations:reload"), sent(proxy, first=str(other.pk)))
    assert response.status_code == 422
    assert "not among those chosen" in response.content.decode()
    assert edge.commands_of("ds_reload") == []


def test_one_proxy_of_several_can_be_reloaded_first(operator: Client, proxy: Proxy) -> None:
    Proxy.objects.create(name="another", mi_url="http://127.0.0.1:9/mi")
    assert "edge-1 alone, the others only" in operator.get(reverse("operations:reload")).content.decode()
    page = operator.post(reverse("operations:reload"), sent(proxy, first=str(proxy.pk)), follow=True)
    assert "edge-1 first, the others only" in page.content.decode()


def test_a_state_form_that_is_sent_twice_is_done_once(
    operator: Client, edge: PlayingProxy, proxy: Proxy, add_row: AddRow
) -> None:
    address = reverse("operations:state", args=[add_row(URI)])
    form_key = operator.get(address).context["form"]["form_key"].value()
    first = operator.post(address, sent(proxy, state="probing", form_key=form_key))
    second = operator.post(address, sent(proxy, state="probing", form_key=form_key), follow=True)
    assert second.redirect_chain[0][0] == first["Location"]
    assert "This was sent twice and done once" in second.content.decode()
    assert len(edge.commands_of("ds_set_state")) == 1


def test_each_state_form_can_be_sent(
    operator: Client, edge: PlayingProxy, proxy: Proxy, add_row: AddRow
) -> None:
    address = reverse("operations:state", args=[add_row(URI)])
    for _time in range(2):
        page = operator.get(address)
        form_key = page.context["form"]["form_key"].value()
        assert f'value="{form_key}"' in page.content.decode()
        operator.post(address, sent(proxy, state="probing", form_key=form_key))
    assert len(edge.commands_of("ds_set_state")) == 2


def test_a_reload_whose_process_died_reads_as_unknown(operator: Client, proxy: Proxy) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    run = ReloadRun.objects.create(started_at=long_ago, actor="somebody")
    ReloadResult.objects.create(run=run, proxy=proxy, outcome=ReloadOutcome.RUNNING, deadline=long_ago)
    page = operator.get(reverse("operations:run", args=[run.pk])).content.decode()
    assert "Unknown, still running" in page
    assert "hx-trigger" not in page.split('id="results"')[1]


def test_a_row_that_would_break_a_reload_is_told_before(
    operator: Client, edge: PlayingProxy, add_row: AddRow
) -> None:
    add_row(URI, weight="heavy")
    edge.version = "OpenSIPS (3.6.8 (x86_64/linux))"
    edge.remembered(edge.row())
    assert "Its whole reload would fail" in operator.get(reverse("operations:reload")).content.decode()


def test_without_a_proxy_chosen_nothing_is_sent(operator: Client, edge: PlayingProxy, proxy: Proxy) -> None:
    response = operator.post(reverse("operations:reload"), {"inherit_state": "y"})
    assert response.status_code == 422
    assert "Choose a proxy." in response.content.decode()
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
    operator: Client, edge: PlayingProxy, proxy: Proxy, wrong: dict[str, str]
) -> None:
    response = operator.post(reverse("operations:reload"), sent(proxy) | wrong)
    assert response.status_code == 422
    assert edge.commands_of("ds_reload") == []


@pytest.mark.parametrize(
    "wrong", [{"proxy": "4711"}, {"state": "asleep"}, {"state": ""}, {"reason": "r" * 256}]
)
def test_a_wrong_value_sets_nothing(
    operator: Client, edge: PlayingProxy, proxy: Proxy, add_row: AddRow, wrong: dict[str, str]
) -> None:
    address = reverse("operations:state", args=[add_row(URI)])
    assert operator.post(address, sent(proxy) | wrong).status_code == 422
    assert edge.commands_of("ds_set_state") == []


def test_the_reason_that_was_typed_comes_back_after_the_session_ended(
    client_as: ClientAs, proxy: Proxy, make_user: Callable[..., User]
) -> None:
    client = client_as(None)
    client.post(reverse("operations:reload"), sent(proxy, inherit_state="n", reason="new gateway"))
    client.force_login(make_user(Role.OPERATOR))
    form = client.get(reverse("operations:reload")).context["form"]
    assert (form["reason"].value(), form["inherit_state"].value()) == ("new gateway", "n")
    assert form["proxy"].value() == [str(proxy.pk)]


def test_rows_that_were_chosen_come_back_after_the_session_ended(
    client_as: ClientAs, proxy: Proxy, make_user: Callable[..., User], add_row: AddRow
) -> None:
    row_id = add_row(URI)
    client = client_as(None)
    choose = reverse("operations:choose")
    client.post(choose, {"id": [str(row_id)]})
    client.force_login(make_user(Role.OPERATOR))
    assert [line.row.pk for line in client.get(choose).context["lines"]] == [row_id]


def test_setting_inactive_shows_before_and_after_and_goes_on_watching(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    page = operator.post(reverse("operations:state", args=[add_row(URI)]), sent(proxy), follow=True)
    (line,) = page.context["lines"]
    assert (line.result.state_before, line.result.state_after) == ("active", "inactive")
    assert "Watching for half a minute" in page.content.decode()


def test_where_the_watcher_does_not_run_the_page_says_that_nobody_watches(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    WatcherHeartbeat.objects.update(beat_at=timezone.now() - timedelta(hours=1))
    page = operator.post(reverse("operations:state", args=[add_row(URI)]), sent(proxy), follow=True)
    assert "The watcher does not run" in page.content.decode()


def test_one_confirmation_names_the_sets_that_would_be_left_empty(
    operator: Client, proxy: Proxy, add_row: AddRow
) -> None:
    page = operator.post(reverse("operations:choose"), {"id": [str(add_row(URI))]}).content.decode()
    assert "nothing takes the calls of" in page
    assert "set 1 on edge-1" in page


def test_a_proxy_of_which_nothing_is_known_is_not_said_to_lack_a_destination(
    operator: Client, edge: PlayingProxy, add_row: AddRow
) -> None:
    edge.row()
    page = operator.get(reverse("operations:state", args=[add_row(URI)])).content.decode()
    assert "Unknown" in page
    assert "Not in memory" not in page


def test_more_than_can_be_set_at_once_is_said(operator: Client, proxy: Proxy, add_row: AddRow) -> None:
    for number in range(201):
        add_row(f"sip:gw.example:{6000 + number}", setid=9)
    page = operator.get(reverse("operations:choose"), {"host": "gw.example"})
    assert len(page.context["lines"]) == 200
    assert "201 destinations were asked for" in page.content.decode()


def test_a_destination_that_is_held_twice_is_said_to_be_ambiguous(
    operator: Client, edge: PlayingProxy, add_row: AddRow
) -> None:
    edge.sets = {1: [listed(URI), listed(URI)]}
    edge.remembered(edge.row())
    page = operator.get(reverse("operations:state", args=[add_row(URI)])).content.decode()
    assert "it changes the first" in page


@pytest.mark.parametrize("name", ["reload", "state"])
def test_the_sandbox_is_offered_and_not_chosen_where_it_is_no_part_of_all_proxies(
    operator: Client, proxy: Proxy, address_of: Callable[[str], str], settings: Settings, name: str
) -> None:
    settings.SANDBOX_IS_PART_OF_ALL = False
    sandbox = Proxy.objects.create(name="box", mi_url="http://127.0.0.1:9/mi", is_sandbox=True)
    offered = operator.get(address_of(name)).context["form"]["proxy"]
    assert {value for value, _label in offered.field.choices} == {str(proxy.pk), str(sandbox.pk)}
    assert offered.value() == [str(proxy.pk)]


@pytest.mark.parametrize("name", ["reload", "run", "state", "state-run"])
def test_the_pages_say_that_a_proxy_is_the_sandbox(
    operator: Client, proxy: Proxy, address_of: Callable[[str], str], name: str
) -> None:
    Proxy.objects.update(is_sandbox=True)
    page = operator.get(address_of(name)).content.decode()
    assert "sandbox" in page.split("<main", 1)[1]


@pytest.mark.parametrize("name", ["reload", "run", "state", "state-run"])
def test_hostile_texts_are_shown_inert(
    operator: Client, proxy: Proxy, address_of: Callable[[str], str], add_row: AddRow, name: str
) -> None:
    address = address_of(name)
    Destination.objects.update(description=HOSTILE[:64])
    add_row(f"sip:10.0.0.3;x={HOSTILE}", setid=2, attrs=HOSTILE)
    KnownDestination.objects.update(uri=f"sip:{HOSTILE}", uri_key=f"sip:{HOSTILE}", description=HOSTILE)
    Proxy.objects.update(name=HOSTILE)
    ReloadRun.objects.update(actor=HOSTILE, reason=HOSTILE)
    ReloadResult.objects.update(message=HOSTILE, report=HOSTILE, read_back_problem=HOSTILE)
    StateRun.objects.update(actor=HOSTILE, reason=HOSTILE)
    StateResult.objects.update(message=HOSTILE, uri=HOSTILE)
    page = operator.get(address).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "{{ 7|add:1 }}" in page
