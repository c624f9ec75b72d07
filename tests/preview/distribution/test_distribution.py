"""The spread of generated calls: counts, shares, sources side by side, and what keeps it from counting."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dispatcher.models import Destination
from dispatcher.routing.replay import Calls, Move
from dispatcher.routing.selection import Algorithm, SelectFlag
from efcp.accounts.roles import Role
from efcp.preview.distribution.counting import CallCounter, CountResult, Distribution, generated_calls
from efcp.preview.distribution.question import COUNTABLE, SelectArguments
from efcp.preview.sources import Source, SourceKind, sources
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRow, ClientAs
from tests.dispatcher.conftest import add_row as add_row
from tests.dispatcher.conftest import hold
from tests.dispatcher.conftest import proxy as proxy

TABLE = Source(SourceKind.TABLE, None)


def of_table(algorithm: Algorithm, flags: SelectFlag = SelectFlag.NONE, calls: int = 4000) -> Distribution:
    return count([TABLE], SelectArguments(1, algorithm, flags), calls).distributions[0]


def count(sources: list[Source], question: SelectArguments, calls: int = 4000) -> CountResult:
    counting = CallCounter(sources, question)
    counting.add(generated_calls(question, calls, seed=1))
    return counting.result()


@pytest.mark.parametrize(
    "algorithm", [Algorithm.CALL_ID, Algorithm.FROM_URI, Algorithm.AUTH_USER, Algorithm.RANDOM]
)
def test_calls_follow_the_weights(add_row: AddRow, algorithm: Algorithm) -> None:
    add_row("sip:10.0.0.1", weight="3")
    add_row("sip:10.0.0.2", weight="1")
    first, second = of_table(algorithm).bars
    assert (first.weight_percent, second.weight_percent) == (75, 25)
    assert first.percent == pytest.approx(75, abs=4)
    assert first.calls + second.calls == 4000


def test_round_robin_takes_turns_by_weight(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", weight="3")
    add_row("sip:10.0.0.2", weight="1")
    assert [bar.calls for bar in of_table(Algorithm.ROUND_ROBIN).bars] == [3000, 1000]


def test_the_first_entry_takes_all_and_no_weight_is_the_reason(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2", weight="9")
    bars = of_table(Algorithm.FIRST).bars
    assert [bar.calls for bar in bars] == [4000, 0]
    assert [bar.by_weight for bar in bars] == [None, None]


def test_the_calls_of_an_inactive_one_go_by_the_weights_of_the_others(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", state=1)
    add_row("sip:10.0.0.2")
    bars = of_table(Algorithm.CALL_ID).bars
    assert [bar.calls for bar in bars] == [0, 4000]
    assert [bar.expected_percent for bar in bars] == [0, 100]
    assert [bar.differs_by_state for bar in bars] == [True, True]


def test_a_default_gets_no_call_while_another_is_active(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2")
    bars = of_table(Algorithm.CALL_ID, SelectFlag.LAST_IS_DEFAULT).bars
    assert [bar.calls for bar in bars] == [4000, 0]
    assert [bar.weight_percent for bar in bars] == [100, 0]


def keys_of(calls: Calls) -> list[bytes]:
    parts = [calls.first] if calls.second is None else [calls.first, calls.second]
    return [
        b"|".join(part.data[slice(*part.offsets[n : n + 2])].tobytes() for part in parts)
        for n in range(len(calls))
    ]


@pytest.mark.parametrize("algorithm", COUNTABLE)
def test_the_same_seed_makes_up_the_same_calls_and_another_other_ones(algorithm: Algorithm) -> None:
    first, again, other = (
        keys_of(generated_calls(SelectArguments(1, algorithm), 5, seed)) for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("algorithm", "flags", "key"),
    [
        (Algorithm.CALL_ID, SelectFlag.NONE, rb"[0-9a-f]{16}@example\.org"),
        (Algorithm.FROM_URI, SelectFlag.NONE, rb"\+4930[0-9]{7}\|example\.org"),
        (Algorithm.TO_URI, SelectFlag.USER_ONLY, rb"\+4989[0-9]{7}\|"),
        (Algorithm.REQUEST_URI, SelectFlag.NONE, rb"\+4989[0-9]{7}\|example\.org"),
        (Algorithm.AUTH_USER, SelectFlag.NONE, rb"\+4930[0-9]{7}"),
        (Algorithm.HASH_VARIABLE, SelectFlag.NONE, rb"\+4930[0-9]{7}"),
    ],
)
def test_generated_calls_have_the_key_of_their_algorithm(
    algorithm: Algorithm, flags: SelectFlag, key: bytes
) -> None:
    (generated,) = keys_of(generated_calls(SelectArguments(1, algorithm, flags), 1, seed=3))
    assert re.fullmatch(key, generated)


def test_a_set_without_destinations_reports_it(db: None) -> None:
    assert "Set 1 has no destination" in of_table(Algorithm.CALL_ID).problem


def test_a_set_of_which_nothing_is_active_reports_it_and_shows_its_destinations(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", state=1)
    add_row("sip:10.0.0.2", state=2)
    found = of_table(Algorithm.CALL_ID)
    assert "No destination in set 1 is active" in found.problem
    assert [(bar.state, bar.calls) for bar in found.bars] == [("inactive", 0), ("probing", 0)]


def test_a_uri_that_no_proxy_parses_is_reported_as_dropped(db: None) -> None:
    Destination.objects.create(setid=1, destination="sip:10.0.0.1:99999")
    Destination.objects.create(setid=1, destination="sip:10.0.0.2")
    found = of_table(Algorithm.CALL_ID)
    assert [bar.uri for bar in found.bars] == ["sip:10.0.0.2"]
    assert found.notes


def memory_and_table() -> list[Source]:
    return sources(watched_proxies())


def test_calls_that_move_are_shown_with_both_destinations(add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2")
    hold(proxy, "SIP:10.0.0.1")
    found = count(memory_and_table(), SelectArguments(1, Algorithm.CALL_ID))
    (moves,) = found.moves
    to_second = found.distributions[1].bars[1].calls
    assert (moves.before, moves.after) == ("live on edge-1", "table as loaded by edge-1")
    assert (moves.total, moves.moved) == (4000, to_second)
    assert moves.most == (Move("SIP:10.0.0.1", "sip:10.0.0.2", to_second),)


def test_where_memory_lacks_the_set_all_calls_come_from_nowhere(add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    (moves,) = count(memory_and_table(), SelectArguments(1, Algorithm.CALL_ID)).moves
    assert moves.most == (Move(None, "sip:10.0.0.1", 4000),)


def test_equal_tables_move_no_call(add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    hold(proxy, "sip:10.0.0.1")
    (moves,) = count(memory_and_table(), SelectArguments(1, Algorithm.CALL_ID)).moves
    assert (moves.moved, moves.most) == (0, ())


def test_what_was_counted_is_the_same_after_storing_it(add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    found = count(memory_and_table(), SelectArguments(1, Algorithm.CALL_ID))
    assert CountResult.from_json(json.loads(json.dumps(found.as_json()))) == found


PAGE = "preview:distribution"


def page(client: Client, **question: Any) -> str:
    query: dict[str, Any] = {
        "setid": 1,
        "algorithm": 0,
        "calls": 200,
        "seed": 1,
        "source": "table",
    } | question
    return client.get(reverse(PAGE), query).content.decode()


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_whoever_may_view_may_see_a_spread(client_as: ClientAs, role: Role | None) -> None:
    response = client_as(role).get(reverse(PAGE))
    assert response.status_code == (302 if role is None else 200)


def test_a_spread_changes_nothing_and_takes_no_post(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    assert client_as(Role.ADMINISTRATOR).post(reverse(PAGE), {"setid": "1"}).status_code == 405


def test_memory_and_table_stand_side_by_side(client_as: ClientAs, add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2")
    hold(proxy, "sip:10.0.0.7")
    text = client_as(Role.VIEWER).get(reverse(PAGE), {"setid": "1"}).content.decode()
    assert "Live on edge-1" in text
    assert "Table as loaded by edge-1" in text
    assert "sip:10.0.0.7" in text
    assert "sip:10.0.0.2" in text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"algorithm": 42}, "Unknown algorithm &#x27;42&#x27;: proxies treat it as 8"),
        ({"algorithm": 9}, "Algorithm 9 uses runtime values of the proxy"),
        ({"calls": 200_001}, "less than or equal to 200000"),
        ({"calls": 0}, "greater than or equal to 1"),
        ({"calls": "many"}, "Enter a whole number"),
        ({"setid": "-1"}, "greater than or equal to 0"),
        ({"flags": "x"}, "x does not affect the distribution"),
        ({"source": "memory-99"}, "memory-99 no longer exists"),
        ({"source": []}, "Select a table or a proxy."),
        ({"seed": "x" * 5000}, "Enter a whole number"),
    ],
)
def test_a_question_without_sense_is_reported_at_its_field(
    client_as: ClientAs, question: dict[str, Any], expected: str
) -> None:
    assert expected in page(client_as(Role.VIEWER), **question)
