"""The leading watcher's look-ups of names: what is stored, when, and how much of it."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher import name_watch
from dispatcher.models import Destination, NameLookup, NameOutcome
from dispatcher.name_watch import carry_out
from tests.conftest import AddRow
from tests.dns_server import NameServer

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
URI = "sip:GW.example.test:5060"


def stored() -> NameLookup:
    return NameLookup.objects.get(uri_key=URI.lower())


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def gateway(add_row: AddRow, name_server: NameServer) -> NameServer:
    """A server that knows the only name in the table."""
    add_row(URI)
    name_server.addresses["gw.example.test"] = ["127.0.0.5"]
    return name_server


def test_a_name_is_stored_with_its_addresses(gateway: NameServer) -> None:
    carry_out(NOW)
    found = stored()
    assert (found.outcome, found.outcome_since, found.addresses) == (NameOutcome.FOUND, NOW, ["127.0.0.5"])
    assert found.moved_at is None


def test_it_is_known_since_when_a_name_does_not_resolve(gateway: NameServer) -> None:
    carry_out(NOW)
    del gateway.addresses["gw.example.test"]
    carry_out(later(60))
    carry_out(later(120))
    found = stored()
    assert (found.outcome, found.outcome_since) == (NameOutcome.NO_SUCH_NAME, later(60))
    assert found.looked_up_at == later(120)


def test_it_is_known_when_the_addresses_changed_and_what_they_were(gateway: NameServer) -> None:
    carry_out(NOW)
    gateway.addresses["gw.example.test"] = ["127.0.0.6"]
    carry_out(later(60))
    found = stored()
    assert (found.addresses, found.former_addresses) == (["127.0.0.6"], ["127.0.0.5"])
    assert (found.moved_at, found.outcome_since) == (later(60), NOW)


def test_addresses_in_another_order_are_the_same(gateway: NameServer) -> None:
    gateway.addresses["gw.example.test"] = ["127.0.0.5", "127.0.0.6"]
    carry_out(NOW)
    gateway.addresses["gw.example.test"].reverse()
    carry_out(later(60))
    assert stored().moved_at is None


def test_addresses_stay_known_while_no_answer_comes(gateway: NameServer) -> None:
    carry_out(NOW)
    gateway.failing.add("gw.example.test")
    carry_out(later(60))
    assert (stored().outcome, stored().addresses) == (NameOutcome.NO_ANSWER, ["127.0.0.5"])
    gateway.failing.clear()
    carry_out(later(120))
    assert (stored().outcome, stored().moved_at) == (NameOutcome.FOUND, None)


def test_a_thousand_addresses_are_counted_and_the_first_kept(gateway: NameServer) -> None:
    gateway.addresses["gw.example.test"] = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(1000)]
    carry_out(NOW)
    assert (stored().address_count, len(stored().addresses)) == (1000, name_watch.KEPT_ADDRESSES)


@pytest.mark.parametrize(
    ("ttl_s", "due_s"), [(5, 60), (300, 300), (90_000, 3600)], ids=["short", "as told", "long"]
)
def test_a_name_is_looked_up_again_at_its_ttl_but_at_most_once_a_minute(
    gateway: NameServer, ttl_s: int, due_s: int
) -> None:
    gateway.ttl = ttl_s
    carry_out(NOW)
    gateway.queries.clear()
    carry_out(later(due_s - 1))
    assert gateway.queries == []
    carry_out(later(due_s))
    assert gateway.queries


def test_one_name_in_several_destinations_is_looked_up_once(gateway: NameServer, add_row: AddRow) -> None:
    add_row("sip:u@gw.example.test:5060;transport=udp")
    add_row(URI, setid=2)
    carry_out(NOW)
    assert NameLookup.objects.count() == 2
    # Once for the addresses, once for how long they hold.
    assert gateway.queries.count(("gw.example.test", "A")) == 2


def test_a_name_that_left_the_table_is_forgotten(gateway: NameServer) -> None:
    carry_out(NOW)
    Destination.objects.all().delete()
    carry_out(later(5))
    assert NameLookup.objects.count() == 0


@pytest.mark.parametrize(
    "destination", ["sip:10.0.0.1", "sip:[::1]:5060", "sip:10.1", "no uri", "", "tel:+4930"]
)
def test_what_holds_no_name_is_not_looked_up(
    add_row: AddRow, name_server: NameServer, destination: str
) -> None:
    add_row(destination)
    carry_out(NOW)
    assert (NameLookup.objects.count(), name_server.queries) == (0, [])


def test_of_many_names_a_bounded_number_is_looked_up_at_a_turn_the_longest_due_first(
    add_row: AddRow, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_watch, "MOST_AT_A_TURN", 3)
    for number in range(5):
        add_row(f"sip:gw{number}.example.test")
    carry_out(NOW)
    assert NameLookup.objects.count() == 3
    carry_out(later(5))
    assert NameLookup.objects.count() == 5


def test_names_that_never_answer_end_with_the_turn(
    gateway: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_watch, "TURN_LIMIT_S", 0.3)
    gateway.silent.add("gw.example.test")
    carry_out(NOW)
    assert stored().outcome == NameOutcome.NO_ANSWER
