"""The pages of reload and live states: who may do what, and what stays inert."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from dispatcher.models import Destination
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.operations.states.models import StateResult, StateRun
from efcp.proxies.models import KnownDestination, KnownState, Proxy
from tests.conftest import AddRow, ClientAs
from tests.factories import ProxyFactory
from tests.operations.fake_proxy import FakeProxy
from tests.operations.forms import sent

URI = "sip:10.0.0.1:5060"
HOSTILE = "<script>alert('x')</script>{{ 7|add:1 }}"
OPERATORS = {Role.OPERATOR, Role.ADMINISTRATOR}
ALL = {Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR}
PAGES = {
    "the board": ("get", "board", ALL),
    "a destination": ("get", "destination", ALL),
    "reload": ("get", "reload", ALL),
    "reload it": ("post", "reload", OPERATORS),
    "a reload": ("get", "run", ALL),
    "state": ("get", "state", OPERATORS),
    "set it": ("post", "state", OPERATORS),
    "choose": ("post", "choose", OPERATORS),
    "look at a choice": ("get", "choose", OPERATORS),
    "find everything": ("get", "everything", OPERATORS),
    "set the chosen": ("post", "set-state", OPERATORS),
    "a setting": ("get", "state-run", ALL),
    "undo it": ("post", "undo-state", OPERATORS),
}


@pytest.fixture
def state_run(proxy: Proxy) -> StateRun:
    """A setting that ended well."""
    now = timezone.now()
    run = StateRun.objects.create(started_at=now, actor="somebody", state=KnownState.INACTIVE)
    StateResult.objects.create(run=run, proxy=proxy, setid=1, uri=URI, outcome="done", deadline=now)
    return run


@pytest.fixture
def address_of(reload_run: ReloadRun, state_run: StateRun, add_row: AddRow) -> Callable[[str], str]:
    """Return a function that gives a page's address."""
    row_id = add_row(URI)
    arguments = {
        "run": [reload_run.pk],
        "state": [row_id],
        "destination": [row_id],
        "state-run": [state_run.pk],
        "undo-state": [state_run.pk],
    }
    return lambda name: reverse(f"operations:{name}", args=arguments.get(name, []))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_a_page_is_open_to_its_roles_only(
    client_as: ClientAs,
    edge: FakeProxy,
    proxy: Proxy,
    address_of: Callable[[str], str],
    page: str,
    role: Role | None,
) -> None:
    method, name, permitted = PAGES[page]
    client = client_as(role)
    edge.calls.clear()
    response = getattr(client, method)(address_of(name), sent(proxy) if method == "post" else {})
    if role is None:
        assert response.headers["Location"].startswith(reverse("accounts:sign-in"))
    else:
        assert (response.status_code in {200, 302}) is (role in permitted)
        assert (response.status_code == 403) is (role not in permitted)
    if role not in permitted:
        assert edge.calls == []


@pytest.mark.parametrize("name", [name for method, name, _ in PAGES.values() if method == "get"])
def test_a_get_changes_nothing_and_contacts_no_proxy(
    client_as: ClientAs, edge: FakeProxy, proxy: Proxy, address_of: Callable[[str], str], name: str
) -> None:
    client = client_as(Role.ADMINISTRATOR)
    counts = ReloadRun.objects.count(), StateRun.objects.count(), AuditRecord.objects.count()
    edge.calls.clear()
    client.get(address_of(name), sent(proxy))
    assert (ReloadRun.objects.count(), StateRun.objects.count(), AuditRecord.objects.count()) == counts
    assert edge.calls == []


@pytest.mark.parametrize("name", [name for method, name, _ in PAGES.values() if method == "post"])
def test_every_post_is_protected_from_other_sites(
    make_user: Callable[..., User],
    edge: FakeProxy,
    proxy: Proxy,
    address_of: Callable[[str], str],
    name: str,
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(Role.ADMINISTRATOR))
    edge.calls.clear()
    assert client.post(address_of(name), sent(proxy)).status_code == 403
    assert edge.calls == []


@pytest.mark.parametrize("name", ["run", "state-run", "state", "destination"])
@pytest.mark.parametrize("number", [999_999, 0, 2**70])
def test_what_does_not_exist_is_not_found(operator: Client, edge: FakeProxy, name: str, number: int) -> None:
    assert operator.get(reverse(f"operations:{name}", args=[number])).status_code == 404


@pytest.mark.parametrize("name", ["reload", "state"])
def test_the_sandbox_is_offered_and_not_chosen_where_it_is_no_part_of_all_proxies(
    operator: Client, proxy: Proxy, address_of: Callable[[str], str], settings: Settings, name: str
) -> None:
    settings.SANDBOX_IS_PART_OF_ALL = False
    sandbox = ProxyFactory.create(name="box", is_sandbox=True)
    offered = operator.get(address_of(name)).context["form"]["proxy"]
    assert {value for value, _label in offered.field.choices} == {str(proxy.pk), str(sandbox.pk)}
    assert offered.value() == [str(proxy.pk)]


@pytest.mark.parametrize("name", ["reload", "run", "state", "state-run", "destination"])
def test_the_pages_say_that_a_proxy_is_the_sandbox(
    operator: Client, proxy: Proxy, address_of: Callable[[str], str], name: str
) -> None:
    Proxy.objects.update(is_sandbox=True)
    page = operator.get(address_of(name)).content.decode()
    assert "sandbox" in page.split("<main", 1)[1]


@pytest.mark.parametrize("name", ["reload", "run", "state", "state-run", "destination"])
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
