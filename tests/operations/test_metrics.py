"""The metrics: for whom, in which form, and whether they are what the panel knows."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from efcp.accounts.roles import Role
from efcp.configuration import PROJECT_DIR
from efcp.jobs.models import JobOutcome, JobRun
from efcp.modules.registry import ReloadOutcome
from efcp.operations import metrics
from efcp.operations.states.models import StateOutcome, StateResult, StateRun
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact
from efcp.proxies.selectors import watched_proxies
from tests.conftest import ClientAs
from tests.factories import ReloadResultFactory, ReloadRunFactory
from tests.operations.conftest import URI
from tests.operations.fake_proxy import Play
from tests.proxies.mi_server import listed

Samples = dict[str, dict[tuple[str, ...], float]]

LABELS = (
    "module",
    "proxy",
    "partition",
    "version",
    "sandbox",
    "set",
    "uri",
    "occurrence",
    "state",
    "outcome",
    "change",
)
TOKEN = "a-token-for-tests-only"
OTHER = "sip:192.0.2.77:5060"


@pytest.fixture(autouse=True)
def _token(settings: Settings) -> None:
    """Have the metrics turned on."""
    settings.METRICS_TOKEN = TOKEN


def read(client: Client) -> Samples:
    """Each sample by its name and its labels' values in the order of LABELS, as Prometheus reads them."""
    answer = client.get("/cp/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    found: Samples = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            labels = tuple(sample.labels[label] for label in LABELS if label in sample.labels)
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


@pytest.fixture
def edge(play: Play) -> Proxy:
    """A proxy that holds one destination that takes calls and one that is down."""
    playing = play(sets={1: [listed(URI), listed(OTHER, "Probing")]})
    return playing.remembered(playing.row())


def test_states_by_destination_and_by_set(edge: Proxy, client: Client) -> None:
    found = read(client)
    assert found["efcp_destination_state"] == {("edge-1", "1", URI, "0"): 0, ("edge-1", "1", OTHER, "0"): 2}
    assert found["efcp_set_destinations"] == {
        ("edge-1", "1", "active"): 1,
        ("edge-1", "1", "inactive"): 0,
        ("edge-1", "1", "probing"): 1,
    }
    assert found["efcp_destinations_hidden"] == {(): 0}


def test_what_is_down_has_a_series_before_what_is_not(
    edge: Proxy, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MAX_DESTINATIONS", 1)
    found = read(client)
    assert list(found["efcp_destination_state"]) == [("edge-1", "1", OTHER, "0")]
    assert found["efcp_destinations_hidden"] == {(): 1}


def test_proxies_their_age_and_latency(edge: Proxy, client: Client) -> None:
    ProxyContact.objects.update(answered_at=timezone.now() - timedelta(minutes=5), round_trip_ms=12.5)
    found = read(client)
    assert found["efcp_proxy_up"] == {("edge-1",): 0}
    assert 300 <= found["efcp_proxy_known_age_seconds"]["edge-1",] < 400
    assert found["efcp_mi_latency_seconds"] == {("edge-1",): 0.0125}
    assert found["efcp_proxy_info"] == {("edge-1", "default", "3.4.18", "no"): 1}
    assert found["efcp_watcher_beat_age_seconds"].keys() == {()}


def test_the_last_list_of_a_silent_proxy_is_not_its_state_now(edge: Proxy, client: Client) -> None:
    ProxyContact.objects.update(failing_since=timezone.now(), outcome="refused")
    found = read(client)
    assert found["efcp_proxy_up"] == {("edge-1",): 0}
    assert not found.get("efcp_destination_state")
    assert not found.get("efcp_set_destinations")
    assert found["efcp_set_destinations_last_known"]["edge-1", "1", "active"] == 1
    assert found["efcp_destination_state_last_known"]["edge-1", "1", OTHER, "0"] == 2


def test_the_worst_proxy_of_a_set_is_named(edge: Proxy, play: Play, client: Client) -> None:
    playing = play(sets={1: [listed(URI, "Inactive"), listed(OTHER, "Inactive")]})
    playing.remembered(playing.row("edge-2"))
    assert read(client)["efcp_set_active_worst"] == {("edge-2", "1"): 0}


def test_reloads_by_outcome(edge: Proxy, client: Client) -> None:
    now = timezone.now()
    for outcome in (ReloadOutcome.DONE, ReloadOutcome.DONE, ReloadOutcome.REFUSED):
        run = ReloadRunFactory.create(started_at=now, actor="ann")
        ReloadResultFactory.create(run=run, proxy=edge, outcome=outcome, deadline=now, ended_at=now)
    assert read(client)["efcp_reloads_total"] == {
        ("dispatcher", "edge-1", "done"): 2,
        ("dispatcher", "edge-1", "refused"): 1,
    }


@pytest.mark.django_db
def test_jobs_that_have_no_end_yet(client: Client) -> None:
    for outcome in (JobOutcome.WAITING, JobOutcome.WAITING, JobOutcome.RUNNING, JobOutcome.DONE):
        JobRun.objects.create(
            kind="spread", title="a", actor="ann", requested_at=timezone.now(), outcome=outcome
        )
    assert read(client)["efcp_jobs"] == {("waiting",): 2, ("running",): 1}


def test_drift_is_what_a_reload_would_change(
    edge: Proxy, client: Client, add_row: Callable[..., int]
) -> None:
    add_row(URI)
    add_row("sip:192.0.2.78:5060")
    assert read(client)["efcp_drift_destinations"] == {
        ("edge-1", "add"): 1,
        ("edge-1", "change"): 0,
        ("edge-1", "remove"): 1,
    }


def test_a_hostile_uri_stays_a_label(play: Play, client: Client) -> None:
    hostile = 'sip:"}\\n\nefcp_proxy_up 7'
    playing = play(sets={1: [listed(hostile)]})
    playing.remembered(playing.row())
    assert ("edge-1", "1", hostile, "0") in read(client)["efcp_destination_state"]


def test_twenty_proxies_cost_as_many_queries_as_one(
    play: Play, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    playing = play(sets={1: [listed(URI)]})
    for number in range(20):
        playing.remembered(playing.row(f"edge-{number}"))
    with django_assert_max_num_queries(40):
        assert len(read(client)["efcp_proxy_up"]) == 20


@pytest.mark.django_db
def test_without_a_proxy_there_are_few_metrics(client: Client) -> None:
    assert read(client)["efcp_destinations_hidden"] == {(): 0}


@pytest.mark.django_db
@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}é", TOKEN])
def test_nobody_reads_them_without_the_token(client: Client, sent: str) -> None:
    answer = client.get("/cp/metrics", headers={"Authorization": sent})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("role", list(Role))
def test_signing_in_does_not_stand_for_the_token(client_as: ClientAs, role: Role) -> None:
    assert client_as(role).get("/cp/metrics").status_code == 401


@pytest.mark.django_db
def test_without_a_token_set_there_are_none(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/cp/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_what_is_inactive_on_purpose_has_a_metric(client: Client, edge: Proxy) -> None:
    now = timezone.now()
    run = StateRun.objects.create(started_at=now, actor="bob", state="inactive")
    StateResult.objects.create(
        run=run, proxy=edge, setid=1, uri=URI, outcome=StateOutcome.DONE, deadline=now, ended_at=now
    )
    KnownDestination.objects.update(state="inactive", since=now)
    answer = client.get("/cp/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    labels = f'proxy="{edge.name}",reason="Set inactive by bob",set="1",uri="{URI}"'
    assert f"efcp_destination_silenced{{{labels}}} 1.0" in answer


@pytest.mark.parametrize(
    "name", ["prometheus-rules.yml", "prometheus-rules-test.yml", "grafana-dashboard.json"]
)
def test_rules_and_dashboard_name_metrics_that_exist(edge: Proxy, name: str) -> None:
    families = list(metrics.PanelMetrics(watched_proxies()).collect())
    names = {each.name + ("_total" if each.type == "counter" else "") for each in families}
    named = set(re.findall(r"\befcp_[a-z_]+", (PROJECT_DIR / "docs/deploy" / name).read_text()))
    assert named
    assert named <= names
