"""Storing what a proxy holds: what is written, when, and what an older answer may not do."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from efcp.mi import Endpoint, MiClient
from efcp.proxies.memory import Snapshot, UnusableListError
from efcp.proxies.models import KnownDestination, KnownSet, Proxy, ProxyContact, StateChange
from efcp.proxies.reconcile import StoreOutcome
from efcp.proxies.visits import VisitResult, forget, store_failure
from tests.proxies.conftest import PATIENCE_S, START, Store
from tests.proxies.mi_server import FakeMi, listed


def states() -> list[tuple[int, str, int, str]]:
    """Every stored destination: set, URI, occurrence, state."""
    return list(
        KnownDestination.objects.order_by("setid", "position").values_list(
            "setid", "uri", "occurrence", "state"
        )
    )


def test_the_first_list_is_stored_whole_and_is_no_change(mi: FakeMi, store: Store) -> None:
    mi.sets = {2: [listed("sip:b")], 1: [listed("sip:a", "Probing", attr="x=1", socket="udp:127.0.0.1:5060")]}
    assert store() == VisitResult(StoreOutcome.STORED, 0)
    assert states() == [(1, "sip:a", 0, "probing"), (2, "sip:b", 0, "active")]
    assert not StateChange.objects.exists()


def test_what_the_list_has_of_a_destination_is_kept(mi: FakeMi, store: Store) -> None:
    mi.sets = {
        1: [listed("sip:A", hits=7, attr="x=1", socket="udp:h:1", resolved_addresses=["10.0.0.1:5060"])]
    }
    store()
    row = KnownDestination.objects.get()
    assert (row.uri, row.uri_key, row.attrs, row.socket) == ("sip:A", "sip:a", "x=1", "udp:h:1")
    assert (row.weight, row.priority, row.description, row.first_hits) == (1, 0, "", 7)
    assert row.addresses == ["10.0.0.1:5060"]


def test_without_full_the_details_are_unknown(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store(full=False)
    row = KnownDestination.objects.get()
    assert (row.weight, row.priority, row.description) == (None, None, None)
    assert not ProxyContact.objects.get().with_details


def test_an_empty_proxy_is_known_to_be_empty(store: Store) -> None:
    store()
    assert ProxyContact.objects.get().destination_count == 0


def test_at_first_sight_a_state_lasts_at_least_since_then(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    row = KnownDestination.objects.get()
    assert (row.since, row.since_is_exact) == (START, False)


def test_a_changed_state_is_dated_and_recorded(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a"), listed("sip:b")]}
    store()
    mi.sets[1][0]["state"] = "Probing"
    assert store(2) == VisitResult(StoreOutcome.STORED, 1)
    row = KnownDestination.objects.get(uri="sip:a")
    assert (row.state, row.since, row.since_is_exact) == ("probing", START + timedelta(seconds=2), True)
    change = StateChange.objects.get()
    assert (change.uri, change.state_before, change.state_after) == ("sip:a", "active", "probing")
    assert (change.at, change.at_is_exact) == (START + timedelta(seconds=2), True)


def test_a_change_that_nobody_watched_is_dated_no_later_than(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    mi.sets[1][0]["state"] = "Inactive"
    store(3600)
    assert not KnownDestination.objects.get().since_is_exact
    assert not StateChange.objects.get().at_is_exact


def test_other_changes_leave_since_alone(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    mi.sets[1][0]["attr"] = "new"
    assert store(2) == VisitResult(StoreOutcome.STORED, 0)
    row = KnownDestination.objects.get()
    assert (row.attrs, row.since) == ("new", START)


def test_two_rows_of_one_set_and_uri_are_two(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a"), listed("sip:a", "Inactive")]}
    store()
    mi.sets[1][0]["state"] = "Probing"
    store(2)
    assert states() == [(1, "sip:a", 0, "probing"), (1, "sip:a", 1, "inactive")]
    assert StateChange.objects.get().occurrence == 0


def test_uris_that_differ_by_ascii_case_are_one_identity_twice(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:A"), listed("SIP:a"), listed("sip:Ä"), listed("sip:ä")]}
    store()
    assert [(uri, occurrence) for _set, uri, occurrence, _state in states()] == [
        ("sip:A", 0),
        ("SIP:a", 1),
        ("sip:Ä", 0),
        ("sip:ä", 0),
    ]


def test_the_same_uri_in_two_sets_is_two_destinations(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")], 2: [listed("sip:a", "Inactive")]}
    store()
    assert states() == [(1, "sip:a", 0, "active"), (2, "sip:a", 0, "inactive")]


def test_a_set_that_vanishes_takes_its_destinations_and_reports_it(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")], 2: [listed("sip:b", "Probing")]}
    store()
    del mi.sets[2]
    store(2)
    assert states() == [(1, "sip:a", 0, "active")]
    change = StateChange.objects.get()
    assert (change.uri, change.state_before, change.state_after) == ("sip:b", "probing", "")


def test_a_destination_that_appears_later_is_recorded(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    mi.sets[1].insert(0, listed("sip:new", "Inactive"))
    store(2)
    assert [uri for _set, uri, _occurrence, _state in states()] == ["sip:new", "sip:a"]
    change = StateChange.objects.get()
    assert (change.uri, change.state_before, change.state_after) == ("sip:new", "", "inactive")


def test_an_older_answer_does_not_replace_a_newer_one(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a", "Inactive")]}
    store(10)
    mi.sets = {1: [listed("sip:a", "Active")]}
    assert store(9) == VisitResult(StoreOutcome.OUTDATED)
    assert states() == [(1, "sip:a", 0, "inactive")]


def test_an_earlier_requests_failure_does_not_spoil_a_newer_answer(store: Store, proxy: Proxy) -> None:
    store(10)
    assert store_failure(proxy, "Too slow.", START + timedelta(seconds=9)) is StoreOutcome.OUTDATED
    assert ProxyContact.objects.get().error == ""


def test_a_failure_keeps_what_was_known_and_dates_the_silence(mi: FakeMi, store: Store, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    store_failure(proxy, "Too slow.", START + timedelta(seconds=2))
    store_failure(proxy, "Refused.", START + timedelta(seconds=4))
    contact = ProxyContact.objects.get()
    assert (contact.failing_since, contact.error) == (START + timedelta(seconds=2), "Refused.")
    assert states() == [(1, "sip:a", 0, "active")]


def test_a_good_answer_ends_the_silence(store: Store, proxy: Proxy) -> None:
    store_failure(proxy, "Too slow.", START)
    store(2)
    contact = ProxyContact.objects.get()
    assert (contact.failing_since, contact.error) == (None, "")


def test_an_unchanged_list_writes_the_contact_and_nothing_else(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed(f"sip:{number}") for number in range(20)]}
    store()
    mi.sets[1][3]["first_hit_counter"] = 5
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert store(2) == VisitResult(StoreOutcome.UNCHANGED)
    writes = [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(writes) == 1
    assert 'UPDATE "efcp_proxy_contact"' in writes[0].replace("`", '"')


def test_first_hits_are_stored_at_a_slow_pace(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a"), listed("sip:b")]}
    store()
    mi.sets[1][1]["first_hit_counter"] = 5
    store(29)
    assert KnownDestination.objects.get(uri="sip:b").first_hits == 0
    store(30)
    assert KnownDestination.objects.get(uri="sip:b").first_hits == 5


def test_an_answer_of_another_address_is_dropped(mi: FakeMi, store: Store, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a")]}
    Proxy.objects.update(mi_url="http://127.0.0.1:1/mi")
    assert store() == VisitResult(StoreOutcome.PROXY_CHANGED)
    assert states() == []


def test_an_answer_of_a_deleted_proxy_is_dropped(store: Store, proxy: Proxy) -> None:
    Proxy.objects.all().delete()
    assert store() == VisitResult(StoreOutcome.PROXY_CHANGED)


def test_a_forgotten_proxy_begins_anew(mi: FakeMi, store: Store, proxy: Proxy) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store()
    forget(proxy)
    mi.sets = {1: [listed("sip:b")]}
    assert store(2) == VisitResult(StoreOutcome.STORED, 0)
    assert states() == [(1, "sip:b", 0, "active")]


def test_the_content_of_a_set_is_dated_by_its_last_load_and_not_by_states(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")], 2: [listed("sip:b")]}
    store()
    mi.sets[1][0]["state"] = "Probing"
    mi.sets[2][0]["attr"] = "x=1"
    store(2)
    dated = dict(KnownSet.objects.values_list("setid", "since"))
    assert dated == {1: START, 2: START + timedelta(seconds=2)}
    del mi.sets[2]
    store(4)
    assert [each.setid for each in KnownSet.objects.all()] == [1]


def test_without_details_the_content_of_a_set_is_unknown(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:a")]}
    store(full=False)
    assert KnownSet.objects.get().content == ""


def test_a_list_without_the_partition_is_not_stored(mi: FakeMi, proxy: Proxy) -> None:
    mi.partition = "other"
    listing = MiClient(Endpoint.parse(mi.url), timeout=PATIENCE_S).ds_list()
    with pytest.raises(UnusableListError, match="default"):
        Snapshot.of(listing, "default", START)


def test_a_text_too_long_for_the_database_is_refused_in_words(mi: FakeMi, store: Store) -> None:
    mi.sets = {1: [listed("sip:" + "a" * 300)]}
    with pytest.raises(UnusableListError, match="304 characters"):
        store()


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1500])
def test_any_number_of_destinations_comes_and_goes(mi: FakeMi, store: Store, count: int) -> None:
    mi.sets = {1: [listed(f"sip:{number}") for number in range(count)]}
    store()
    mi.sets = {1: [listed(f"sip:{number}", "Inactive") for number in range(1, count)]}
    store(2)
    assert KnownDestination.objects.filter(state="inactive").count() == count - 1
    assert StateChange.objects.count() == count
