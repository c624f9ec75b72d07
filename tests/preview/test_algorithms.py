"""The same calls under each algorithm and under load_balancer."""

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.preview.algorithms.comparison import LOAD_BALANCER, AlgorithmComparison, balanced, evenness
from efcp.preview.algorithms.traffic import MAX_CALLS, Traffic, generated_traffic, parse_traffic
from tests.conftest import ClientAs


def traffic(*calls: tuple[float, float]) -> Traffic:
    """Calls of these starts and durations."""
    return Traffic(np.array([start for start, _ in calls]), np.array([length for _, length in calls]))


def test_the_most_free_destination_gets_the_call_and_the_first_of_equals() -> None:
    calls = traffic((0, 100), (1, 100), (2, 100), (3, 100))
    assert balanced(calls, [10, 20], [True, True]).tolist() == [0, 1, 1, 0]


def test_a_call_that_ended_frees_its_place() -> None:
    assert balanced(traffic((0, 1), (2, 1), (3, 5)), [1, 1], [True, True]).tolist() == [0, 0, 0]


def test_a_full_destination_gets_none_and_where_all_are_full_the_call_is_lost() -> None:
    calls = traffic((0, 9), (1, 9), (2, 9))
    assert balanced(calls, [1, 1], [True, True]).tolist() == [0, 1, -1]
    assert balanced(calls, [1, 5], [False, True]).tolist() == [1, 1, 1]


def test_free_capacity_counts_in_whole_per_cent() -> None:
    calls = traffic(*[(number, 1_000) for number in range(4)])
    assert balanced(calls, [1_000, 1_000], [True, True]).tolist() == [0, 0, 0, 0], "0.4 per cent is none yet"


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=40),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=5),
)
def test_no_destination_ever_carries_more_than_its_capacity(
    calls: list[tuple[float, float]], members: list[tuple[int, bool]]
) -> None:
    given_calls = traffic(*sorted(calls))
    capacities, active = [most for most, _ in members], [is_active for _, is_active in members]
    chosen = balanced(given_calls, capacities, active)
    for index, (most, is_active) in enumerate(members):
        mine = chosen == index
        starts, ends = given_calls.starts[mine], given_calls.ends[mine]
        at_once = max((int(((starts <= start) & (ends > start)).sum()) for start in starts), default=0)
        assert at_once <= (most if is_active else 0)


def test_an_even_load_is_1_everywhere_and_one_for_all_is_n() -> None:
    calls = traffic(*[(number / 10, 1_000) for number in range(400)])
    in_turn = np.arange(400, dtype=np.int32) % 2
    even = evenness(calls, in_turn, [0.5, 0.5])
    assert even.worst == pytest.approx(1, abs=0.1)
    assert even.jain == pytest.approx(1, abs=0.01)
    one = evenness(calls, np.zeros(400, np.int32), [0.5, 0.5])
    assert one.worst == pytest.approx(2)
    assert one.jain == pytest.approx(0.5)
    assert one.peak == 400


def test_generated_calls_have_the_requested_rate_and_mean() -> None:
    traffic = generated_traffic(20_000, rate=5, mean_s=120, sigma=1, seed=3)
    assert len(traffic) / traffic.starts[-1] == pytest.approx(5, rel=0.05)
    assert traffic.durations.mean() == pytest.approx(120, rel=0.1)
    assert (
        traffic.starts.tolist()
        == generated_traffic(20_000, rate=5, mean_s=120, sigma=1, seed=3).starts.tolist()
    )


def test_a_log_is_read_in_either_notation_and_broken_lines_are_reported() -> None:
    found, broken = parse_traffic(
        ["start,duration", "2026-11-23T10:00:10,5", '"2026-11-23T10:00:00Z";7', "", "nonsense", "1,-5", "1"]
    )
    assert found.starts.tolist() == [0, 10]
    assert found.durations.tolist() == [7, 5]
    assert broken.count == 3
    assert broken.shown[0] == (5, "nonsense")


def test_a_log_ends_at_the_most_calls() -> None:
    assert len(parse_traffic(f"{number},1" for number in range(MAX_CALLS + 10))[0]) == MAX_CALLS


def gateways(*weights: int, state: int = 0) -> None:
    """Rows of set 1 with these weights."""
    for number, weight in enumerate(weights):
        Destination.objects.create(
            setid=1,
            destination=f"sip:192.0.2.1:{6000 + number}",
            weight=str(weight),
            state=state,
            attrs="",
            description="",
        )


def compared(client: Client, **question: str) -> AlgorithmComparison:
    """What the page compares."""
    page = client.post(reverse("preview:algorithms"), question)
    assert page.status_code == 200, page.context["form"].errors
    found: AlgorithmComparison = page.context["comparison"]
    return found


def test_every_algorithm_gets_the_same_calls(viewer: Client) -> None:
    gateways(1, 1, 2)
    found = compared(viewer, calls="2000")
    assert len(found.results) == 10
    assert {sum(each.evenness.calls) for each in found.results} == {2000}
    first = next(each for each in found.results if each.name.startswith("8"))
    assert first.evenness.calls == (2000, 0, 0)


def test_the_load_balancer_is_evener_and_the_words_say_so(viewer: Client) -> None:
    gateways(1, 1, 1, 1)
    found = compared(viewer, calls="3000", sigma="2", mean="60")
    by_name = {each.name: each.evenness for each in found.results}
    assert by_name[LOAD_BALANCER].worst < min(
        each.worst for name, each in by_name.items() if name != LOAD_BALANCER
    )
    assert any("load balancer" in sentence for sentence in found.sentences)


def test_with_even_calls_the_dispatcher_is_as_good_and_the_words_say_so(viewer: Client) -> None:
    gateways(1, 1)
    found = compared(viewer, calls="5000", sigma="0", mean="300", rate="10", capacity="10000")
    assert any("No reason to use the load balancer" in sentence for sentence in found.sentences)


def test_a_full_load_balancer_refuses_calls_and_the_words_say_so(viewer: Client) -> None:
    gateways(1, 1)
    found = compared(viewer, calls="500", capacity="2")
    assert found.results[-1].evenness.lost > 0
    assert any("rejects" in sentence for sentence in found.sentences)


def test_a_pasted_log_replaces_generated_calls(viewer: Client) -> None:
    gateways(1, 1)
    page = viewer.post(reverse("preview:algorithms"), {"log": "0,10\n1,10\nbroken\n2,10"})
    assert sum(page.context["comparison"].results[0].evenness.calls) == 3
    assert "line 3" in page.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("setid", "x"),
        ("calls", "20001"),
        ("rate", "0"),
        ("mean", "nan"),
        ("sigma", "4"),
        ("capacity", "0"),
        ("seed", "-1"),
        ("source", "memory-9"),
        ("log", "nothing of a call"),
    ],
)
def test_a_wrong_field_is_reported_there(viewer: Client, field: str, value: str) -> None:
    page = viewer.post(reverse("preview:algorithms"), {field: value})
    assert page.status_code == 422
    assert list(page.context["form"].errors) == [field]


@pytest.mark.parametrize(
    ("weights", "state", "expected"),
    [((), 0, "no destinations there"), ((1,), 1, "is active"), ((1,) * 201, 0, "more than 200")],
)
def test_a_set_that_can_not_be_compared_shows_why(
    viewer: Client, weights: tuple[int, ...], state: int, expected: str
) -> None:
    gateways(*weights, state=state)
    assert expected in compared(viewer).problem


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_everybody_who_is_signed_in_may_compare(client_as: ClientAs, role: Role | None, db: None) -> None:
    assert client_as(role).get(reverse("preview:algorithms")).status_code == (200 if role else 302)


def test_a_post_from_another_site_is_refused(client_as: ClientAs, db: None) -> None:
    client: Any = client_as(Role.VIEWER)
    client.handler.enforce_csrf_checks = True
    assert client.post(reverse("preview:algorithms"), {}).status_code == 403
