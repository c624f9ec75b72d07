"""Clusters: a state goes through one member and is read back from all; and proxies that share a table."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher.models import Destination
from efcp.operations.states import results, sending, services
from efcp.operations.states.models import StateOutcome, StateRun
from efcp.operations.states.selectors import omitted_proxies
from efcp.proxies.models import KnownState, Proxy, ProxyContact
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRow
from tests.factories import ProxyFactory
from tests.operations.conftest import SOMEBODY
from tests.operations.fake_proxy import FakeProxy, Play
from tests.proxies.mi_server import JSON, listed

URI = "sip:10.0.0.1:5060"


@dataclass
class Member(FakeProxy):
    """A playing proxy that tells the state it was set to `others`, as members of a cluster do."""

    others: list[FakeProxy] = field(default_factory=list)

    def result_of(self, method: str, params: JSON) -> JSON:
        """The reply's `result` or `error`."""
        reply = super().result_of(method, params)
        if method == "ds_set_state" and "result" in reply:
            for other in self.others:
                other._set_state(params)
        return reply


@dataclass(frozen=True)
class Cluster:
    """Two members, the first of which is asked first."""

    first: Member
    second: Member
    rows: tuple[Proxy, Proxy]

    def calls(self) -> tuple[int, int]:
        """How many states each member was sent."""
        return len(self.first.commands_of("ds_set_state")), len(self.second.commands_of("ds_set_state"))


@pytest.fixture
def cluster(edge: FakeProxy, add_row: AddRow) -> Iterator[Cluster]:
    """Two proxies of cluster "east" that hold URI, which is in the table."""
    members = [Member(sets={1: [listed(URI)]}) for _name in "ab"]
    for member, other in zip(members, reversed(members), strict=True):
        member.others = [other]
        member.start()
    add_row(URI)
    first, second = members
    rows = (
        first.remembered(first.row("a", cluster="east")),
        second.remembered(second.row("b", cluster="east")),
    )
    yield Cluster(first, second, rows)
    for member in members:
        member.stop()


def set_state(state: KnownState, *proxies: Proxy) -> StateRun:
    """Set a state of every row, and wait until every proxy has answered."""
    handle = services.begin(list(Destination.objects.all()), state, proxies, SOMEBODY)
    assert handle.ended.wait(30)
    return handle.run


def lines_of(run: StateRun) -> dict[str, results.StateLine]:
    """By proxy."""
    return {line.result.proxy.name: line for line in results.result_lines(run, watched_proxies())}


@pytest.mark.parametrize("state", [KnownState.INACTIVE, KnownState.PROBING])
def test_one_member_is_sent_the_state_and_all_are_read_back(cluster: Cluster, state: KnownState) -> None:
    lines = lines_of(set_state(state, *cluster.rows))
    assert cluster.calls() == (1, 0)
    assert (lines["a"].outcome, lines["b"].outcome) == (StateOutcome.DONE, StateOutcome.THROUGH)
    assert lines["b"].result.through == cluster.rows[0]
    assert lines["b"].result.state_after == state
    assert lines["b"].is_replicated


def test_a_cluster_is_set_whole_whichever_member_is_chosen(cluster: Cluster) -> None:
    assert set(lines_of(set_state(KnownState.INACTIVE, cluster.rows[1]))) == {"a", "b"}
    assert cluster.calls() == (1, 0)


def test_a_state_that_is_not_replicated_is_reported(
    cluster: Cluster, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "REREAD_AFTER_S", (0.01,))
    cluster.first.others = []
    run = set_state(KnownState.INACTIVE, *cluster.rows)
    assert lines_of(run)["b"].is_replicated is False
    page = operator.get(reverse("operations:state-run", args=[run.pk])).content.decode()
    assert "Not replicated" in page
    assert "Sent through a, of the same cluster." in page


def test_a_state_that_comes_a_little_later_is_waited_for(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.first.others = []
    read = cluster.second.result_of

    def turns_after_it_was_read(method: str, params: JSON) -> JSON:
        reply = read(method, params)
        if method == "ds_list":
            cluster.second.sets = {1: [listed(URI, "Inactive")]}
        return reply

    monkeypatch.setattr(cluster.second, "result_of", turns_after_it_was_read)
    assert lines_of(set_state(KnownState.INACTIVE, *cluster.rows))["b"].is_replicated


def test_one_that_answers_is_sent_it_before_one_that_does_not(cluster: Cluster) -> None:
    ProxyContact.objects.filter(proxy=cluster.rows[0]).update(answered_at=None)
    set_state(KnownState.PROBING, *cluster.rows)
    assert cluster.calls() == (0, 1)


def test_the_next_member_is_sent_it_where_the_first_surely_was_not(cluster: Cluster) -> None:
    Proxy.objects.filter(name="a").update(mi_url="http://127.0.0.1:1/mi")
    lines = lines_of(set_state(KnownState.PROBING, *Proxy.objects.all()))
    assert cluster.calls() == (0, 1)
    assert lines["b"].outcome is StateOutcome.DONE
    assert lines["a"].result.through == cluster.rows[1]
    assert "can't be reached" in lines["a"].result.message


def test_the_next_member_is_not_sent_it_where_the_first_may_have_been(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LIMIT_S", 0.5)
    cluster.first.hangs = True
    lines = lines_of(set_state(KnownState.PROBING, *cluster.rows))
    assert cluster.second.commands_of("ds_set_state") == []
    assert lines["a"].outcome is StateOutcome.UNKNOWN
    assert lines["b"].is_replicated is None


def test_a_refusal_is_the_clusters_answer(cluster: Cluster) -> None:
    cluster.first.sets = {}
    lines = lines_of(set_state(KnownState.INACTIVE, *cluster.rows))
    assert (lines["a"].outcome, lines["b"].outcome) == (StateOutcome.REFUSED, StateOutcome.NOT_ATTEMPTED)
    assert cluster.second.commands_of("ds_set_state") == []


def test_an_undo_goes_through_one_member_too(cluster: Cluster) -> None:
    handle = services.undo(set_state(KnownState.INACTIVE, *cluster.rows), SOMEBODY)
    assert handle.ended.wait(30)
    assert cluster.calls() == (2, 0)
    assert {result.state_after for result in handle.run.results.all()} == {KnownState.ACTIVE}


def test_members_of_another_partition_are_no_members(play: Play, add_row: AddRow) -> None:
    east, west = play(sets={1: [listed(URI)]}), play(sets={1: [listed(URI)]}, partition="west")
    rows = [
        east.remembered(east.row("a", cluster="c")),
        west.remembered(west.row("b", cluster="c", partition="west")),
    ]
    add_row(URI)
    set_state(KnownState.INACTIVE, *rows)
    assert [len(each.commands_of("ds_set_state")) for each in (east, west)] == [1, 1]


def known(name: str, **columns: Any) -> Proxy:
    """A proxy of which nothing but its row matters."""
    proxy = ProxyFactory.create(name=name, mi_url="http://127.0.0.1:1/mi", **columns)
    ProxyContact.objects.create(proxy=proxy, answered_at=timezone.now())
    return proxy


@pytest.mark.django_db
def test_those_left_out_share_the_table_and_no_cluster_with_the_chosen() -> None:
    chosen = known("chosen", cluster="east")
    known("member", cluster="east")
    known("other")
    known("elsewhere", partition="west")
    assert [proxy.name for proxy in omitted_proxies([chosen], watched_proxies())] == ["other"]
