"""An outage as probing sees it, held against the reference's own words and against any order of events."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.routing.outage import Kind, Outage, Pace, course, worst_case
from dispatcher.routing.probing import ProbingSettings

PACE = Pace(interval=10, timeout=30)


def test_a_silent_death_is_known_when_the_transaction_ends() -> None:
    played = course(Outage(3, None), PACE, ProbingSettings(), always=True, until=100)
    assert played.stopped_at == 10 + 30
    assert played.lost_s == 37


def test_a_bad_answer_is_known_at_once() -> None:
    played = course(Outage(3, None, 503), PACE, ProbingSettings(), always=True, until=100)
    assert played.stopped_at == 10


def test_a_202_counts_as_a_bad_answer() -> None:
    played = course(Outage(3, None, 202), PACE, ProbingSettings(), always=True, until=10)
    assert [event.kind for event in played.events if event.at == 10] == [Kind.PROBE, Kind.BAD, Kind.STATE]


def test_each_further_failure_takes_an_interval() -> None:
    played = course(Outage(3, None), PACE, ProbingSettings(threshold=3), always=True, until=100)
    assert played.stopped_at == 10 + 2 * 10 + 30


@pytest.mark.parametrize(
    ("interval", "timeout", "threshold"), [(10, 30, 1), (10, 2, 1), (5, 2, 4), (60, 30, 2)]
)
def test_the_worst_death_takes_what_the_reference_says(interval: int, timeout: int, threshold: int) -> None:
    worst = worst_case(Pace(interval, timeout), ProbingSettings(threshold=threshold), always=True)
    assert worst.lost_s == pytest.approx((threshold - 1) * interval + interval + timeout, abs=0.01)


def test_what_is_never_probed_is_never_noticed() -> None:
    played = course(Outage(3, 50), PACE, ProbingSettings(), always=False, until=1_000)
    assert [event.kind for event in played.events] == [Kind.DIES, Kind.RETURNS]
    assert played.lost_s is None
    assert worst_case(PACE, ProbingSettings(), always=False).lost_s is None


def test_with_mode_1_everything_is_probed() -> None:
    settings = ProbingSettings(everything=True)
    assert course(Outage(3, None), PACE, settings, always=False, until=100).stopped_at == 40


def test_a_gateway_that_returns_is_noticed_by_the_next_time_that_it_is_asked() -> None:
    played = course(Outage(3, 60.1), Pace(10, 2), ProbingSettings(), always=True, until=200)
    assert played.stopped_at == 12
    assert played.back_at == 60.5, "the probe of second 60 is sent again after half a second"


def test_a_blip_between_two_probes_goes_unnoticed() -> None:
    played = course(Outage(3, 7), PACE, ProbingSettings(), always=True, until=100)
    assert played.stopped_at is None
    assert all(event.change is None for event in played.events)


def test_a_chosen_reply_code_counts_as_good() -> None:
    settings = ProbingSettings(reply_codes=frozenset({503}))
    assert course(Outage(3, None, 503), PACE, settings, always=True, until=100).stopped_at is None


def test_more_rounds_than_anybody_reads_are_refused() -> None:
    with pytest.raises(ValueError, match="rounds of probing"):
        course(Outage(3, None), Pace(0.001, 1), ProbingSettings(), always=True, until=100)


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
    pace, settings = Pace(interval, timeout), ProbingSettings(threshold=threshold)
    worst = worst_case(pace, settings, always=True, code=code)
    until = dies + (threshold + 2) * interval + timeout
    played = course(Outage(dies, None, code), pace, settings, always=True, until=until)
    assert played.lost_s is not None
    assert worst.lost_s is not None
    assert played.lost_s <= worst.lost_s + 0.01


@pytest.mark.parametrize(
    ("interval", "timeout", "idle_s"),
    [(15, 30, 2.999), (10, 30, 1.999), (1, 30, 0.499), (30, 30, 3.999), (60, 2, 58.499)],
)
def test_the_worst_return_counts_the_probes_of_earlier_rounds(
    interval: int, timeout: int, idle_s: float
) -> None:
    worst = worst_case(Pace(interval, timeout), ProbingSettings(), always=True)
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
    pace, settings = Pace(interval, timeout), ProbingSettings(threshold=threshold)
    worst = worst_case(pace, settings, always=True)
    returns_at = 1 + (threshold + 1) * interval + 3 * timeout + returns
    until = returns_at + 3 * interval + timeout
    played = course(Outage(1, returns_at), pace, settings, always=True, until=until)
    assert played.idle_s is not None
    assert worst.idle_s is not None
    assert played.idle_s <= worst.idle_s + 0.01
