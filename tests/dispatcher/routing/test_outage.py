"""An outage as probing sees it, checked by the reference's own words and by any order of events."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.routing.outage import EventKind, GatewayOutage, ProbeTiming, simulate, worst_case
from dispatcher.routing.probing import ProbingSettings

TIMING = ProbeTiming(interval=10, timeout=30)


def test_a_silent_death_is_known_when_the_transaction_ends() -> None:
    course = simulate(GatewayOutage(3, None), TIMING, ProbingSettings(), always=True, until=100)
    assert course.stopped_at == 10 + 30
    assert course.lost_s == 37


def test_a_bad_answer_is_known_at_once() -> None:
    course = simulate(GatewayOutage(3, None, 503), TIMING, ProbingSettings(), always=True, until=100)
    assert course.stopped_at == 10


def test_a_202_counts_as_a_bad_answer() -> None:
    course = simulate(GatewayOutage(3, None, 202), TIMING, ProbingSettings(), always=True, until=10)
    assert [event.kind for event in course.events if event.at == 10] == [
        EventKind.PROBE,
        EventKind.BAD,
        EventKind.STATE,
    ]


def test_each_further_failure_takes_an_interval() -> None:
    course = simulate(GatewayOutage(3, None), TIMING, ProbingSettings(threshold=3), always=True, until=100)
    assert course.stopped_at == 10 + 2 * 10 + 30


@pytest.mark.parametrize(
    ("interval", "timeout", "threshold"), [(10, 30, 1), (10, 2, 1), (5, 2, 4), (60, 30, 2)]
)
def test_the_worst_death_takes_what_the_reference_computes(
    interval: int, timeout: int, threshold: int
) -> None:
    worst = worst_case(ProbeTiming(interval, timeout), ProbingSettings(threshold=threshold), always=True)
    assert worst.lost_s == pytest.approx((threshold - 1) * interval + interval + timeout, abs=0.01)


def test_what_is_never_probed_is_never_detected() -> None:
    course = simulate(GatewayOutage(3, 50), TIMING, ProbingSettings(), always=False, until=1_000)
    assert [event.kind for event in course.events] == [EventKind.DIES, EventKind.RETURNS]
    assert course.lost_s is None
    assert worst_case(TIMING, ProbingSettings(), always=False).lost_s is None


def test_with_mode_1_everything_is_probed() -> None:
    settings = ProbingSettings(everything=True)
    assert simulate(GatewayOutage(3, None), TIMING, settings, always=False, until=100).stopped_at == 40


def test_a_gateway_that_returns_is_detected_by_the_next_probe() -> None:
    course = simulate(GatewayOutage(3, 60.1), ProbeTiming(10, 2), ProbingSettings(), always=True, until=200)
    assert course.stopped_at == 12
    assert course.back_at == 60.5, "the probe of second 60 is sent again after half a second"


def test_a_blip_between_two_probes_goes_unnoticed() -> None:
    course = simulate(GatewayOutage(3, 7), TIMING, ProbingSettings(), always=True, until=100)
    assert course.stopped_at is None
    assert all(event.change is None for event in course.events)


def test_a_chosen_reply_code_counts_as_good() -> None:
    settings = ProbingSettings(reply_codes=frozenset({503}))
    assert simulate(GatewayOutage(3, None, 503), TIMING, settings, always=True, until=100).stopped_at is None


def test_more_rounds_than_anybody_reads_are_refused() -> None:
    with pytest.raises(ValueError, match="rounds of probing"):
        simulate(GatewayOutage(3, None), ProbeTiming(0.001, 1), ProbingSettings(), always=True, until=100)


@given(
    interval=st.integers(1, 60),
    timeout=st.integers(1, 60),
    threshold=st.integers(1, 4),
    dies=st.floats(0, 60),
    code=st.sampled_from([None, 408, 480, 503]),
)
def test_no_death_takes_longer_than_the_worst(
    interval: int, timeout: int, threshold: int, dies: float, code: int | None
) -> None:
    timing, settings = ProbeTiming(interval, timeout), ProbingSettings(threshold=threshold)
    worst = worst_case(timing, settings, always=True, code=code)
    until = dies + (threshold + 2) * interval + timeout
    course = simulate(GatewayOutage(dies, None, code), timing, settings, always=True, until=until)
    assert course.lost_s is not None
    assert worst.lost_s is not None
    assert course.lost_s <= worst.lost_s + 0.01


@pytest.mark.parametrize(
    ("interval", "timeout", "idle_s"),
    [(15, 30, 2.999), (10, 30, 1.999), (1, 30, 0.499), (30, 30, 3.999), (60, 2, 58.499)],
)
def test_the_worst_return_counts_the_probes_of_earlier_rounds(
    interval: int, timeout: int, idle_s: float
) -> None:
    worst = worst_case(ProbeTiming(interval, timeout), ProbingSettings(), always=True)
    assert worst.idle_s == pytest.approx(idle_s)


@example(interval=15, timeout=30, threshold=1, returns=3.501)
@example(interval=15, timeout=30, threshold=3, returns=3.501)
@given(
    interval=st.integers(1, 30),
    timeout=st.integers(1, 30),
    threshold=st.integers(1, 3),
    returns=st.floats(0, 60),
)
def test_no_return_takes_longer_than_the_worst(
    interval: int, timeout: int, threshold: int, returns: float
) -> None:
    timing, settings = ProbeTiming(interval, timeout), ProbingSettings(threshold=threshold)
    worst = worst_case(timing, settings, always=True)
    returns_at = 1 + (threshold + 1) * interval + 3 * timeout + returns
    until = returns_at + 3 * interval + timeout
    course = simulate(GatewayOutage(1, returns_at), timing, settings, always=True, until=until)
    assert course.idle_s is not None
    assert worst.idle_s is not None
    assert course.idle_s <= worst.idle_s + 0.01


def test_at_one_moment_the_gateway_returns_before_it_answers() -> None:
    course = simulate(
        GatewayOutage(20.0, 40.0), ProbeTiming(10, 2), ProbingSettings(1), always=True, until=60
    )
    at_return = [each.kind for each in course.events if each.at == 40]
    assert at_return[0] is EventKind.RETURNS
    at_death = [each.kind for each in course.events if each.at == 20]
    assert at_death[0] is EventKind.DIES
